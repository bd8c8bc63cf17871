// Package conform makes JSON Schemas of Kubernetes resources out of the API
// descriptions in their projects' Go modules, so that rendered manifests can be
// checked by kubeconform for a Kubernetes version that no test runs, without
// any schema from the internet. It is used by its tests only.
package conform

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

type object = map[string]any

// fileName is where kubeconform, told {{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}},
// looks for a kind's schema. Of the core group it takes the version for the group.
func fileName(group, version, kind string) string {
	if group == "" {
		group = version
	}
	return strings.ToLower(fmt.Sprintf("%s-%s-%s.json", kind, group, version))
}

// WriteSwagger writes into dir a schema for each of kinds, given as
// group/version/Kind, from Kubernetes' api/openapi-spec/swagger.json. Unknown
// fields are refused, as the API server does with strict validation.
func WriteSwagger(dir string, swagger []byte, kinds ...string) error {
	var doc struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := json.Unmarshal(swagger, &doc); err != nil {
		return fmt.Errorf("reading the API description: %w", err)
	}
	for _, want := range kinds {
		parts := strings.Split(want, "/")
		if len(parts) != 3 {
			return fmt.Errorf("%q is not group/version/Kind", want)
		}
		name := definitionOf(doc.Definitions, parts[0], parts[1], parts[2])
		if name == "" {
			return fmt.Errorf("the API description has no %s", want)
		}
		needed := map[string]any{}
		collect(doc.Definitions, name, needed)
		schema := object{"$schema": draft07, "$ref": "#/definitions/" + name, "definitions": needed}
		if err := writeSchema(filepath.Join(dir, fileName(parts[0], parts[1], parts[2])), schema); err != nil {
			return err
		}
	}
	return nil
}

const draft07 = "http://json-schema.org/draft-07/schema#"

func writeSchema(path string, schema object) error {
	data, err := json.Marshal(schema)
	if err != nil {
		return fmt.Errorf("writing a schema: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("writing a schema: %w", err)
	}
	return nil
}

func definitionOf(definitions map[string]object, group, version, kind string) string {
	for name, d := range definitions {
		list, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, entry := range list {
			gvk, _ := entry.(object)
			if gvk["group"] == group && gvk["version"] == version && gvk["kind"] == kind && len(list) == 1 {
				return name
			}
		}
	}
	return ""
}

// collect adds a definition, and those that it refers to, in strict form.
func collect(definitions map[string]object, name string, into map[string]any) {
	if into[name] != nil {
		return
	}
	into[name] = true // for loops such as JSONSchemaProps
	into[name] = strict(definitions[name], name)
	for ref := range references(definitions[name]) {
		collect(definitions, ref, into)
	}
}

func references(v any) map[string]bool {
	found := map[string]bool{}
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			found[strings.TrimPrefix(ref, "#/definitions/")] = true
		}
		for _, sub := range v {
			maps.Copy(found, references(sub))
		}
	case []any:
		for _, sub := range v {
			maps.Copy(found, references(sub))
		}
	}
	return found
}

// strict refuses unknown fields, drops what is not JSON Schema, and says what
// the description cannot: that a quantity and an int-or-string may be a number.
func strict(v any, name string) any {
	if strings.HasSuffix(name, ".IntOrString") || strings.HasSuffix(name, ".Quantity") {
		return object{"type": []any{"string", "number"}}
	}
	switch v := v.(type) {
	case object:
		return strictObject(v)
	case []any:
		out := make([]any, len(v))
		for i, sub := range v {
			out[i] = strict(sub, "")
		}
		return out
	}
	return v
}

func strictObject(v object) any {
	if ref, ok := v["$ref"]; ok {
		return object{"$ref": ref}
	}
	if v["x-kubernetes-int-or-string"] == true {
		return object{"type": []any{"string", "integer"}}
	}
	out := object{}
	for key, sub := range v {
		props, isProps := sub.(object)
		switch {
		case key == "properties" && isProps:
			fields := object{}
			for field, schema := range props {
				fields[field] = strict(schema, "")
			}
			out[key] = fields
		case key == "default", key == "enum":
			out[key] = sub
		case strings.HasPrefix(key, "x-"), key == "description", key == "format", key == "nullable", key == "example":
		default:
			out[key] = strict(sub, "")
		}
	}
	if out["properties"] != nil && out["additionalProperties"] == nil && v["x-kubernetes-preserve-unknown-fields"] != true {
		out["additionalProperties"] = false
	}
	return out
}

// WriteCRD writes into dir a schema for each version of the
// CustomResourceDefinition in file.
func WriteCRD(dir, file string) error {
	data, err := os.ReadFile(file) // #nosec G304 -- a file that the test names
	if err != nil {
		return fmt.Errorf("reading a CRD: %w", err)
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema object }
			}
		}
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return fmt.Errorf("reading CRD %s: %w", file, err)
	}
	if len(crd.Spec.Versions) == 0 {
		return fmt.Errorf("reading CRD %s: it has no versions", file)
	}
	for _, v := range crd.Spec.Versions {
		schema, _ := strict(v.Schema.OpenAPIV3Schema, "").(object)
		metadata(schema)
		schema["$schema"] = draft07
		if err := writeSchema(filepath.Join(dir, fileName(crd.Spec.Group, v.Name, crd.Spec.Names.Kind)), schema); err != nil {
			return err
		}
	}
	return nil
}

// metadata puts in the fields of ObjectMeta that manifests use; a CRD leaves
// them to the API server.
func metadata(schema object) {
	props, _ := schema["properties"].(object)
	text := object{"type": "string"}
	texts := object{"type": "object", "additionalProperties": text}
	props["metadata"] = object{
		"type": "object", "additionalProperties": false, "required": []any{"name"},
		"properties": object{"name": text, "namespace": text, "labels": texts, "annotations": texts},
	}
	schema["required"] = slices.Compact(append([]any{"apiVersion", "kind", "metadata"}, without(schema["required"])...))
}

func without(required any) []any {
	list, _ := required.([]any)
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v == "apiVersion" || v == "kind" || v == "metadata" })
}
