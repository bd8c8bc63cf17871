package flags

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// envPrefix begins the variables that give defaults: PFRING_CA_FILE is --ca-file.
const envPrefix = "PFRING_"

// configEnv names the file of defaults; empty reads none.
const configEnv = "PFRING_CONFIG"

// maxFile bounds the file of defaults, in bytes.
const maxFile = 1 << 20

// configFile is the file of defaults: the one that $PFRING_CONFIG names, else
// pfring/config.yaml in $XDG_CONFIG_HOME or ~/.config; "" is none.
func configFile(lookup func(string) (string, bool)) string {
	if name, ok := lookup(configEnv); ok {
		return name
	}
	dir, _ := lookup("XDG_CONFIG_HOME")
	if dir == "" {
		home, _ := lookup("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "pfring", "config.yaml")
}

// never are flags for which a default would be a surprise.
var never = []string{"help", "version", "remove", "dry-run"}

// Defaults gives flags of cmd that the user did not type the values of PFRING_*
// variables, else those of the file of defaults: a map of flags, in which the path
// of a command (prereq check) holds a map for that command alone. It leaves alone
// the flags in keep.
func Defaults(cmd *cobra.Command, lookup func(string) (string, bool), keep ...string) error {
	file := configFile(lookup)
	settings, err := read(file, cmd)
	if err != nil {
		return err
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed != nil || f.Changed || slices.Contains(never, f.Name) || slices.Contains(keep, f.Name) {
			return
		}
		env := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := lookup(env); ok && env != configEnv {
			failed = set(f, []string{value}, "$"+env)
			return
		}
		if values, ok := settings[f.Name]; ok {
			failed = set(f, values, file)
		}
	})
	return failed
}

func set(f *pflag.Flag, values []string, from string) error {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		if err := list.Replace(nil); err != nil {
			return fmt.Errorf("cannot set --%s from %s: %w", f.Name, from, err)
		}
	} else if len(values) != 1 {
		return fmt.Errorf("cannot set --%s from %s: it takes one value", f.Name, from)
	}
	for _, value := range values {
		if err := f.Value.Set(value); err != nil {
			return fmt.Errorf("invalid %s %q in %s: must be %s", f.Name, value, from, kind(f, err))
		}
	}
	return nil
}

// read returns the file's values for cmd by the flags' names.
func read(file string, cmd *cobra.Command) (map[string][]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readfile.Regular(file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the defaults from %s: %w", file, readfile.Cause(err))
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("cannot read the defaults from %s: it is not a YAML map of flags", file)
	}
	flags, commands := known(cmd.Root())
	settings := map[string][]string{}
	path := pathOf(cmd)
	var own map[string]any
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		section, isSection := tree[key].(map[string]any)
		switch {
		case isSection && slices.Contains(commands, key):
			if key == path {
				own = section
			}
		case slices.Contains(flags, key) && !isSection:
			settings[key] = words(tree[key])
		default:
			hint := ""
			if near := valuesschema.Nearest(key, append(flags, commands...)); near != "" {
				hint = fmt.Sprintf(", did you mean %q?", near)
			}
			return nil, fmt.Errorf("unknown flag or command %q in %s%s", key, file, hint)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if cmd.Flags().Lookup(key) == nil {
			return nil, fmt.Errorf("unknown flag %q of %q in %s", key, path, file)
		}
		settings[key] = words(own[key])
	}
	return settings, nil
}

func words(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprint(v)}
	}
	var texts []string
	for _, x := range list {
		texts = append(texts, fmt.Sprint(x))
	}
	return texts
}

// known are the flags and the paths of all commands.
func known(root *cobra.Command) (flags, commands []string) {
	seen := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.HasParent() {
			commands = append(commands, pathOf(cmd))
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !seen[f.Name] {
				seen[f.Name] = true
				flags = append(flags, f.Name)
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root)
	return flags, commands
}

// pathOf is the path of a command below the root: prereq check.
func pathOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().CommandPath()+" ")
}
