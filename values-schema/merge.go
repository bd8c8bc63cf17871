package valuesschema

// mergeFiles puts b over a as Helm does for -f: maps are merged, anything else
// is replaced, and a null stays to delete a default later.
func mergeFiles(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		if vm, ok := v.(map[string]any); ok {
			if om, ok := out[k].(map[string]any); ok {
				out[k] = mergeFiles(om, vm)
				continue
			}
		}
		out[k] = v
	}
	return out
}

// coalesce returns the user's values over the chart's defaults. As in Helm a
// null deletes the default; where there is none, it stays a null. Neither
// argument is changed.
func coalesce(user, defaults map[string]any) map[string]any {
	out := make(map[string]any, len(user)+len(defaults))
	for k, v := range user {
		d, known := defaults[k]
		switch v := v.(type) {
		case nil:
			if known && d != nil {
				continue
			}
			out[k] = nil
		case map[string]any:
			if dm, ok := d.(map[string]any); ok {
				out[k] = coalesce(v, dm)
				continue
			}
			out[k] = v
		default:
			out[k] = v
		}
	}
	for k, d := range defaults {
		if _, given := user[k]; !given {
			out[k] = clone(d)
		}
	}
	return out
}

// clone copies maps and lists, so that no two documents share a default.
func clone(v any) any { return copyTree(v, func(leaf any) any { return leaf }) }

// copyTree copies maps and lists, with what leaf makes of each value in them.
func copyTree(v any, leaf func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = copyTree(x, leaf)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = copyTree(x, leaf)
		}
		return out
	}
	return leaf(v)
}
