package inject

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// add adds what o says to a worker that has none of it.
func (w *worker) add(o *Options) error {
	if how := ownLoader(w.spec); how != "" {
		return fmt.Errorf("%s: only one loader may run on a node. Render Kubeshark's chart with --set tap.kernelModule.enabled=false (to 52.0: tap.noKernelModule=true), "+
			"and keep the values of kubeshark-pfring in a separate file", how)
	}
	if backend := packetCapture(w.sniffer); kubeshark.OtherBackend(backend) {
		w.warnings = append(w.warnings, fmt.Sprintf(
			"DaemonSet %s: it captures with tap.packetCapture %s, which does not use PF_RING, so no wait was added; best and pf_ring can use it",
			nameOf(w.object), backend))
		return nil
	}
	v := versionOf(w.object, w.sniffer)
	if o.WorkerFlag == "always" || o.WorkerFlag == "auto" && v.TakesFlag() {
		if err := w.addFlag(); err != nil {
			return err
		}
	}
	with := o.WaitWith
	if with == withAuto {
		if !hasShell(v, w.object) {
			w.warnings = append(w.warnings, fmt.Sprintf(
				"DaemonSet %s: the worker's image is not known to have a shell (%s), so no wait was added; "+
					"--wait-with worker adds one if you know it has, --image waits with the agent's image", nameOf(w.object), v))
			return nil
		}
		with = WithWorker
	}
	if with == WithWorker && scalar(get(w.sniffer, "image")) == "" {
		return fmt.Errorf("the container %s has no image to wait with", scalar(get(w.sniffer, "name")))
	}
	container := w.waiter(o, with)
	if err := w.addItem("initContainers", container, true); err != nil {
		return err
	}
	if !o.watchesState() {
		return nil
	}
	return w.addItem("volumes", stateVolume(o), false)
}

// addItem adds an item to a list of the pod's spec: as its last or its first,
// or as the only one of a new list before the containers.
func (w *worker) addItem(key, item string, last bool) error {
	value := map[string]any{}
	if err := yaml.Unmarshal([]byte(item), &value); err != nil {
		return fmt.Errorf("cannot read what is to be added: %w", err)
	}
	want := func(spec map[string]any) {
		list, _ := spec[key].([]any)
		if last {
			spec[key] = append(slices.Clone(list), any(value))
		} else {
			spec[key] = append([]any{any(value)}, list...)
		}
	}
	if k, _ := pair(w.spec, key); k == nil {
		before, _ := pair(w.spec, "containers")
		column, err := w.keyColumn(before)
		if err != nil {
			return err
		}
		at, pad := before.Line-1, strings.Repeat(" ", column)
		// Comments right above the containers stay with them.
		parent, _ := pair(get(w.object, "spec", "template"), "spec")
		for above := w.lines(); at > parent.Line && bytes.HasPrefix(above[at-1], []byte(pad+"#")); {
			at--
		}
		return w.splice(at, at, pad+key+":\n"+asItem(item, column), want)
	}
	b, err := w.blockOf(get(w.spec, key))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	at := b.items[0].Line - 1
	if last {
		at = w.after(b)
	}
	return w.splice(at, at, asItem(item, b.column), want)
}

// after is the line after a list's last item. Blank lines after it stay there,
// unless they may belong to a text of it.
func (w *worker) after(b block) int {
	lines := w.lines()
	item := b.items[len(b.items)-1]
	at := end(lines, item.Line-1, b.column)
	for n := item; ; n = n.Content[len(n.Content)-1] {
		if len(n.Content) > 0 {
			continue
		}
		for n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && at < len(lines) && len(lines[at]) > 0 && blank(lines[at]) {
			at++
		}
		return at
	}
}

// keyColumn is how far a key is indented that begins its line.
func (w *worker) keyColumn(key *yaml.Node) (int, error) {
	lines := w.lines()
	if key == nil || key.Line < 1 || key.Line > len(lines) || w.spec.Style&yaml.FlowStyle != 0 || indentation(lines[key.Line-1]) != key.Column-1 {
		return 0, errUnlike
	}
	return key.Column - 1, nil
}

// asItem indents a block of YAML as an item of a list.
func asItem(text string, column int) string {
	pad := strings.Repeat(" ", column)
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		mark := "  "
		if i == 0 {
			mark = "- "
		}
		b.WriteString(pad + mark + line + "\n")
	}
	return b.String()
}

// addFlag adds the worker's flag right after its program, where Kubeshark's own
// chart never puts it. So Remove takes away only what was added.
func (w *worker) addFlag() error {
	command := get(w.sniffer, "command")
	if command == nil || command.Kind != yaml.SequenceNode || len(command.Content) == 0 {
		return fmt.Errorf("the container %s has no command to add %s to", scalar(get(w.sniffer, "name")), workerFlag)
	}
	for _, c := range command.Content {
		if c.Value == workerFlag || strings.HasPrefix(c.Value, workerFlag+"=") {
			return nil
		}
	}
	b, err := w.blockOf(command)
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	at := w.after(block{items: b.items[:1], column: b.column})
	if len(b.items) > 1 {
		at = b.items[1].Line - 1
	}
	name := scalar(get(w.sniffer, "name"))
	return w.splice(at, at, asItem(workerFlag, b.column), func(spec map[string]any) {
		editCommand(spec, name, func(list []any) []any { return slices.Insert(list, 1, any(workerFlag)) })
	})
}

// editCommand changes the command of a container in a decoded pod's spec.
func editCommand(spec map[string]any, name string, edit func([]any) []any) {
	containers, _ := spec["containers"].([]any)
	for i, c := range containers {
		one, _ := c.(map[string]any)
		list, ok := one["command"].([]any)
		if have, _ := one["name"].(string); ok && (have == name || name == "" && i == 0) {
			one["command"] = edit(slices.Clone(list))
			return
		}
	}
}
