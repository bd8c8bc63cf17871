package remedies_test

import (
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// call finds where a command begins. That of another program begins where a text is
// about to be followed, not where it speaks of the program.
var call = map[string]*regexp.Regexp{
	"pfring":  regexp.MustCompile("(?:^|[^a-z/.-])pfring ([a-z][a-z-]*[^`\n]*)"),
	"kubectl": regexp.MustCompile("(?:^|[`(]|: |\n|Run |&& |\\| )kubectl ([a-z-][a-z-]*[^`\n]*)"),
	"helm":    regexp.MustCompile("(?:^|[`(]|: |\n|Run |&& |\\| )helm ([a-z][a-z-]*[^`\n]*)"),
}

// following are the commands that a text tells to run, as words.
func following(words, program string) [][]string {
	var list [][]string
	for _, m := range call[program].FindAllStringSubmatch(words, -1) {
		line := m[1]
		for _, end := range []string{" && ", " | ", "; ", " # ", ". ", ", ", " (", ")", " > "} {
			line, _, _ = strings.Cut(line, end)
		}
		list = append(list, strings.Fields(strings.TrimRight(line, ".,:;")))
	}
	return list
}

// argument tells whether a word belongs to a command, and is none of the sentence
// around it.
func argument(word string) bool {
	return strings.HasPrefix(word, "-") || strings.ToLower(word) != word || strings.ContainsAny(word, "=/.:_$")
}

// mine parses the longest beginning of words that is a command of this program.
func mine(words []string) (cmd *cobra.Command, flags []string, err error) {
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})
	cmd = root
	for len(words) > 0 {
		next := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == strings.TrimRight(words[0], ",") })
		if next < 0 {
			break
		}
		cmd, words = cmd.Commands()[next], words[1:]
	}
	var args []string
	for len(words) > 0 && argument(words[0]) {
		args = append(args, words[0])
		takes := takesValue(cmd, words[0])
		words = words[1:]
		if takes && len(words) > 0 {
			args = append(args, words[0])
			words = words[1:]
		}
	}
	flags = slices.DeleteFunc(slices.Clone(args), func(s string) bool { return !strings.HasPrefix(s, "-") })
	return cmd, flags, cmd.ParseFlags(numbered(cmd, args))
}

func takesValue(cmd *cobra.Command, word string) bool {
	f := flagOf(cmd, word)
	return f != nil && f.NoOptDefVal == "" && !strings.Contains(word, "=")
}

func flagOf(cmd *cobra.Command, word string) *pflag.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if strings.HasPrefix(word, "--") {
		return cmd.Flags().Lookup(name)
	}
	if strings.HasPrefix(word, "-") && len(name) == 1 {
		return cmd.Flags().ShorthandLookup(name)
	}
	return nil
}

// numbered puts values of a flag's kind where the text has a placeholder.
func numbered(cmd *cobra.Command, args []string) []string {
	args = slices.Clone(args)
	for i := 1; i < len(args); i++ {
		f := flagOf(cmd, args[i-1])
		if f == nil || args[i] == strings.ToLower(args[i]) {
			continue
		}
		switch f.Value.Type() {
		case "duration":
			args[i] = "1m"
		case "int":
			args[i] = "1"
		}
	}
	return args
}

func TestCommandsOfThisProgramInTextsAreItsOwn(t *testing.T) {
	seen := 0
	for _, text := range texts(t) {
		for _, words := range following(text.words, "pfring") {
			seen++
			cmd, flags, err := mine(words)
			switch {
			case err != nil && strings.HasPrefix(err.Error(), "flag needs an argument"): // the text speaks of the flag alone
			case err != nil:
				t.Errorf("%s\n  %s: %v", text, strings.Join(words, " "), err)
			case cmd.Name() == "pfring" && strings.Contains(text.words, "Run: pfring "):
				t.Errorf("%s\n  %s: there is no such command", text, strings.Join(words, " "))
			case len(cmd.Flags().Args())+len(flags) > 0 && lacking(cmd) != "":
				t.Errorf("%s\n  %s: it lacks --%s", text, strings.Join(words, " "), lacking(cmd))
			case cmd.CommandPath() == "pfring module build" && len(flags) > 0 && !slices.ContainsFunc(flags, func(s string) bool {
				return slices.Contains([]string{"-o", "--output-dir", "--repository", "--pack", "--print"}, s)
			}):
				t.Errorf("%s\n  %s: it says not where to put the module", text, strings.Join(words, " "))
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d commands were found", seen)
	}
}

// lacking is a flag that cmd requires and was not given, or "".
func lacking(cmd *cobra.Command) string {
	missing := ""
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 && !f.Changed {
			missing = f.Name
		}
	})
	return missing
}

// A flag that a text names is one of a command.
func TestFlagsInTextsExist(t *testing.T) {
	known := map[string]bool{"--help": true}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(cli.New(cli.Options{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}))
	flag := regexp.MustCompile(`(?:^|[ (])(--[a-z][a-z0-9-]+)`)
	for _, text := range texts(t) {
		// The agent and the controller have flags of their own, recipes are shell, and
		// what kubectl and helm take they are asked below.
		if strings.HasPrefix(text.file, "cmd/") || strings.HasPrefix(text.file, "module/build/") || strings.Contains(text.words, "kubectl ") || strings.Contains(text.words, "helm ") ||
			slices.ContainsFunc([]string{"mokutil ", "zstd ", "PFRING_NODE"}, func(s string) bool { return strings.Contains(text.words, s) }) {
			continue
		}
		for _, m := range flag.FindAllStringSubmatch(text.words, -1) {
			if !known[m[1]] {
				t.Errorf("%s: no command has %s", text, m[1])
			}
		}
	}
}

func TestCommandsOfKubectlAndHelmInTextsAreTheirs(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds kubectl and helm; run without -short")
	}
	kubectl, err := toolbin.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{}
	for _, text := range texts(t) {
		for program, path := range map[string]string{"kubectl": kubectl, "helm": helm} {
			for _, words := range following(text.words, program) {
				// With --help flags are parsed, and nothing is done.
				args := append(foreign(words), "--help")
				if line := program + " " + strings.Join(args, " "); !done[line] {
					done[line] = true
					out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
					unknown := strings.Contains(string(out), "unknown command") || strings.Contains(string(out), "unknown flag")
					helped := strings.Contains(string(out), args[0])
					if err != nil || unknown || !helped {
						t.Errorf("%s\n  %s: %v\n%.300s", text, line, err, out)
					}
				}
			}
		}
	}
	if len(done) < 15 {
		t.Errorf("only %d commands were found", len(done))
	}
}

// kinds are the resources that commands of kubectl name.
var kinds = []string{"nodes", "node", "pod", "pods", "daemonset", "daemonsets", "deployment", "namespace", "quota", "serviceaccounts", "secret", "configmap",
	"crd", "events", "job", "jobs", "module", "modules", "docker-registry", "generic", "resourcequota", "certificate", "nodemodulesconfig"}

// foreign are the words of a command of another program: its verb, what it is about,
// and what follows that is not a plain text.
func foreign(words []string) []string {
	for len(words) > 2 && words[0] == "-n" {
		words = append(words[2:], words[:2]...)
	}
	args := []string{words[0]}
	for i, word := range words[1:] {
		if !argument(word) && !slices.Contains(kinds, word) && !strings.HasPrefix(words[i], "-") {
			break
		}
		args = append(args, strings.TrimRight(word, ","))
	}
	return args
}
