package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// ReadNodes reads nodes from a saved `kubectl get nodes -o json` or `-o yaml`
// (a list, or one Node), or from a plain list of kernel releases, one a line,
// each optionally followed by an architecture (default amd64). In a plain list
// "#" begins a comment.
func ReadNodes(text []byte) ([]Node, error) {
	return ReadNodesFor(text, Targets{})
}

// ReadNodesFor is ReadNodes, with those marked as excluded that targets leave
// out. A plain list has no labels to go by, so none of it is excluded.
func ReadNodesFor(text []byte, targets Targets) ([]Node, error) {
	unmarshal := func(data []byte, into any) error { return yaml.Unmarshal(data, into) }
	isJSON := bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
	if isJSON {
		// Thousands of nodes take seconds to read as YAML.
		unmarshal = json.Unmarshal
	}
	var head struct {
		Kind string `json:"kind"`
	}
	switch err := unmarshal(text, &head); {
	case isJSON && err != nil:
		return nil, fmt.Errorf("cannot read JSON: %w", err)
	case err != nil || head.Kind == "":
		return readReleases(text)
	}
	switch head.Kind {
	case "List", "NodeList":
		var list corev1.NodeList
		if err := unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("cannot read a list of nodes: %w", err)
		}
		nodes := make([]Node, 0, len(list.Items))
		for i := range list.Items {
			if kind := list.Items[i].Kind; kind != "" && kind != "Node" {
				return nil, fmt.Errorf("item %d of the list is a %s, not a Node", i, kind)
			}
			nodes = append(nodes, fromFile(&list.Items[i], targets))
		}
		return nodes, nil
	case "Node":
		var one corev1.Node
		if err := unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("cannot read a node: %w", err)
		}
		return []Node{fromFile(&one, targets)}, nil
	}
	return nil, fmt.Errorf("the document is a %s: must be a saved `kubectl get nodes -o json|yaml` or a list of kernel releases", head.Kind)
}

func fromFile(object *corev1.Node, targets Targets) Node {
	node := FromObject(object)
	node.LeftOut = shared(targets.LeavesOut(object))
	node.Excluded = node.LeftOut != ""
	return node
}

func readReleases(text []byte) ([]Node, error) {
	var nodes []Node
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		node, err := nodeOfRelease(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		nodes = append(nodes, node)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read a list of kernel releases: %w", err)
	}
	if len(nodes) == 0 {
		return nil, errors.New("no nodes or kernel releases found in it")
	}
	return nodes, nil
}

func nodeOfRelease(fields []string) (Node, error) {
	release, arch := fields[0], "amd64"
	if len(fields) > 1 {
		parsed, err := module.ParseArch(fields[1])
		if err != nil {
			return Node{}, err
		}
		arch = parsed
	}
	if len(fields) > 2 || release[0] < '0' || release[0] > '9' || strings.ContainsAny(release, "/\\:{}[],\"'") {
		return Node{}, fmt.Errorf("%q is not a kernel release with an optional architecture, such as \"5.15.0-1050-aws arm64\"", strings.Join(fields, " "))
	}
	return Node{Name: release, Kernel: release, Arch: arch, OS: "linux", Ready: true}, nil
}
