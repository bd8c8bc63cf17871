package inject

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// FunctionConfig reads the settings of a Kustomize (KRM) function from its
// input: the data or the spec of its functionConfig, flag names as keys. ok is
// false if the input is not a ResourceList.
func FunctionConfig(input []byte) (settings map[string]string, ok bool, err error) {
	parts := split(input)
	root, err := parse(parts[0])
	// A marker may stand before the only document.
	for i := 1; i < len(parts) && err == nil && root == nil; i++ {
		root, err = parse(parts[i])
	}
	// What does not parse is not a ResourceList; whoever edits it will say why.
	if err != nil || scalar(get(root, "kind")) != "ResourceList" {
		return nil, false, nil //nolint:nilerr // what does not parse is not a ResourceList
	}
	settings = map[string]string{}
	for _, key := range []string{"data", "spec"} {
		values := get(root, "functionConfig", key)
		if values == nil {
			continue
		}
		if values.Kind != yaml.MappingNode {
			return nil, true, errors.New("functionConfig." + key + " is not a mapping")
		}
		for i := 0; i+1 < len(values.Content); i += 2 {
			name, value := values.Content[i].Value, values.Content[i+1]
			if value.Kind != yaml.ScalarNode {
				return nil, true, fmt.Errorf("invalid functionConfig.%s.%s: must be a single value", key, name)
			}
			settings[name] = value.Value
		}
	}
	return settings, true, nil
}
