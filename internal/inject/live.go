package inject

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Patch is what Inject would add to an object of a cluster, for server-side apply
// beside whoever else owns the object.
type Patch struct {
	// Object holds the added fields alone; nil if nothing to add.
	Object map[string]any
	// Warnings tell what was left undone, and why.
	Warnings []string
}

// PatchFor says what o adds to a live object, given as JSON. Arguments and
// capabilities are lists that have one owner, so those are left to who made the
// object; a warning says which it lacks.
func PatchFor(object []byte, o Options) (Patch, error) {
	r, err := Inject(object, o)
	if err != nil {
		return Patch{}, err
	}
	p := Patch{Warnings: r.Warnings}
	if r.Workers == 0 {
		return p, nil
	}
	var after map[string]any
	if err := json.Unmarshal(r.Text, &after); err != nil {
		return Patch{}, fmt.Errorf("cannot read what was added: %w", err)
	}
	root, err := parse(object)
	if err != nil {
		return Patch{}, err
	}
	spec := map[string]any{}
	for key, name := range map[string]string{"initContainers": containerName, "volumes": volumeName} {
		if item := named(after, key, name); item != nil {
			spec[key] = []any{item}
		}
	}
	if len(spec) == 0 {
		return p, nil
	}
	p.Warnings = append(p.Warnings, leftToTheOwner(root, after)...)
	p.Object = map[string]any{
		"apiVersion": after["apiVersion"], "kind": after["kind"],
		"metadata": map[string]any{"name": nameOf(root), "namespace": scalar(get(root, "metadata", "namespace"))},
		"spec":     map[string]any{"template": map[string]any{"spec": spec}},
	}
	return p, nil
}

// named is an item of a list in a pod's spec.
func named(object map[string]any, key, name string) map[string]any {
	for _, item := range podList(object, key) {
		if m, ok := item.(map[string]any); ok && m["name"] == name {
			return m
		}
	}
	return nil
}

func podList(object map[string]any, key string) []any {
	for _, step := range []string{"spec", "template", "spec"} {
		object, _ = object[step].(map[string]any)
	}
	list, _ := object[key].([]any)
	return list
}

// leftToTheOwner compares the containers, which a patch does not touch.
func leftToTheOwner(before *yaml.Node, after map[string]any) []string {
	var warnings []string
	containers := get(before, "spec", "template", "spec", "containers")
	for i, item := range podList(after, "containers") {
		m, ok := item.(map[string]any)
		if !ok || containers == nil || i >= len(containers.Content) {
			continue
		}
		was := containers.Content[i]
		if command, _ := m["command"].([]any); len(command) > 1 && command[1] == workerFlag && !hasArgument(was, workerFlag) {
			warnings = append(warnings, fmt.Sprintf("%s: its argument %s is managed by somebody else; this worker uses PF_RING only with it", nameOf(before), workerFlag))
		}
		context, _ := m["securityContext"].(map[string]any)
		capabilities, _ := context["capabilities"].(map[string]any)
		list, _ := capabilities["add"].([]any)
		for _, c := range list {
			if name, _ := c.(string); !addsCapability(was, name) {
				warnings = append(warnings, fmt.Sprintf("%s: add the capability %s to container %v in the workload's manifest; opening rings requires it", nameOf(before), name, m["name"]))
			}
		}
	}
	return warnings
}
