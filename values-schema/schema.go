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
	"maps"
	"slices"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

//go:generate go test . -count=1 -run EveryListOfSchemes -update
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
	// places are, for each key of tap.kernelModule, where the schema names it.
	places map[string][]Path
}

func compile() (*compiled, error) {
	engine, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("cannot compile the values schema: %w", err)
	}
	c := &compiled{engine: engine}
	if err := json.Unmarshal(schemaJSON, &c.tree); err != nil {
		return nil, fmt.Errorf("cannot read the values schema: %w", err)
	}
	c.places = map[string][]Path{}
	c.index(module)
	return c, nil
}

// index notes where the schema names each key below path.
func (c *compiled) index(path Path) {
	for _, name := range c.keys(path) {
		at := path.With(name)
		c.places[name] = append(c.places[name], at)
		c.index(at)
	}
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

// resolve follows a reference. A key whose description is its own refers by an
// allOf of one; what the key says then wins over what it refers to.
func (c *compiled) resolve(node map[string]any) map[string]any {
	if all, ok := node["allOf"].([]any); ok && len(all) == 1 {
		if base, ok := all[0].(map[string]any); ok {
			joined := maps.Clone(c.resolve(base))
			maps.Copy(joined, node)
			delete(joined, "allOf")
			return joined
		}
	}
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	defs, _ := c.tree["definitions"].(map[string]any)
	target, _ := defs[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
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
func (c *compiled) keys(path Path) []string { return c.names(c.at(path)) }

// names lists the properties of a schema.
func (c *compiled) names(node map[string]any) []string {
	props, _ := node["properties"].(map[string]any)
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
