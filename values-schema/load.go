package valuesschema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/strvals"
)

// MaxFileSize is the most bytes that a values file may have. Helm keeps the
// values in a Secret of at most 1 MiB, so anything near this is a mistake.
const MaxFileSize = 4 << 20

// LoadOptions name the user's values by Helm's flags. Each list is in the order
// of the command line.
type LoadOptions struct {
	// Base is a values file below all others, such as the values of the release
	// that is installed; nil for none.
	Base []byte
	// Files are merged in order; "-" is Stdin.
	Files                            []string
	Set, SetString, SetFile, SetJSON []string
	// SetOwn is as SetString, for keys of this chart: also where its values are below
	// the key of a subchart. It comes last.
	SetOwn []string
	Stdin  io.Reader
	// Open opens a file of Files and SetFile; nil is os.Open.
	Open func(name string) (io.ReadCloser, error)
	// Defaults is the chart's values.yaml.
	Defaults []byte
	// DefaultsOf is an earlier Document with the same defaults, which then are
	// not parsed again; Defaults is not looked at.
	DefaultsOf *Document
	// Subchart is the key below which the values are those of this chart, which is
	// how a chart that has it as a dependency gives them. "" looks for it: when the
	// values set nothing that this chart reads and exactly one key holds a block
	// tap.kernelModule, it is that key.
	Subchart string
	// ReleaseName and Namespace are those of the release to be; "" is
	// kubeshark-pfring and kubeshark.
	ReleaseName, Namespace string
}

// Document is a user's values, merged as Helm merges them.
type Document struct {
	opts     LoadOptions
	layers   []layer
	user     map[string]any
	defaults map[string]any
	merged   map[string]any
	problems []Problem
	// indexes are the keys of large maps in the files, made when first needed.
	indexes map[*yaml3.Node]map[string]int
	// above leads from the root of the files to this chart's values.
	above Path
}

// Values returns what the user gave, files and flags merged, without the
// chart's defaults: what Helm takes as values. It is of use only when Validate
// finds no error.
func (d *Document) Values() map[string]any { return d.user }

// Merged returns the values over the chart's defaults, which is what the
// chart's templates see.
func (d *Document) Merged() map[string]any { return d.merged }

// Load reads and merges values: the files, then --set-json, --set, --set-string
// and --set-file, which is Helm's order. An error means that something could
// not be read; what could be read and is wrong is reported by Validate.
func Load(o LoadOptions) (*Document, error) {
	if o.ReleaseName == "" {
		o.ReleaseName = "kubeshark-pfring"
	}
	if o.Namespace == "" {
		o.Namespace = "kubeshark"
	}
	d := &Document{opts: o, user: map[string]any{}}
	if o.Base != nil {
		d.addLayer("the installed release", o.Base)
	}
	for _, name := range o.Files {
		if err := d.addFile(name); err != nil {
			return nil, err
		}
	}
	if err := d.addSets(); err != nil {
		return nil, err
	}
	d.addOwn()
	if err := d.addDefaults(); err != nil {
		return nil, err
	}
	d.intoSubchart()
	d.merged = coalesce(d.user, d.defaults)
	return d, nil
}

// Subchart is the key that the values were found below, "" for none.
func (d *Document) Subchart() string {
	if len(d.above) == 0 {
		return ""
	}
	return fmt.Sprint(d.above[0])
}

// subchart is the key below which this chart's values are, "" for none.
func (d *Document) subchart() string {
	if d.opts.Subchart != "" {
		return d.opts.Subchart
	}
	return foundSubchart(d.user)
}

// addOwn sets keys of this chart. Where the values have something else than a map in
// the way, that is a problem that Validate finds.
func (d *Document) addOwn() {
	key := d.subchart()
	into, is := d.user, true
	if key != "" {
		into, is = d.user[key].(map[string]any)
	}
	for _, arg := range d.opts.SetOwn {
		alone := map[string]any{}
		if !is || strvals.ParseIntoString(arg, into) != nil || strvals.ParseIntoString(arg, alone) != nil {
			continue
		}
		if key != "" {
			alone = map[string]any{key: alone}
		}
		d.layers = append(d.layers, layer{arg: hideUserinfo("--set-string " + arg), set: alone})
	}
}

// intoSubchart goes down to this chart's values in those of a parent chart. As
// Helm does, it hands global values on.
func (d *Document) intoSubchart() {
	key := d.subchart()
	if key == "" {
		return
	}
	d.above = Path{key}
	below, _ := d.user[key].(map[string]any)
	if _, given := d.user[key]; !given {
		p := fatal("", 0, 0, "subchart-missing", "key not found in the values: "+key)
		p.Suggestion = "--subchart is the name or alias of the dependency in the parent's Chart.yaml"
		d.problems = append(d.problems, p)
	}
	user := mergeFiles(map[string]any{}, below)
	if global, ok := d.user["global"].(map[string]any); ok {
		own, _ := user["global"].(map[string]any)
		user["global"] = mergeFiles(own, global)
	}
	d.user = user
}

// foundSubchart is the one key that holds tap.kernelModule, where the values are
// not this chart's themselves.
func foundSubchart(values map[string]any) string {
	if block, _ := lookup(values, module); block != nil {
		return ""
	}
	found := ""
	for key, v := range values {
		m, _ := v.(map[string]any)
		block, _ := lookup(m, module)
		if _, isBlock := block.(map[string]any); !isBlock {
			continue
		}
		if found != "" {
			return ""
		}
		found = key
	}
	return found
}

