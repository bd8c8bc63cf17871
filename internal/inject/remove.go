package inject

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// remove takes away what add has added, also where another program has written
// the YAML again since.
func (w *worker) remove() error {
	for _, part := range []struct{ key, name string }{{"initContainers", containerName}, {"volumes", volumeName}} {
		if err := w.removeItem(part.key, part.name); err != nil {
			return err
		}
	}
	return w.removeFlag()
}

// removeItem removes an item by its name, and the list with its last item.
func (w *worker) removeItem(key, name string) error {
	for {
		k, list := pair(w.spec, key)
		if list == nil || list.Kind != yaml.SequenceNode {
			return nil
		}
		at := slices.IndexFunc(list.Content, func(n *yaml.Node) bool { return scalar(get(n, "name")) == name })
		if at < 0 {
			return nil
		}
		if err := w.cut(k, list, at); err != nil {
			return err
		}
	}
}

func (w *worker) cut(key, list *yaml.Node, at int) error {
	b, err := w.blockOf(list)
	if err != nil {
		return err
	}
	from := b.items[at].Line - 1
	to := end(w.lines(), from, b.column)
	if at+1 < len(b.items) {
		to = min(to, b.items[at+1].Line-1)
	}
	only := len(b.items) == 1
	if only {
		if _, err := w.keyColumn(key); err != nil {
			return err
		}
		from = key.Line - 1
	}
	return w.splice(from, to, "", func(spec map[string]any) {
		items, _ := spec[key.Value].([]any)
		if only {
			delete(spec, key.Value)
			return
		}
		spec[key.Value] = slices.Delete(slices.Clone(items), at, at+1)
	})
}

func (w *worker) removeFlag() error {
	command := get(w.sniffer, "command")
	if command == nil || command.Kind != yaml.SequenceNode || len(command.Content) < 2 || command.Content[1].Value != workerFlag {
		return nil
	}
	b, err := w.blockOf(command)
	if err != nil {
		return err
	}
	name := scalar(get(w.sniffer, "name"))
	from := b.items[1].Line - 1
	return w.splice(from, end(w.lines(), from, b.column), "", func(spec map[string]any) {
		editCommand(spec, name, func(list []any) []any { return slices.Delete(list, 1, 2) })
	})
}
