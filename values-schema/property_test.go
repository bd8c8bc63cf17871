package valuesschema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/cli/values"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// helmChart is the chart as Helm loads it. Helm's remarks about tables are kept
// out of the test's output.
func helmChart(t testing.TB) *chart.Chart {
	t.Helper()
	log.SetOutput(bytes.NewBuffer(nil))
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	c, err := loader.LoadDir(filepath.Join("..", "charts", charts.Name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check tries a property four hundred times.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 4 {
		rapid.Check(t, property)
	}
}

// schemaRules are those of the schema layer.
var schemaRules = []string{"unknown-key", "missing-key", "wrong-type", "not-one-of", "bad-pattern", "out-of-range", "literal-xor-regexp"}

// Whatever the values are, gojsonschema over what Load merges and Helm's own
// validator over what Helm merges come to the same verdict.
func TestSchemaVerdictIsHelms(t *testing.T) {
	c, root, defaults := helmChart(t), schema(t), chartDefaults(t)
	verdicts := map[bool]int{}
	check(t, func(t *rapid.T) {
		g := generator{root: root, junk: pick(t, []int{0, 0, 0, 5}, "junk")}
		drawn := g.object(t, root, 0)
		if g.junk == 0 && percent(t, 70, "mutate") {
			mutate(t, drawn)
		}
		text, err := yaml.Marshal(drawn)
		if err != nil {
			t.Skip("no values:", err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(text), Defaults: defaults})
		if err != nil {
			t.Fatal(err)
		}
		found := doc.Validate()
		ours := slices.ContainsFunc(found, func(p valuesschema.Problem) bool { return slices.Contains(schemaRules, p.Rule) })
		var user map[string]any
		if err := yaml.Unmarshal(text, &user); err != nil {
			t.Fatal(err)
		}
		merged, err := chartutil.CoalesceValues(c, user)
		if err != nil {
			t.Fatal(err)
		}
		theirs := chartutil.ValidateAgainstSchema(c, merged)
		if ours != (theirs != nil) {
			t.Fatalf("values:\n%s\npfring:\n%s\nHelm: %v", text, describe(found), theirs)
		}
		verdicts[ours]++
	})
	t.Logf("invalid %d, valid %d", verdicts[true], verdicts[false])
	if verdicts[true] == 0 || verdicts[false] == 0 {

		t.Errorf("only one verdict was ever reached, which proves little: %v", verdicts)
	}
}

// Files and flags merge as in Helm, down to nulls and numbers.
func TestMergeIsHelms(t *testing.T) {
	c, defaults, dir := helmChart(t), chartDefaults(t), t.TempDir()
	check(t, func(t *rapid.T) {
		o := mergeInput(t, dir)
		theirs, err := (&values.Options{
			ValueFiles: o.Files, Values: o.Set, StringValues: o.SetString, FileValues: o.SetFile, JSONValues: o.SetJSON,
		}).MergeValues(nil)
		o.Defaults = defaults
		doc, loadErr := valuesschema.Load(o)
		if loadErr != nil {
			t.Fatal(loadErr)
		}
		if doc.Subchart() != "" {
			return // drawn as a parent's values, which Helm is not asked about here
		}
		refused := slices.ContainsFunc(doc.Validate(), func(p valuesschema.Problem) bool { return p.Rule == "set-syntax" })
		if refused != (err != nil) {
			t.Fatalf("pfring refused: %v, Helm: %v", refused, err)
		}
		if err != nil {
			return
		}
		same(t, "what the user gave", doc.Values(), theirs)
		merged, err := chartutil.CoalesceValues(c, theirs)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "over the defaults", doc.Merged(), merged)
	})
}

func same(t *rapid.T, what string, ours, theirs map[string]any) {
	a, err := json.MarshalIndent(ours, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(theirs, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Fatalf("%s: pfring\n%s\nHelm\n%s", what, a, b)
	}
}

// mergeInput draws up to three files and some flags over few keys, so that they
// meet each other and the chart's defaults.
func mergeInput(t *rapid.T, dir string) valuesschema.LoadOptions {
	var o valuesschema.LoadOptions
	for i := range rapid.IntRange(0, 3).Draw(t, "files") {
		text, err := yaml.Marshal(tree(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, name)
	}
	held := filepath.Join(dir, "held")
	if err := os.WriteFile(held, []byte("a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := func() string {
		return pick(t, []string{
			"tap", "tap.kernelModule", "tap.kernelModule.mode", "tap.kernelModule.source", "tap.kernelModule.source.url", "tap.kernelModule.kernelMappings",
			"tap.kernelModule.kernelMappings[0].literal", "tap.kernelModule.kernelMappings[2]", "tap.labels", "tap.labels.a", "x", "x.y", "x[1]", "x[-1]", "",
		}, "path")
	}
	plain := []string{"a", "null", "true", "1", "1.5", "", "{a,b}", "{}", "a,x=b", `a\,b`, "0123", "{"}
	for range rapid.IntRange(0, 3).Draw(t, "set") {
		o.Set = append(o.Set, path()+"="+pick(t, plain, "value"))
	}
	for range rapid.IntRange(0, 1).Draw(t, "set-string") {
		o.SetString = append(o.SetString, path()+"="+pick(t, plain, "value"))
	}
	for range rapid.IntRange(0, 1).Draw(t, "set-json") {
		o.SetJSON = append(o.SetJSON, path()+"="+pick(t, []string{`{"a":null}`, "[1,{}]", "null", "1e3", `"a"`, "{", `{"mode":"kmm"}`, "{}"}, "JSON"))
	}
	for range rapid.IntRange(0, 1).Draw(t, "set-file") {
		o.SetFile = append(o.SetFile, path()+"="+held)
	}
	return o
}

// tree draws a map of keys that the chart has and of some that it has not.
func tree(t *rapid.T, depth int) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"tap", "kernelModule", "source", "kernelMappings", "mode", "labels", "proxy", "x"} {
		if !percent(t, 50, key) {
			continue
		}
		if depth < 4 && rapid.Bool().Draw(t, "deeper") {
			out[key] = tree(t, depth+1)
			continue
		}
		if percent(t, 20, "null") {
			out[key] = nil
			continue
		}
		out[key] = pick(t, junkValues(), "value")
	}
	return out
}
