package inject

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// Names of what is added; they are how Remove finds it.
const (
	containerName = kubeshark.WaitContainer
	volumeName    = "pfring-state"
	workerFlag    = "-kernel-module"
)

// worker is a worker DaemonSet in a document's text.
type worker struct {
	text  []byte
	index int

	object, spec, sniffer *yaml.Node
	warnings              []string
}

// locate finds the parts that are edited.
func (w *worker) locate(object *yaml.Node) error {
	if otherBreaks(w.text) {
		return fmt.Errorf("%w: a line does not end with a line feed", errUnlike)
	}
	w.object, w.spec = object, get(object, "spec", "template", "spec")
	containers := get(w.spec, "containers")
	if containers == nil || containers.Kind != yaml.SequenceNode || len(containers.Content) == 0 {
		return errors.New("it has no containers")
	}
	w.sniffer = containers.Content[0]
	for _, c := range containers.Content {
		if scalar(get(c, "name")) == "sniffer" {
			w.sniffer = c
		}
	}
	return nil
}

// otherBreaks is true if YAML sees the end of a line where lines sees none: at a
// carriage return alone, or at one of Unicode's own breaks.
func otherBreaks(text []byte) bool {
	for _, mark := range []string{"\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(text, []byte(mark)) {
			return true
		}
	}
	return bytes.Count(text, []byte("\r")) != bytes.Count(text, []byte("\r\n"))
}

// lines are the document's lines, each with its end.
func (w *worker) lines() [][]byte { return bytes.SplitAfter(w.text, []byte("\n")) }

// splice replaces lines [from, to) by others, parses the result and finds the
// worker in it again. want, if not nil, is what the pod's spec must then be.
func (w *worker) splice(from, to int, insert string, want func(spec map[string]any)) error {
	before, err := w.decoded()
	if err != nil {
		return err
	}
	want(before)
	all := w.lines()
	var out bytes.Buffer
	for _, line := range all[:from] {
		out.Write(line)
	}
	if from > 0 && insert != "" && !bytes.HasSuffix(all[from-1], []byte("\n")) {
		// The last line has no end of its own and keeps none.
		insert = "\n" + strings.TrimSuffix(insert, "\n")
	}
	out.WriteString(strings.ReplaceAll(insert, "\n", w.eol()))
	for _, line := range all[to:] {
		out.Write(line)
	}
	text := out.Bytes()
	if from > 0 && insert == "" && to == len(all) && !bytes.HasSuffix(all[to-1], []byte("\n")) {
		text = bytes.TrimSuffix(text, []byte(w.eol()))
	}
	return w.take(text, before)
}

// eol is how the document ends its lines.
func (w *worker) eol() string {
	if first, _, ok := bytes.Cut(w.text, []byte("\n")); ok && bytes.HasSuffix(first, []byte("\r")) {
		return "\r\n"
	}
	return "\n"
}

// errUnlike means that an edit did not do what it was to: the text is of a shape
// that is not understood, so nothing is written at all.
var errUnlike = errors.New("its YAML is written in a way that cannot be edited in place")

// take accepts an edited text if the pod's spec in it is as wanted.
func (w *worker) take(text []byte, want map[string]any) error {
	root, err := parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnlike, err)
	}
	found := findWorkers(root, 0)
	if w.index >= len(found) {
		return errUnlike
	}
	old := w.text
	w.text = text
	if err := w.locate(found[w.index]); err != nil {
		return fmt.Errorf("%w: %w", errUnlike, err)
	}
	got, err := w.decoded()
	if err != nil || !reflect.DeepEqual(got, want) {
		w.text = old
		return errUnlike
	}
	return nil
}

// decoded is the pod's spec as values.
func (w *worker) decoded() (spec map[string]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errNotYAML, p)
		}
	}()
	if err := w.spec.Decode(&spec); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotYAML, err)
	}
	return spec, nil
}

// block is a block sequence in the text.
type block struct {
	items  []*yaml.Node
	column int
}

// blockOf returns a sequence whose items each begin with a dash on a line of
// their own.
func (w *worker) blockOf(n *yaml.Node) (block, error) {
	b := block{}
	if n == nil || n.Kind != yaml.SequenceNode || n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 || n.Anchor != "" {
		return b, fmt.Errorf("%w: a list of it is empty, in brackets or an alias", errUnlike)
	}
	lines := w.lines()
	b.items = n.Content
	for i, item := range n.Content {
		column, ok := dash(lines, item)
		if !ok || i > 0 && column != b.column {
			return b, errUnlike
		}
		b.column = column
	}
	return b, nil
}

// dash returns how far an item's dash is indented, if only the dash is before it.
func dash(lines [][]byte, item *yaml.Node) (int, bool) {
	if item.Line < 1 || item.Line > len(lines) {
		return 0, false
	}
	line := lines[item.Line-1]
	indent := indentation(line)
	if indent >= len(line) || line[indent] != '-' || item.Column-1 <= indent || item.Column-1 > len(line) {
		return 0, false
	}
	between := line[indent+1 : item.Column-1]
	return indent, len(between) > 0 && len(bytes.Trim(between, " ")) == 0
}

func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

func isComment(line []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("#")) }

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// end is the line after the last one of an item that begins at line from (both
// counted from 0) and whose dash is indented by column.
func end(lines [][]byte, from, column int) int {
	to := from + 1
	for i := from + 1; i < len(lines); i++ {
		switch {
		case blank(lines[i]), indentation(lines[i]) <= column && isComment(lines[i]):
			// What follows tells whether it is within the item.
			continue
		case indentation(lines[i]) <= column:
			return to
		}
		to = i + 1
	}
	return to
}
