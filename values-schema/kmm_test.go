package valuesschema_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// verdict is a values file, below tap, and what clusters with two releases of
// KMM said of it.
type verdict struct {
	Name     string         `json:"name"`
	Released string         `json:"2.6.0"`
	Main     string         `json:"main"`
	Stricter string         `json:"stricter"`
	Values   map[string]any `json:"values"`
}

// Validate refuses what a cluster with KMM refuses, and nothing else without a
// reason that is reported here.
func TestValidateSaysOfKMMValuesWhatAClusterSays(t *testing.T) {
	text, err := os.ReadFile("testdata/kmm/verdicts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []verdict
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 82 {
		t.Fatalf("only %d values files", len(all))
	}
	for _, v := range all {
		values, err := yaml.Marshal(map[string]any{"tap": v.Values})
		if err != nil {
			t.Fatal(err)
		}
		found := problems(t, valuesschema.LoadOptions{
			Files: []string{"-"}, Stdin: strings.NewReader(string(values)), Namespace: "default", ReleaseName: "pfring",
		})
		errs, _ := valuesschema.Count(found)
		for release, said := range map[string]string{"2.6.0": v.Released, "main": v.Main} {
			switch {
			case said != "takes" && said != "refuses":
				t.Errorf("%s: %s says %q", v.Name, release, said)
			case said == "refuses" && errs == 0:
				t.Errorf("%s: a cluster with KMM %s refuses what validate takes", v.Name, release)
			case said == "takes" && errs > 0 && v.Stricter == "":
				t.Errorf("%s: a cluster with KMM %s takes what validate refuses:\n%s", v.Name, release, describe(found))
			}
		}
		if v.Stricter != "" && errs == 0 {
			t.Errorf("%s: validate is not stricter any more, but the case says why it is", v.Name)
		}
	}
}
