// Package valuesschema holds the contract of tap.kernelModule: its JSON Schema,
// its Go types, and the validation that tells file, line and column of every
// problem in a user's values files.
//
// It merges values as Helm does but renders nothing and knows no cluster; the
// only part of Helm that it uses is strvals, the parser of --set arguments.
package valuesschema

import (
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"slices"

	"github.com/xeipuuv/gojsonschema"
)

//go:generate cp values.schema.json ../charts/kubeshark-pfring/values.schema.json
//go:embed values.schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (draft-07) of the values. The chart carries a
// copy of it as values.schema.json.
func Schema() []byte { return slices.Clone(schemaJSON) }

// compiled is the schema, ready for many validations.
type compiled struct {
	engine *gojsonschema.Schema
	tree   map[string]any
}

func compile() (*compiled, error) {
	engine, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("compiling the values schema: %w", err)
	}
	c := &compiled{engine: engine}
	if err := json.Unmarshal(schemaJSON, &c.tree); err != nil {
		return nil, fmt.Errorf("reading the values schema: %w", err)
	}
	return c, nil
}

// at returns the schema of the value at path, or nil where the schema says
// nothing of it.
func (c *compiled) at(path Path) map[string]any {
	node := c.tree
	for _, step := range path {
		node = c.child(c.resolve(node), step)
		if node == nil {
			return nil
		}
	}
	return c.resolve(node)
}

func (c *compiled) resolve(node map[string]any) map[string]any {
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	defs, _ := c.tree["definitions"].(map[string]any)
	const prefix = "#/definitions/"
	if len(ref) <= len(prefix) {
		return node
	}
	target, _ := defs[ref[len(prefix):]].(map[string]any)
	return target
}

// child is the schema of one step below node. Where node allows alternatives it
// is that of the first that knows the step.
func (c *compiled) child(node map[string]any, step any) map[string]any {
	alternatives, _ := node["anyOf"].([]any)
	for _, alternative := range alternatives {
		if m, ok := alternative.(map[string]any); ok {
			if sub := c.child(c.resolve(m), step); sub != nil {
				return sub
			}
		}
	}
	if key, ok := step.(string); ok {
		props, _ := node["properties"].(map[string]any)
		if sub, ok := props[key].(map[string]any); ok {
			return sub
		}
		sub, _ := node["additionalProperties"].(map[string]any)
		return sub
	}
	sub, _ := node["items"].(map[string]any)
	return sub
}

// keys lists the properties that the schema names at path.
func (c *compiled) keys(path Path) []string {
	props, _ := c.at(path)["properties"].(map[string]any)
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// find lists the places below path at which the schema names key.
func (c *compiled) find(path Path, key string) []Path {
	var found []Path
	for _, name := range c.keys(path) {
		at := path.With(name)
		if name == key {
			found = append(found, at)
		}
		found = append(found, c.find(at, key)...)
	}
	return found
}
