package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// valuesFlags are the values that the user gave, by the names of Helm's flags.
type valuesFlags struct {
	files, set, setString, setFile, setJSON []string
	subchart                                string
	// own are keys of this chart that other flags set, as key=value.
	own []string

	// pipes are the contents of files that can be read once.
	pipes map[string][]byte
}

func (v *valuesFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringSliceVarP(&v.files, "values", "f", nil, "values file, - is stdin; repeatable")
	fl.StringArrayVar(&v.set, "set", nil, "set a value: key=value, as in Helm; repeatable")
	fl.StringArrayVar(&v.setString, "set-string", nil, "set a value as a string; repeatable")
	fl.StringArrayVar(&v.setFile, "set-file", nil, "set a value to the content of a file: key=path; repeatable")
	fl.StringArrayVar(&v.setJSON, "set-json", nil, "set a value to a JSON document; repeatable")
	fl.StringVar(&v.subchart, "subchart", "", "`KEY` of this chart in the values of a chart that has it as a dependency (default the only one that has tap.kernelModule)")
	complete(cmd, "values", completeYAMLFiles)
	complete(cmd, "subchart", cobra.NoFileCompletions)
	for _, name := range []string{"set", "set-string", "set-file", "set-json"} {
		complete(cmd, name, completeKeys)
	}
}

// loadOptions are the flags as package valuesschema wants them, over the
// defaults of the built-in chart.
func (v *valuesFlags) loadOptions(cmd *cobra.Command, stdin io.Reader) (valuesschema.LoadOptions, error) {
	if repeated(v.files, "-") {
		return valuesschema.LoadOptions{}, errors.New("standard input is named twice; it can be read once")
	}
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		return valuesschema.LoadOptions{}, fmt.Errorf("cannot read the built-in chart: %w", err)
	}
	return valuesschema.LoadOptions{
		Files: v.files, Set: v.set, SetString: v.setString, SetFile: v.setFile, SetJSON: v.setJSON, SetOwn: v.own,
		Subchart: v.subchart, Stdin: stdin, Defaults: defaults,
		Open: func(name string) (io.ReadCloser, error) { return v.open(cmd.Context(), name) },
	}, nil
}

// open opens a values file. What can be read once, such as <(command) of a shell, is
// kept: prereq reads the values for each mode, and plan with its own below them.
func (v *valuesFlags) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if data, kept := v.pipes[name]; kept {
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	file, err := openFile(ctx, name)
	if _, isPipe := file.(pipe); err != nil || !isPipe {
		return file, err
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, valuesschema.MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if v.pipes == nil {
		v.pipes = map[string][]byte{}
	}
	v.pipes[name] = data
	return io.NopCloser(bytes.NewReader(data)), nil
}

func repeated(list []string, s string) bool {
	i := slices.Index(list, s)
	return i >= 0 && slices.Contains(list[i+1:], s)
}

// completeKeys offers the keys of the values, then those below.
func completeKeys(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const block = "tap.kernelModule."
	keys, err := valuesschema.Keys()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, k := range keys {
		if typed == "" && !strings.HasPrefix(k.Path, block) || strings.Contains(k.Path, "[") {
			continue
		}
		end := "="
		if k.HasKeys {
			end = "."
		}
		if strings.HasPrefix(k.Path, typed) {
			names = append(names, k.Path+end+"\t"+k.Description)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
