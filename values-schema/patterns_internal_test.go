package valuesschema

import (
	"strings"
	"testing"
)

// A reader is told what to write, and never a regular expression.
func TestEachPatternOfTheSchemaHasWords(t *testing.T) {
	schema, err := theSchema()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if pattern, ok := v["pattern"].(string); ok {
				found[pattern] = true
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(schema.tree)
	for pattern := range found {
		if strings.Contains(patternText(pattern), pattern) {
			t.Errorf("no words for %s: add them to patternWords in schema_errors.go", pattern)
		}
	}
	for pattern := range patternWords {
		if !found[pattern] {
			t.Errorf("the schema has no pattern %s", pattern)
		}
	}
}
