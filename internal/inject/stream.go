package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Result is an edited stream.
type Result struct {
	Text []byte
	// Workers counts the worker DaemonSets, or workloads, that were found.
	Workers int
	// Warnings tell what was left undone, and why.
	Warnings []string
}

// Inject returns the manifests with what o says added to the worker DaemonSets.
// What an earlier run added is replaced.
func Inject(manifests []byte, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	if o.Workload != "" {
		return eachWorkload(manifests, &o, func(w *workload) error { return w.add(&o) })
	}
	return each(manifests, func(w *worker) error {
		if err := w.remove(); err != nil {
			return err
		}
		return w.add(&o)
	})
}

// Remove returns the manifests without what Inject adds.
func Remove(manifests []byte) (Result, error) {
	return each(manifests, (*worker).remove)
}

// each edits the worker DaemonSets of every document.
func each(manifests []byte, edit func(*worker) error) (Result, error) {
	return eachDocument(manifests, func(r *Result, doc []byte) ([]byte, error) { return r.document(doc, edit) })
}

// eachDocument edits every document in YAML, whichever way it is written.
func eachDocument(manifests []byte, edit func(r *Result, doc []byte) ([]byte, error)) (Result, error) {
	var r Result
	var out bytes.Buffer
	out.Grow(len(manifests) + 2048)
	change := func(doc []byte) ([]byte, error) { return edit(&r, doc) }
	for i, doc := range split(manifests) {
		var text []byte
		var err error
		if isJSON(doc) {
			text, err = throughYAML(doc, change)
		} else {
			text, err = change(doc)
		}
		if err != nil {
			return Result{}, fmt.Errorf("document %d: %w", i+1, err)
		}
		out.Write(text)
	}
	r.Text = out.Bytes()
	return r, nil
}

// document edits one document in YAML. Workers are looked up again after each edit, as
// it moves the places of the others.
func (r *Result) document(doc []byte, edit func(*worker) error) ([]byte, error) {
	for n := 0; ; n++ {
		root, err := parse(doc)
		if err != nil {
			return nil, err
		}
		found := findWorkers(root, 0)
		if n >= len(found) {
			return doc, nil
		}
		if loneReturn(doc) {
			return nil, fmt.Errorf("DaemonSet %s: %w", nameOf(found[n]), errLoneReturn)
		}
		w := &worker{text: doc, index: n}
		if err := w.locate(found[n]); err != nil {
			return nil, fmt.Errorf("DaemonSet %s: %w", nameOf(found[n]), err)
		}
		if err := edit(w); err != nil {
			return nil, fmt.Errorf("DaemonSet %s: %w", nameOf(found[n]), err)
		}
		doc = w.text
		r.Workers++
		r.Warnings = append(r.Warnings, w.warnings...)
	}
}

// errLoneReturn: YAML takes a carriage return for the end of a line, while lines
// are counted here by their line feeds.
var errLoneReturn = errors.New("a line ends with a lone carriage return: use LF or CRLF")

func loneReturn(text []byte) bool {
	for i, c := range text {
		if c == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			return true
		}
	}
	return false
}

// split cuts a stream before each document marker, which a line of YAML can
// begin with nowhere else. The parts together are the stream.
func split(stream []byte) [][]byte {
	var parts [][]byte
	start, after := 0, false
	// Comments and directives before a marker belong to the document after it.
	empty := true
	for at := 0; at < len(stream); {
		end := at + 1 + bytes.IndexByte(stream[at:], '\n')
		if end == at {
			end = len(stream)
		}
		line := stream[at:end]
		if (marker(line, "---") && !empty || after) && at > start {
			parts = append(parts, stream[start:at])
			start, empty = at, true
		}
		empty = empty && (blank(line) || line[0] == '#' || line[0] == '%')
		// What follows the end of a document is another, with or without a marker.
		after = marker(line, "...")
		at = end
	}
	return append(parts, stream[start:])
}

func marker(line []byte, mark string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(mark))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

var errNotYAML = errors.New("this is not YAML")

// parse reads one document; nil for an empty one.
func parse(doc []byte) (node *yaml.Node, err error) {
	// The parser is written to panic inside; none may get out.
	defer func() {
		if p := recover(); p != nil {
			node, err = nil, fmt.Errorf("%w: %v", errNotYAML, p)
		}
	}()
	var root, next yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(doc))
	if err := d.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotYAML, err)
	}
	// As in JSON documents one after the other: a worker in the second would be missed.
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: unexpected content after the document. Separate documents with a line ---", errNotYAML)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, nil
	}
	return root.Content[0], nil
}
