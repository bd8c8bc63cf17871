package valuesschema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestTheChartCarriesTheSameSchema(t *testing.T) {
	onDisk, err := os.ReadFile("values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	inChart, err := fs.ReadFile(charts.FS(), charts.Name+"/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(onDisk, inChart) {
		t.Error("cp values-schema/values.schema.json charts/kubeshark-pfring/values.schema.json")
	}
	if !bytes.Equal(onDisk, valuesschema.Schema()) {
		t.Error("Schema() is not the file")
	}
}

type node = map[string]any

func schema(t testing.TB) node {
	t.Helper()
	var root node
	if err := json.Unmarshal(valuesschema.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

func resolve(root, n node) node {
	if all, ok := n["allOf"].([]any); ok {
		joined := maps.Clone(resolve(root, all[0].(node)))
		maps.Copy(joined, n)
		return joined
	}
	ref, ok := n["$ref"].(string)
	if !ok {
		return n
	}
	return root["definitions"].(node)[strings.TrimPrefix(ref, "#/definitions/")].(node)
}

// Two validators read the schema; only what both understand in the same way may
// stand in it.
func TestSchemaKeepsToWhatBothValidatorsKnow(t *testing.T) {
	root := schema(t)
	if root["$schema"] != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("$schema is %v", root["$schema"])
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case node:
			if ref, ok := v["$ref"].(string); ok && (len(v) != 1 || !strings.HasPrefix(ref, "#/definitions/")) {
				t.Errorf("%s: a $ref is local and alone", path)
			}
			for _, key := range []string{"format", "unevaluatedProperties", "dependentRequired", "dependentSchemas", "prefixItems", "$defs", "minContains"} {
				if _, ok := v[key]; ok {
					t.Errorf("%s: has %s", path, key)
				}
			}
			for key, sub := range v {
				walk(path+"."+key, sub)
			}
		case []any:
			for _, sub := range v {
				walk(path+"[]", sub)
			}
		}
	}
	walk("", root)
}

// The schema's defaults are the chart's, and every value of the chart is in
// the schema.
func TestSchemaDefaultsAreTheChartsValues(t *testing.T) {
	root := schema(t)
	var values node
	if err := yaml.Unmarshal(chartDefaults(t), &values); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(path string, n node, v any)
	walk = func(path string, n node, v any) {
		n = resolve(root, n)
		want, has := n["default"]
		m, isMap := v.(node)
		props, _ := n["properties"].(node)
		if isMap && len(m) > 0 && props != nil && !has {
			for key, sub := range m {
				p, ok := props[key].(node)
				if !ok {
					t.Errorf("%s.%s stands in values.yaml and not in the schema", path, key)
					continue
				}
				walk(path+"."+key, p, sub)
			}
			return
		}
		seen++
		if !has && (v == "" || isMap && len(m) == 0) {
			return
		}
		if !has || !reflect.DeepEqual(want, v) {
			t.Errorf("%s: values.yaml has %v, the schema's default is %v", path, v, want)
		}
	}
	walk("", root, values)
	if seen < 50 {
		t.Fatalf("only %d values were compared", seen)
	}
}

// What the schema names under tap.kernelModule has its default in values.yaml,
// but for the historic image.
func TestEveryKeyOfTheBlockStandsInTheChartsValues(t *testing.T) {
	root := schema(t)
	var values node
	if err := yaml.Unmarshal(chartDefaults(t), &values); err != nil {
		t.Fatal(err)
	}
	without := []string{".image", ".agent.resources.requests.", ".agent.initResources.", ".parameters."}
	var walk func(path string, n node, v any)
	walk = func(path string, n node, v any) {
		props, _ := resolve(root, n)["properties"].(node)
		m, _ := v.(node)
		for key, sub := range props {
			at := path + "." + key
			if slices.ContainsFunc(without, func(s string) bool { return at == s || strings.HasPrefix(at, s) && strings.HasSuffix(s, ".") }) {
				continue
			}
			if _, ok := m[key]; !ok {
				t.Errorf("tap.kernelModule%s is in the schema and not in values.yaml", at)
				continue
			}
			walk(at, sub.(node), m[key])
		}
	}
	block := root["properties"].(node)["tap"].(node)["properties"].(node)["kernelModule"].(node)
	walk("", block, values["tap"].(node)["kernelModule"])
}

// Every key of the block is told what it is for, in words of its own, and has
// bounds.
func TestSchemaDescribesAndBoundsEveryKey(t *testing.T) {
	root := schema(t)
	told := map[string]string{}
	shared := regexp.MustCompile(`\.(enabled|create|labels|insecure|insecureSkipTLSVerify)$`)
	var walk func(path string, n node)
	walk = func(path string, n node) {
		n = resolve(root, n)
		text, _ := n["description"].(string)
		if text == "" {
			t.Errorf("%s has no description", path)
		}
		if other := told[text]; other != "" && !shared.MatchString(path) {
			t.Errorf("%s and %s have the same description: %s", other, path, text)
		}
		told[text] = path
		switch n["type"] {
		case "string":
			if n["pattern"] == nil && n["enum"] == nil && n["maxLength"] == nil {
				t.Errorf("%s: a string without pattern, enum or maxLength", path)
			}
		case "integer":
			if n["minimum"] == nil || n["maximum"] == nil {
				t.Errorf("%s: an integer without bounds", path)
			}
		}
		props, _ := n["properties"].(node)
		for key, sub := range props {
			walk(path+"."+key, sub.(node))
		}
	}
	walk("tap.kernelModule", root["properties"].(node)["tap"].(node)["properties"].(node)["kernelModule"].(node))
}

func TestMarkdownNamesEveryKey(t *testing.T) {
	text, err := valuesschema.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"`tap.kernelModule.mode`", "`tap.kernelModule.kernelMappings[].sign.keySecret`", "`tap.kernelModule.parameters.min_num_slots`", "`tap.docker.registry`",
	} {
		if !strings.Contains(string(text), "| "+key+" |") {
			t.Errorf("no row for %s", key)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5 {
			t.Errorf("not four columns: %s", line)
		}
	}
}

// A key says what it is for.
func TestEveryKeyHasAMeaning(t *testing.T) {
	keys, err := valuesschema.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if len(k.Description) < 10 || k.Description == "Create it." {
			t.Errorf("%s: %q says too little", k.Path, k.Description)
		}
	}
}