func (d *Document) addDefaults() error {
	if earlier := d.opts.DefaultsOf; earlier != nil {
		d.defaults = earlier.defaults
		d.opts.DefaultsOf = nil // or a chain of documents would never be freed
		return nil
	}
	defaults, _, problems := parseYAML("the chart's values.yaml", d.opts.Defaults)
	if len(problems) > 0 {
		return fmt.Errorf("cannot read %s: %s", problems[0].File, problems[0].Message)
	}
	d.defaults = defaults
	return nil
}

func (d *Document) addFile(name string) error {
	data, err := d.opts.read(name)
	if name == "-" {
		name = "stdin"
	}
	if errors.Is(err, errTooLarge) {
		d.problems = append(d.problems, fatal(name, 0, 0, "yaml-too-large",
			fmt.Sprintf("the file is larger than %d MiB and is not read", MaxFileSize>>20)))
		return nil
	}
	if err != nil {
		return err
	}
	d.addLayer(name, data)
	return nil
}

func (d *Document) addLayer(name string, data []byte) {
	values, root, problems := parseYAML(name, data)
	d.problems = append(d.problems, problems...)
	d.layers = append(d.layers, layer{file: name, root: root})
	d.user = mergeFiles(d.user, values)
}

// notFound is a file that is not there.
type notFound string

func (name notFound) Error() string { return "file " + string(name) + " not found" }

// Unwrap is what the library says of such a file.
func (notFound) Unwrap() error { return fs.ErrNotExist }

// plain is the cause of an error of a file, without the call that failed.
func plain(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

var errTooLarge = errors.New("too large")

func (o *LoadOptions) read(name string) (data []byte, err error) {
	in, open := o.Stdin, o.Open
	if open == nil {
		open = func(name string) (io.ReadCloser, error) { return os.Open(name) }
	}
	switch {
	case name == "":
		return nil, errors.New("cannot read the values: a file name is empty")
	case strings.Contains(name, "://"):
		return nil, fmt.Errorf("cannot read the values: %s is a URL, and only files are read; download it first", hideUserinfo(name))
	case name != "-":
		f, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the values: %w", notFound(name))
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the values from %s: %w", name, plain(err))
		}
		// It was only read: a failing close loses nothing.
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	if in == nil {
		return nil, errors.New("cannot read the values: no standard input")
	}
	data, err = io.ReadAll(io.LimitReader(in, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the values from %s: %w", name, plain(err))
	}
	if len(data) > MaxFileSize {
		return nil, errTooLarge
	}
	return data, nil
}

func (d *Document) addSets() error {
	var unreadable error
	read := func(rs []rune) (any, error) {
		data, err := d.opts.read(string(rs))
		if errors.Is(err, errTooLarge) {
			return nil, fmt.Errorf("%s is larger than %d MiB", string(rs), MaxFileSize>>20)
		}
		if err != nil {
			unreadable = err
		}
		return string(data), err
	}
	skip := func([]rune) (any, error) { return "", nil }
	groups := []struct {
		flag  string
		args  []string
		parse func(string, map[string]any, strvals.RunesValueReader) error
	}{
		{"--set-json", d.opts.SetJSON, func(s string, m map[string]any, _ strvals.RunesValueReader) error { return strvals.ParseJSON(s, m) }},
		{"--set", d.opts.Set, func(s string, m map[string]any, _ strvals.RunesValueReader) error { return strvals.ParseInto(s, m) }},
		{"--set-string", d.opts.SetString, func(s string, m map[string]any, _ strvals.RunesValueReader) error {
			return strvals.ParseIntoString(s, m)
		}},
		{"--set-file", d.opts.SetFile, strvals.ParseIntoFile},
	}
	for _, g := range groups {
		for _, arg := range g.args {
			err := g.parse(arg, d.user, read)
			if unreadable != nil {
				return fmt.Errorf("%s %s: %w", g.flag, arg, unreadable)
			}
			if err != nil {
				p := fatal("", 0, 0, "set-syntax", "Helm cannot read this argument: "+d.setProblem(err, func(m map[string]any) error { return g.parse(arg, m, skip) }))
				p.Arg = hideUserinfo(g.flag + " " + arg)
				d.problems = append(d.problems, p)
				continue
			}
			// Alone in a map the argument shows which paths it sets.
			alone := map[string]any{}
			if err := g.parse(arg, alone, skip); err == nil {
				d.layers = append(d.layers, layer{arg: hideUserinfo(g.flag + " " + arg), set: alone})
			}
		}
	}
	return nil
}

// setProblem words what strvals says. Where an argument goes below a value that is
// no map, that is an error in Go's words, so it is looked for in the values.
func (d *Document) setProblem(err error, parse func(map[string]any) error) string {
	alone := map[string]any{}
	if strings.Contains(err.Error(), "interface conversion") && parse(alone) == nil {
		if path := blocked(alone, d.user); path != nil {
			v, _ := lookup(d.user, path)
			at, _ := d.given(path)
			return fmt.Sprintf("it sets a key below %s, which is %s in %s", path, typeOf(v), at)
		}
		return "it sets a key below a value that is not a map"
	}
	return strings.TrimPrefix(err.Error(), "error parsing index: ")
}

// blocked is where the one tree goes on and the other has a plain value.
func blocked(set, values any) Path {
	switch set := set.(type) {
	case map[string]any:
		m, ok := values.(map[string]any)
		if !ok {
			return Path{}
		}
		for key, sub := range set {
			if v, given := m[key]; given {
				if rest := blocked(sub, v); rest != nil {
					return append(Path{key}, rest...)
				}
			}
		}
	case []any:
		list, ok := values.([]any)
		if !ok {
			return Path{}
		}
		for i, sub := range set {
			if sub != nil && i < len(list) {
				if rest := blocked(sub, list[i]); rest != nil {
					return append(Path{i}, rest...)
				}
			}
		}
	}
	return nil
}
