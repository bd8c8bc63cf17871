package valuesschema_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Wherever a problem is said to be, there stands its key or, for a value that
// the file does not have, the key of a map around it.
func TestPlacesPointAtTheirKeys(t *testing.T) {
	root, defaults, exact := schema(t), chartDefaults(t), 0
	check(t, func(t *rapid.T) {
		g := generator{root: root, junk: pick(t, []int{0, 3}, "junk")}
		drawn := g.object(t, root, 0)
		if len(drawn) > 0 {
			mutate(t, drawn)
		}
		text, err := yaml.Marshal(drawn)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(text), Defaults: defaults})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, p := range doc.Validate() {
			if p.Line == 0 {
				continue
			}
			if p.Line > len(lines) || p.Column > len(lines[p.Line-1]) {
				t.Fatalf("%s is beyond the file\n%s", p, text)
			}
			before, there := lines[p.Line-1][:p.Column-1], lines[p.Line-1][p.Column-1:]
			key, _, isKey := strings.Cut(there+" ", ": ")
			if !isKey || strings.HasSuffix(before, "- ") {
				continue // an item of a list
			}
			key = strings.Trim(key, `"'`)
			// Generated keys have no dots, but for those that are addresses; these stand in brackets.
			steps := strings.FieldsFunc(p.Path, func(c rune) bool { return strings.ContainsRune(`.[]"`, c) })
			if !slices.Contains(steps, key) && !strings.Contains(p.Path, `["`+key+`"]`) {
				t.Fatalf("%s\nthere stands %q\n%s", p, key, text)
			}
			exact++
		}
	})
	if exact < 100 {
		t.Errorf("only %d places were looked at", exact)
	}
}
