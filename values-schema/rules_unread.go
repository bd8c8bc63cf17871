package valuesschema

import (
	"maps"
	"slices"
	"strings"
)

// kubesharkKeys are keys of Kubeshark's own chart, of any version, that are near
// to one of ours and are not a slip.
func kubesharkKeys() []string {
	return []string{"tap.metrics", "tap.resources", "tap.namespaces", "tap.proxy", "tap.release", "tap.docker.tag", "tap.docker.tagLocked", "tap.serviceAccount"}
}

// checkUnread warns of keys that look as if they were meant for this chart, where
// anything is accepted since it may be Kubeshark's, and of values that set nothing
// that this chart reads.
func checkUnread(c *check) {
	before := len(c.problems)
	c.unread(c.doc.user, c.schema.tree, nil)
	if len(c.doc.user) > 0 && len(c.problems) == before && !c.readsAny(c.doc.user, c.schema.tree) {
		c.report(Problem{
			Severity: Warning, Rule: "nothing-read", Origin: c.doc.origin(nil),
			Message:    "this chart reads none of these values and uses its defaults",
			Suggestion: "its keys are below tap.kernelModule; for values of a chart that has it as a dependency, give --subchart KEY",
		})
	}
}

// unread looks at the open maps of the schema: those that take other keys too.
func (c *check) unread(values map[string]any, node map[string]any, path Path) {
	node = c.schema.resolve(node)
	known := c.schema.names(node)
	if len(known) == 0 || node["additionalProperties"] != nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		at := path.With(key)
		if sub := c.schema.child(node, key); sub != nil {
			if m, ok := values[key].(map[string]any); ok {
				c.unread(m, sub, at)
			}
			continue
		}
		if c.full() {
			c.dropped(Warning)
			return
		}
		if meant := c.closestKey(path, key, known); meant != nil && !slices.Contains(kubesharkKeys(), at.String()) {
			c.warnf("unread-key", at, "did you mean "+meant.String()+"?", "this chart does not read this key")
		}
	}
}

// closestKey is the key that somebody had in mind who wrote this one, or nil.
func (c *check) closestKey(parent Path, key string, known []string) Path {
	for _, name := range known {
		if strings.EqualFold(name, key) || len(name) >= 5 && distance(strings.ToLower(name), strings.ToLower(key)) <= len(name)/6 {
			return parent.With(name)
		}
	}
	// A key that stands one or two levels too high.
	for _, below := range []Path{{"tap"}, module} {
		if len(below) <= len(parent) || !below.hasPrefix(parent) {
			continue
		}
		if slices.Contains(c.schema.keys(below), key) && !ambiguous(key) {
			return below.With(key)
		}
	}
	// tap.kernelModule.kernelModule and the like are unknown keys there.
	return nil
}

// ambiguous are names that Kubeshark's chart, or any other, has at other places.
func ambiguous(key string) bool {
	return slices.Contains([]string{
		"enabled", "mode", "image", "metrics", "labels", "annotations", "docker", "tolerations", "capabilities", "securityContext", "serviceAccount", "networkPolicy", "openshift", "parameters",
	}, key)
}

// readsAny tells whether the schema knows any of the values, below the maps that
// only lead somewhere.
func (c *check) readsAny(values map[string]any, node map[string]any) bool {
	node = c.schema.resolve(node)
	for key, v := range values {
		sub := c.schema.child(node, key)
		if sub == nil {
			continue
		}
		m, isMap := v.(map[string]any)
		if !isMap || len(m) == 0 || len(c.schema.names(c.schema.resolve(sub))) == 0 || c.readsAny(m, sub) {
			return true
		}
	}
	return false
}
