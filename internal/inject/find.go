package inject

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workerName is what Kubeshark's chart calls its DaemonSet.
const workerName = "kubeshark-worker-daemon-set"

// workerLabels mark the workers; the prefix changed with 52.10 and 52.12.
var workerLabels = [...]string{"app.kubeshark.co/app", "app.kubehq.com/app", "app.kubeshark.com/app"}

// findWorkers returns the worker DaemonSets under an object: itself, or the
// items of a list. A KRM ResourceList is one as well.
func findWorkers(object *yaml.Node, depth int) []*yaml.Node {
	if object == nil || object.Kind != yaml.MappingNode || depth > 3 {
		return nil
	}
	kind := scalar(get(object, "kind"))
	if kind == "DaemonSet" && isWorker(object) {
		return []*yaml.Node{object}
	}
	items := get(object, "items")
	if !strings.HasSuffix(kind, "List") || items == nil || items.Kind != yaml.SequenceNode {
		return nil
	}
	var found []*yaml.Node
	for _, item := range items.Content {
		found = append(found, findWorkers(item, depth+1)...)
	}
	return found
}

func isWorker(object *yaml.Node) bool {
	if nameOf(object) == workerName {
		return true
	}
	for _, labels := range []*yaml.Node{get(object, "metadata", "labels"), get(object, "spec", "template", "metadata", "labels")} {
		for _, key := range workerLabels {
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

// version is that of a worker; zero if it cannot be told.
type version [3]int

var versionText = regexp.MustCompile(`^(?:kubeshark-)?v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-debug)?$`)

// versionOf reads the worker's version: from its image's tag, else from the
// labels that Kubeshark's chart gives it.
func versionOf(daemonSet, sniffer *yaml.Node) version {
	image, _, _ := strings.Cut(scalar(get(sniffer, "image")), "@")
	tag := image[strings.LastIndexByte(image, ':')+1:]
	for _, text := range []string{
		tag, scalar(get(daemonSet, "metadata", "labels", "app.kubernetes.io/version")), scalar(get(daemonSet, "metadata", "labels", "helm.sh/chart")),
	} {
		if found := versionText.FindStringSubmatch(text); found != nil {
			var v version
			for i := range v {
				v[i], _ = strconv.Atoi(found[i+1]) // digits, at most four
			}
			return v
		}
	}
	return version{}
}

func (v version) atLeast(w version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] > w[i]
		}
	}
	return true
}

// takesFlag is true for the workers that know -kernel-module: Kubeshark's
// charts passed it from 52.1.0 to 52.3.88.
func (v version) takesFlag() bool {
	return v.atLeast(version{52, 1, 0}) && !v.atLeast(version{52, 3, 89})
}

// hasShell is true for the workers whose image is known to have /bin/sh. From
// 52.3.93 on Kubeshark's own chart starts init containers with it; since
// 52.3.83 its command line runs ls and cat in the worker.
func hasShell(v version, daemonSet *yaml.Node) bool {
	if v != (version{}) {
		return v.atLeast(version{52, 3, 83})
	}
	// The later labels came with 52.10.
	for _, labels := range []*yaml.Node{get(daemonSet, "metadata", "labels"), get(daemonSet, "spec", "template", "metadata", "labels")} {
		for _, key := range workerLabels[1:] {
			if scalar(get(labels, key)) == "worker" {
				return true
			}
		}
	}
	return false
}
