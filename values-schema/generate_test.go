package valuesschema_test

import (
	"regexp"
	"slices"

	"pgregory.net/rapid"
)

// generator draws values from the schema itself: mostly what it allows, and, as
// often as junk says in a hundred, something else.
type generator struct {
	root node
	junk int
}

// words are texts of which each pattern of the schema matches some.
func words() []string {
	return []string{
		"", "a", "b-c", "A b", "auto", "kmm", "4m", "0", "1h2m3s", "90", "8.9.0", "é", "/run/pfring/state.json", "/state", "a\nb", " ",
		"https://a.example/x", "http://a.example:3128", "s3://bucket/x", "oci://r.example/x", "file:///modules", "ftp://x",
		"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "SYS_MODULE", "spc_t", "30s", "Always", "In", "true",
		"RWRXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "docker.io/a/b:${KERNEL_FULL_VERSION}", "^.+$", "x-1.y",
	}
}

func junkValues() []any {
	return []any{
		nil, true, false, 0, 1, -1, 1.5, 1.0, 4294967296, 1e20, 9007199254740993, "", "a", "true", "1", "null",
		[]any{}, []any{nil}, []any{"a"}, []any{map[string]any{}}, map[string]any{}, map[string]any{"a": nil}, map[string]any{"name": "a"},
	}
}

func percent(t *rapid.T, n int, label string) bool {
	return n > 0 && rapid.IntRange(1, 100).Draw(t, label) <= n
}

func pick[T any](t *rapid.T, from []T, label string) T {
	return from[rapid.IntRange(0, len(from)-1).Draw(t, label)]
}

// value draws a value for the schema n.
func (g generator) value(t *rapid.T, n node, depth int) any {
	n = resolve(g.root, n)
	if percent(t, g.junk, "junk") {
		return pick(t, junkValues(), "junk value")
	}
	if any, ok := n["anyOf"].([]any); ok {
		return g.value(t, pick(t, any, "alternative").(node), depth)
	}
	if enum, ok := n["enum"].([]any); ok {
		return pick(t, enum, "enum")
	}
	kind, ok := n["type"].(string)
	if kinds, many := n["type"].([]any); many {
		kind, ok = pick(t, kinds, "type").(string)
	}
	if !ok {
		return pick(t, junkValues(), "anything")
	}
	switch kind {
	case "object":
		return g.object(t, n, depth)
	case "array":
		items, _ := n["items"].(node)
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, g.value(t, items, depth+1))
		}
		return list
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "integer", "number":
		lo, _ := n["minimum"].(float64)
		hi, bounded := n["maximum"].(float64)
		if !bounded {
			hi = 10
		}
		return pick(t, []any{lo, hi, lo}, "bound")
	case "string":
		return g.text(t, n)
	}
	return nil
}

func (g generator) text(t *rapid.T, n node) string {
	from := words()
	if p, ok := n["pattern"].(string); ok {
		re := regexp.MustCompile(p)
		from = slices.DeleteFunc(from, func(s string) bool { return !re.MatchString(s) })
	}
	if n["minLength"] != nil {
		from = slices.DeleteFunc(from, func(s string) bool { return s == "" })
	}
	return pick(t, from, "text")
}

func (g generator) object(t *rapid.T, n node, depth int) map[string]any {
	out := map[string]any{}
	props, _ := n["properties"].(node)
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	required, _ := n["required"].([]any)
	for _, name := range names {
		often := 35
		if depth < 2 || slices.Contains(required, any(name)) {
			often = 100 - g.junk
		}
		if percent(t, often, name) {
			out[name] = g.value(t, props[name].(node), depth+1)
		}
	}
	if n["oneOf"] != nil && !percent(t, g.junk, "both or neither") {
		drop, keep := "literal", "regexp"
		if rapid.Bool().Draw(t, "literal") {
			drop, keep = keep, drop
		}
		delete(out, drop)
		if out[keep] == nil {
			out[keep] = "x"
		}
	}
	if max, ok := n["maxProperties"].(float64); ok && max == 1 && len(props) == 0 {
		return out
	}
	if sub, ok := n["additionalProperties"].(node); ok {
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			keys := []string{"a", "b_c", "turbo"}
			if names, ok := n["propertyNames"].(node); ok {
				keys = slices.DeleteFunc(append(keys, words()...), func(key string) bool { return !regexp.MustCompile(names["pattern"].(string)).MatchString(key) })
			}
			out[pick(t, keys, "key")] = g.value(t, sub, depth+1)
		}
	}
	if percent(t, g.junk, "unknown key") {
		out[pick(t, []string{"zzz", "mod", "a b", "enabled"}, "key")] = pick(t, junkValues(), "value")
	}
	return out
}

// mutate changes one thing somewhere in a document, so that what follows from
// just that is seen.
func mutate(t *rapid.T, doc map[string]any) {
	var places []func()
	var walk func(v any)
	junk := func(set func(any)) {
		places = append(places, func() { set(pick(t, junkValues(), "other value")) })
	}
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			keys := make([]string, 0, len(v))
			for key := range v {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			for _, key := range keys {
				junk(func(x any) { v[key] = x })
				places = append(places, func() { delete(v, key) })
				walk(v[key])
			}
			places = append(places, func() { v[pick(t, []string{"zzz", "enabled", "a b"}, "new key")] = pick(t, junkValues(), "its value") })
		case []any:
			for i := range v {
				junk(func(x any) { v[i] = x })
				walk(v[i])
			}
		}
	}
	walk(doc)
	pick(t, places, "place")()
}
