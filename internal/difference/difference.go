// Package difference says what an upgrade would change: object by object, from the
// manifests before and after, and node by node, from what each node can have before
// and after. It reads nothing itself, and knows neither Helm nor a cluster.
package difference

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// Object is a manifest.
type Object struct {
	Kind, Name string
	Tree       map[string]any
}

// Actions of an upgrade on an object.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Field is one value of an object that changes; an empty one is not there.
type Field struct {
	Path   string `json:"path"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Change is what happens to an object.
type Change struct {
	Kind   string  `json:"kind"`
	Name   string  `json:"name"`
	Action string  `json:"action"`
	Fields []Field `json:"fields,omitempty"`
}

// Effects on a node.
const (
	// Loses: it has a module now, and none is for it afterwards.
	Loses = "loses"
	// Gains: the other way round.
	Gains = "gains"
	// Other: it loads another module.
	Other = "other-module"
	// Replaced: its pod is replaced, with the same module.
	Replaced = "pod-replaced"
	// PodAdded and PodRemoved: the release begins or ceases to want it.
	PodAdded   = "pod-added"
	PodRemoved = "pod-removed"
)

// Node is what happens to a node.
type Node struct {
	Node   string `json:"node"`
	Effect string `json:"effect"`
	// Before and After are the module: a PF_RING version, an image, or the reason
	// why there is none.
	Before string `json:"before"`
	After  string `json:"after"`
}

// Report is what an upgrade changes.
type Report struct {
	SchemaVersion int    `json:"schemaVersion"`
	Release       string `json:"release"`
	Namespace     string `json:"namespace"`
	Verdict       string `json:"verdict"`
	// Loses is true when a node loses its module.
	Loses   bool     `json:"losesModules"`
	Objects []Change `json:"objects"`
	Nodes   []Node   `json:"nodes"`
	// Unchanged counts the nodes that the upgrade leaves alone.
	Unchanged int           `json:"unchangedNodes"`
	Where     webpage.Where `json:"-"`
}

// Objects compares manifests; the order is that of kind and name.
func Objects(before, after []Object) []Change {
	type key struct{ kind, name string }
	old, now := map[key]map[string]any{}, map[key]map[string]any{}
	for _, o := range before {
		old[key{o.Kind, o.Name}] = o.Tree
	}
	for _, o := range after {
		now[key{o.Kind, o.Name}] = o.Tree
	}
	changes := []Change{}
	for k, tree := range old {
		other, stays := now[k]
		switch {
		case !stays:
			changes = append(changes, Change{Kind: k.kind, Name: k.name, Action: Removed})
		default:
			if fields := fields(nil, "", tree, other); len(fields) > 0 {
				changes = append(changes, Change{Kind: k.kind, Name: k.name, Action: Changed, Fields: fields})
			}
		}
	}
	for k := range now {
		if _, was := old[k]; !was {
			changes = append(changes, Change{Kind: k.kind, Name: k.name, Action: Added})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return changes
}

// fields lists where two trees differ. Items of a list that have names are compared
// by name, as Kubernetes merges them; others by their place.
func fields(list []Field, path string, before, after any) []Field {
	if reflect.DeepEqual(before, after) {
		return list
	}
	old, oldMap := tree(before)
	now, nowMap := tree(after)
	if !oldMap || !nowMap || (len(old) == 0) != (len(now) == 0) && (before == nil || after == nil) {
		return append(list, Field{Path: path, Before: show(before), After: show(after)})
	}
	keys := maps.Clone(old)
	maps.Copy(keys, now)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := key
		if path != "" && !strings.HasPrefix(key, "[") {
			at = "." + key
		}
		list = fields(list, path+at, old[key], now[key])
	}
	return list
}

// tree is a map, or a list as one: by the names of its items if all have one.
func tree(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case []any:
		named, placed := map[string]any{}, map[string]any{}
		for i, item := range v {
			placed[fmt.Sprintf("[%d]", i)] = item
			if m, ok := item.(map[string]any); ok {
				if name, ok := m["name"].(string); ok {
					named["["+name+"]"] = item
				}
			}
		}
		if len(named) == len(v) {
			return named, true
		}
		return placed, true
	}
	return nil, false
}

// longest is the most characters of a value that are shown.
const longest = 200

func show(v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	switch v.(type) {
	case map[string]any, []any:
		// Values are JSON, so writing them cannot fail.
		data, _ := json.Marshal(v)
		s = string(data)
	}
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	if s == "" {
		return `""`
	}
	return s
}

// PodsReplaced tells whether an upgrade replaces the pods of a DaemonSet: whether
// their template changes.
func PodsReplaced(changes []Change) bool {
	for _, c := range changes {
		if c.Kind != "DaemonSet" {
			continue
		}
		for _, f := range c.Fields {
			if strings.HasPrefix(f.Path, "spec.template.") {
				return true
			}
		}
	}
	return false
}

// Nodes compares what the nodes can have before and after, by name.
func Nodes(before, after compatibility.Report, replaced bool) (changed []Node, unchanged int) {
	was := map[string]compatibility.NodeResult{}
	for _, n := range before.Nodes {
		was[n.Node] = n
	}
	changed = []Node{}
	for _, now := range after.Nodes {
		old, known := was[now.Node]
		if !known {
			continue // it came while the nodes were read
		}
		n := Node{Node: now.Node, Before: module(old), After: module(now)}
		switch had, has := served(old), served(now); {
		case had && !has:
			n.Effect = Loses
		case !had && has:
			n.Effect = Gains
		case old.Supported == compatibility.Excluded && now.Supported != compatibility.Excluded:
			n.Effect = PodAdded
		case old.Supported != compatibility.Excluded && now.Supported == compatibility.Excluded:
			n.Effect = PodRemoved
		case had && n.Before != n.After:
			n.Effect = Other
		case replaced && now.Supported != compatibility.Excluded:
			n.Effect = Replaced
		default:
			unchanged++
			continue
		}
		changed = append(changed, n)
	}
	order := []string{Loses, PodRemoved, Other, Gains, PodAdded, Replaced}
	slices.SortStableFunc(changed, func(a, b Node) int { return cmp.Compare(slices.Index(order, a.Effect), slices.Index(order, b.Effect)) })
	return changed, unchanged
}

// served tells whether a node has a module, or gets one from the cluster itself.
func served(n compatibility.NodeResult) bool {
	return n.Supported == compatibility.Yes || n.Supported == compatibility.WillBeBuilt
}

// module names what a node has.
func module(n compatibility.NodeResult) string {
	switch {
	case n.Supported == compatibility.Excluded:
		return "not selected"
	case n.Supported == compatibility.WillBeBuilt:
		return "to be built in the cluster"
	case n.Supported != compatibility.Yes:
		return cmp.Or(n.Reason, string(n.Supported))
	}
	return cmp.Or(n.Image, n.Version, "a module")
}

// Conclude comes to the verdict.
func (r *Report) Conclude() {
	count := map[string]int{}
	for _, n := range r.Nodes {
		count[n.Effect]++
	}
	r.Loses = count[Loses] > 0
	var parts []string
	for _, part := range []struct {
		effect, one, many string
	}{
		{Loses, "loses its module", "lose their module"}, {PodRemoved, "is left by the agent", "are left by the agent"},
		{Other, "loads another module", "load another module"}, {Gains, "gets a module", "get a module"},
		{PodAdded, "gets the agent", "get the agent"}, {Replaced, "gets a new pod with the same module", "get a new pod with the same module"},
	} {
		switch n := count[part.effect]; {
		case n == 1:
			parts = append(parts, "1 node "+part.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d nodes %s", n, part.many))
		}
	}
	switch {
	case len(r.Objects) == 0 && len(parts) == 0:
		r.Verdict = "The upgrade changes nothing"
	case len(parts) == 0 && r.Unchanged == 0:
		r.Verdict = text.Count(len(r.Objects), "object") + " would change; nodes were not compared"
	case len(parts) == 0:
		r.Verdict = text.Count(len(r.Objects), "object") + " would change, and no node"
	default:
		r.Verdict = text.Count(len(r.Objects), "object") + " would change: " + strings.Join(parts, ", ")
	}
}
