package cli_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

// exampleLines are the calls of this program in the examples of all commands, with
// what stands before and after them on the line taken away.
func exampleLines(t *testing.T) []string {
	t.Helper()
	var lines []string
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			for part := range strings.SplitSeq(line, "|") {
				part = strings.TrimSpace(part)
				if i := strings.Index(part, " #"); i > 0 {
					part = part[:i]
				}
				if rest, ok := strings.CutPrefix(part, "pfring "); ok {
					lines = append(lines, rest)
				}
			}
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(tree(nil, io.Discard))
	if len(lines) < 40 {
		t.Fatalf("only %d examples", len(lines))
	}
	return lines
}

func tree(in io.Reader, out io.Writer) *cobra.Command {
	return cli.New(cli.Options{In: in, Out: out, ErrOut: out})
}

// words splits a line as a shell does, without its redirections.
func words(line string) (list []string, stdin string) {
	var quote rune
	word, open := "", false
	for _, c := range line + " " {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if word != "" || open {
				list = append(list, word)
			}
			word, open = "", false
		default:
			word += string(c)
		}
	}
	for _, sign := range []string{">", "<"} {
		if i := slices.Index(list, sign); i >= 0 && i+1 < len(list) {
			if sign == "<" {
				stdin = list[i+1]
			}
			list = slices.Delete(list, i, i+2)
		}
	}
	return list, stdin
}

// Every example is one that the command takes: its flags, their values, and its
// arguments.
func TestEveryExampleIsUnderstood(t *testing.T) {
	for _, line := range exampleLines(t) {
		args, _ := words(line)
		if slices.ContainsFunc(args, func(s string) bool { return strings.Contains(s, "$(") }) {
			continue
		}
		root := tree(strings.NewReader(""), io.Discard)
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == root {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if err := cmd.ValidateFlagGroups(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		known := map[string]bool{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		if len(known) == 0 {
			t.Errorf("%s: no flags", line)
		}
	}
}

// alone are the commands that need neither cluster nor network.
var alone = []string{"validate", "render", "schema", "explain", "version", "inject", "prereq list"}

// Those that need nothing else are run, in a folder with the files that they name.
func TestExamplesThatNeedNoClusterRun(t *testing.T) {
	workers, err := os.ReadFile(filepath.Join("..", "inject", "testdata", "53.3.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := exampleLines(t)
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PFRING_CONFIG", "")
	const values = "tap:\n  kernelModule:\n    source: {url: \"https://modules.example.com/pf-ring\", verify: checksum}\n"
	files := map[string]string{"kubeshark.yaml": string(workers), "with-wait.yaml": string(workers)}
	for _, name := range []string{"values.yaml", "production.yaml", "clusters/a.yaml", "my-values.yaml", "base.yaml"} {
		files[name] = values
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, line := range lines {
		isAlone := slices.ContainsFunc(alone, func(name string) bool { return line == name || strings.HasPrefix(line, name+" ") })
		if !isAlone || strings.Contains(line, " --live") { // which changes a cluster
			continue
		}
		args, stdin := words(strings.ReplaceAll(line, "clusters/*.yaml", "clusters/a.yaml"))
		in := io.Reader(bytes.NewReader(workers))
		if stdin != "" {
			in = strings.NewReader(files[stdin])
		}
		if !slices.Contains(args, "inject") && stdin == "" {
			in = strings.NewReader(values)
		}
		var out bytes.Buffer
		root := tree(in, &out)
		root.SetArgs(args)
		ran++
		if err := root.ExecuteContext(t.Context()); cli.ExitCode(err) != 0 {
			t.Errorf("%s: %v\n%s", line, err, out.String())
		}
	}
	if ran < 15 {
		t.Errorf("only %d examples were run", ran)
	}
}
