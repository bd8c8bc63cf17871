package inject

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workloadKinds are the kinds that Options.Workload names, by how it writes them; the
// short names are kubectl's.
var workloadKinds = map[string]string{
	"daemonset": "DaemonSet", "deployment": "Deployment", "statefulset": "StatefulSet",
	"daemonsets": "DaemonSet", "deployments": "Deployment", "statefulsets": "StatefulSet",
	"ds": "DaemonSet", "deploy": "Deployment", "sts": "StatefulSet",
}

// ringCapabilities are what opening a ring takes (NET_ADMIN: ring_create in
// PF_RING's kernel/pf_ring.c), and falling back to AF_PACKET (NET_RAW).
var ringCapabilities = []string{"NET_ADMIN", "NET_RAW"}

// addedEnv tells Remove what was added outside of the init container: the name of
// a container, and capabilities.
const addedEnv = "PFRING_INJECTED"

// ParseWorkload reads KIND/NAME.
func ParseWorkload(text string) (kind, name string, err error) {
	short, name, ok := strings.Cut(text, "/")
	kind = workloadKinds[strings.ToLower(short)]
	if !ok || kind == "" || name == "" {
		return "", "", fmt.Errorf("invalid workload %q: must be daemonset/NAME, deployment/NAME or statefulset/NAME", text)
	}
	return kind, name, nil
}

// RemoveWorkload returns the manifests without what Inject adds to a workload.
func RemoveWorkload(manifests []byte, o Options) (Result, error) {
	return eachWorkload(manifests, &o, func(*workload) error { return nil })
}

// eachWorkload edits the objects that o names. Their documents are written again,
// with comments and order kept, and what an earlier run added taken away first.
func eachWorkload(manifests []byte, o *Options, edit func(*workload) error) (Result, error) {
	kind, name, err := ParseWorkload(o.Workload)
	if err != nil {
		return Result{}, err
	}
	return eachDocument(manifests, func(r *Result, doc []byte) ([]byte, error) { return r.workloads(doc, kind, name, edit) })
}

// workloads edits those of one document.
func (r *Result) workloads(doc []byte, kind, name string, edit func(*workload) error) ([]byte, error) {
	root, err := parse(doc)
	if err != nil {
		return nil, err
	}
	found := findObjects(root, 0, func(object *yaml.Node) bool { return scalar(get(object, "kind")) == kind && nameOf(object) == name })
	if len(found) == 0 {
		return doc, nil
	}
	for _, object := range found {
		if err := writtenOut(object); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, name, err)
		}
		w := &workload{worker: worker{object: object, spec: get(object, "spec", "template", "spec")}}
		if containers := get(w.spec, "containers"); containers == nil || containers.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("%s %s: it has no containers", kind, name)
		}
		w.remove()
		if err := edit(w); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, name, err)
		}
		w.prune()
		r.Workers++
		for _, warning := range w.warnings {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s %s: %s", kind, name, warning))
		}
	}
	return written(doc, root)
}

// written is a document's tree as text, between the markers that doc has.
func written(doc []byte, root *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	if line, _, _ := bytes.Cut(doc, []byte("\n")); marker(line, "---") {
		// A comment on the marker's line is the tree's too.
		out.WriteString("---\n")
	}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("cannot write the YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("cannot write the YAML: %w", err)
	}
	text := bytes.TrimRight(doc, "\r\n")
	if marker(text[bytes.LastIndexByte(text, '\n')+1:], "...") {
		out.WriteString("...\n")
	}
	return out.Bytes(), nil
}

// errAnchors: an edit of what is written once and used twice would change both.
var errAnchors = errors.New("it is written with anchors, aliases or merge keys, which cannot be edited. Write them out first: yq 'explode(.)' FILE")

// writtenOut fails for an object in which one piece of YAML stands for another.
func writtenOut(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge" {
		return errAnchors
	}
	for _, c := range n.Content {
		if err := writtenOut(c); err != nil {
			return err
		}
	}
	return nil
}

// workload is an object that runs pods, as a tree.
type workload struct {
	worker
	// emptied are places of which remove took something. What is added next is put
	// there again, and only what is empty in the end goes.
	emptied []place
}

// place is a key of a mapping.
type place struct {
	parent *yaml.Node
	key    string
}

