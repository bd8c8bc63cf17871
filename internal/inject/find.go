package inject

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// findWorkers returns the worker DaemonSets under an object.
func findWorkers(object *yaml.Node, depth int) []*yaml.Node {
	return findObjects(object, depth, func(o *yaml.Node) bool { return scalar(get(o, "kind")) == "DaemonSet" && isWorker(o) })
}

// findObjects returns what is wanted under an object: itself, or of the items of
// a list. A KRM ResourceList is one as well.
func findObjects(object *yaml.Node, depth int, wanted func(*yaml.Node) bool) []*yaml.Node {
	if object == nil || object.Kind != yaml.MappingNode || depth > 3 {
		return nil
	}
	if wanted(object) {
		return []*yaml.Node{object}
	}
	items := get(object, "items")
	if !strings.HasSuffix(scalar(get(object, "kind")), "List") || items == nil || items.Kind != yaml.SequenceNode {
		return nil
	}
	var found []*yaml.Node
	for _, item := range items.Content {
		found = append(found, findObjects(item, depth+1, wanted)...)
	}
	return found
}

func isWorker(object *yaml.Node) bool {
	if nameOf(object) == kubeshark.WorkerName {
		return true
	}
	for _, labels := range []*yaml.Node{get(object, "metadata", "labels"), get(object, "spec", "template", "metadata", "labels")} {
		for _, key := range kubeshark.WorkerLabels() {
			if scalar(get(labels, key)) == "worker" {
				return true
			}
		}
	}
	return false
}

func nameOf(object *yaml.Node) string { return scalar(get(object, "metadata", "name")) }

// get follows keys through mappings; nil if one is missing.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		_, n = pair(n, key)
	}
	return n
}

// pair returns a mapping's key and its value, or nil.
func pair(n *yaml.Node, key string) (*yaml.Node, *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