// add makes its pods wait, and its container able to read rings.
func (w *workload) add(o *Options) error {
	container, err := w.container(o.Container)
	if err != nil {
		return err
	}
	w.sniffer = container
	if o.WaitWith == WithWorker && scalar(get(container, "image")) == "" {
		return fmt.Errorf("the container %s has no image to wait with", scalar(get(container, "name")))
	}
	capabilities := w.addCapabilities(container)
	waiter, err := tree(w.waiter(o, o.WaitWith))
	if err != nil {
		return err
	}
	if len(capabilities) > 0 {
		item, err := tree(fmt.Sprintf("name: %s\nvalue: %q\n", addedEnv, scalar(get(container, "name"))+" "+strings.Join(capabilities, ",")))
		if err != nil {
			return err
		}
		push(child(waiter, "env", yaml.SequenceNode), item)
	}
	push(child(w.spec, "initContainers", yaml.SequenceNode), waiter)
	if o.watchesState() {
		volume, err := tree(stateVolume(o))
		if err != nil {
			return err
		}
		push(child(w.spec, "volumes", yaml.SequenceNode), volume)
	}
	if scalar(get(w.spec, "hostNetwork")) != "true" {
		w.warnings = append(w.warnings, "it has no hostNetwork: true, so it sees only its own pod's traffic")
	}
	return nil
}

// container is the one that captures.
func (w *workload) container(name string) (*yaml.Node, error) {
	list := get(w.spec, "containers").Content
	var names []string
	for _, c := range list {
		n := scalar(get(c, "name"))
		if n == name {
			return c, nil
		}
		names = append(names, n)
	}
	switch {
	case name != "":
		return nil, fmt.Errorf("container %q not found, only %s", name, strings.Join(names, ", "))
	case len(list) == 1:
		return list[0], nil
	}
	return nil, fmt.Errorf("--container is required to say which one captures: %s", strings.Join(names, ", "))
}

// addCapabilities returns what it has added.
func (w *workload) addCapabilities(container *yaml.Node) []string {
	if scalar(get(container, "securityContext", "privileged")) == "true" || addsCapability(container, "ALL") {
		return nil
	}
	var added []string
	for _, name := range ringCapabilities {
		if !addsCapability(container, name) {
			added = append(added, name)
		}
	}
	if len(added) > 0 {
		list := child(child(child(container, "securityContext", yaml.MappingNode), "capabilities", yaml.MappingNode), "add", yaml.SequenceNode)
		for _, name := range added {
			push(list, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name})
		}
	}
	for _, place := range []*yaml.Node{container, w.spec} {
		if user := scalar(get(place, "securityContext", "runAsUser")); user != "" && user != "0" || scalar(get(place, "securityContext", "runAsNonRoot")) == "true" {
			w.warnings = append(w.warnings, "it does not run as root, so its capabilities take effect only if its program file has them too")
			break
		}
	}
	return added
}

// remove takes away what add has added.
func (w *workload) remove() {
	for _, item := range []struct{ key, name string }{{"initContainers", containerName}, {"volumes", volumeName}} {
		list := get(w.spec, item.key)
		if list == nil {
			continue
		}
		before := len(list.Content)
		list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool {
			ours := scalar(get(n, "name")) == item.name
			if ours {
				w.removeCapabilities(n)
			}
			return ours
		})
		if len(list.Content) < before {
			w.emptied = append(w.emptied, place{w.spec, item.key})
		}
	}
}

// removeCapabilities reads from the init container what was added elsewhere.
func (w *workload) removeCapabilities(waiter *yaml.Node) {
	env := get(waiter, "env")
	if env == nil {
		return
	}
	for _, e := range env.Content {
		name, added, ok := strings.Cut(scalar(get(e, "value")), " ")
		if scalar(get(e, "name")) != addedEnv || !ok {
			continue
		}
		container, err := w.container(name)
		if err != nil {
			continue // it was renamed since
		}
		if list := get(container, "securityContext", "capabilities", "add"); list != nil {
			list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool { return slices.Contains(strings.Split(added, ","), n.Value) })
			w.emptied = append(w.emptied, place{get(container, "securityContext", "capabilities"), "add"},
				place{get(container, "securityContext"), "capabilities"}, place{container, "securityContext"})
		}
	}
}

// tree reads a block of YAML.
func tree(text string) (*yaml.Node, error) {
	node, err := parse([]byte(text))
	if err == nil && node == nil {
		err = errors.New("nothing to add")
	}
	return node, err
}

// child is a key's value, made if it is not there.
func child(parent *yaml.Node, key string, kind yaml.Kind) *yaml.Node {
	k, value := pair(parent, key)
	switch {
	case k == nil:
		value = &yaml.Node{Kind: kind}
		parent.Content = append(parent.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	case value.Kind != kind:
		*value = yaml.Node{Kind: kind} // null, or what the API server would refuse
	}
	value.Style &^= yaml.FlowStyle
	return value
}

func push(list, item *yaml.Node) { list.Content = append(list.Content, item) }

// prune takes out what remove has left empty.
func (w *workload) prune() {
	for _, p := range w.emptied {
		for i := 0; i+1 < len(p.parent.Content); i += 2 {
			if p.parent.Content[i].Value == p.key && len(p.parent.Content[i+1].Content) == 0 {
				p.parent.Content = slices.Delete(p.parent.Content, i, i+2)
				break
			}
		}
	}
}
