package remedies_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var (
	// writes are the verbs of kubectl that change a cluster, and take a dry run.
	writes = []string{"create", "label", "annotate", "patch", "delete", "taint", "cordon"}
	reads  = []string{"get", "describe", "logs", "events"}
	// unknown is a word that stands for a name.
	unknown = regexp.MustCompile(`^[A-Z][A-Z_-]*$|…|PLACEHOLDER|QUOTED|%s`)
)

// filled are the words of a command with a name for each that stands for one. ok is
// false for a command that does not stand alone, such as one that reads its standard
// input.
func filled(words []string) (args []string, ok bool) {
	for len(words) > 2 && words[0] == "-n" {
		words = append(slices.Clone(words[2:]), words[:2]...)
	}
	words = plain(words)
	if len(words) < 2 || !slices.Contains(writes, words[0]) && !slices.Contains(reads, words[0]) || slices.Contains(words, "-") {
		return nil, false
	}
	for i, word := range words {
		switch {
		case i > 0 && words[i-1] == "-p":
			word = `{"metadata":{"finalizers":null}}`
		case strings.HasPrefix(word, "--from-file="):
			word = "--from-literal=key=value" // of a file of the reader
		case i > 0 && words[i-1] == "-o" && unknown.MatchString(word):
			word = "name"
		default:
			word = unknown.ReplaceAllString(word, "some-name")
		}
		args = append(args, word)
	}
	if last := args[len(args)-1]; strings.HasPrefix(last, "-") && !strings.Contains(last, "=") && slices.Contains([]string{"-n", "-l", "-o", "-c"}, last) {
		args = append(args, "some-name") // what follows is put in when the program runs
	}
	if slices.Contains(writes, args[0]) {
		args = append(slices.DeleteFunc(args, func(s string) bool { return strings.HasPrefix(s, "--dry-run") }), "--dry-run=server")
	}
	return args, true
}

// plain are words in quotes as one, one of several that a reader may choose from, and
// the resource for which a text has a placeholder.
func plain(words []string) []string {
	line := strings.ReplaceAll(strings.Join(words, " "), "json|yaml", "json")
	line = regexp.MustCompile(`'([^']*)'`).ReplaceAllStringFunc(line, func(s string) string { return strings.ReplaceAll(strings.Trim(s, "'"), " ", "") })
	// (a, b) of a selector without what is in it: a selector is taken as it stands.
	line = regexp.MustCompile(`(\S+)in\([^)]*\)`).ReplaceAllString(line, "$1")
	// Where a sentence was cut within quotes, their beginning is left.
	line = strings.ReplaceAll(strings.ReplaceAll(line, "'", ""), "modules.PLACEHOLDER", "modules.kmm.sigs.x-k8s.io")
	return strings.Fields(line)
}

// nameless are commands that a text speaks of, and does not tell to run: they lack a
// name that they require.
var nameless = regexp.MustCompile(`exactly one NAME is required, got 0|You must specify the type of resource`)

// Whatever a text or a page tells people to do with kubectl, an API server with the
// resources of KMM and cert-manager understands: a verb, a resource, and values that it
// accepts. What is not there is not found, and nothing else.
func TestCommandsOfKubectlAreTakenByTheAPIServer(t *testing.T) {
	cluster := kube.Start(t)
	if err := cluster.AddDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	kubectl, err := toolbin.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args []string) (string, error) {
		cmd := exec.CommandContext(t.Context(), kubectl, append(slices.Clone(args), "--kubeconfig", cluster.Kubeconfig, "--request-timeout=30s")...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, namespace := range []string{"kubeshark", "some-name"} {
		if out, err := run([]string{"create", "namespace", namespace}); err != nil {
			t.Fatal(out)
		}
	}
	done := map[string]bool{}
	for place, lines := range ofKubectl(t) {
		for _, line := range lines {
			args, ok := filled(strings.Fields(line))
			command := strings.Join(args, " ")
			if !ok || done[command] {
				continue
			}
			done[command] = true
			if out, err := run(args); !taken(args, out, err) {
				t.Errorf("%s\n  kubectl %s: %v\n%.400s", place, command, err, out)
			}
		}
	}
	if len(done) < 30 {
		t.Errorf("only %d commands were found", len(done))
	}
}

// taken tells whether an API server has understood a command.
func taken(args []string, out string, err error) bool {
	if slices.Contains(args[:2], "some-name") || nameless.MatchString(out) {
		return true // the resource is put in when the program runs, or the text speaks of the command
	}
	absent := slices.ContainsFunc([]string{"not found", "NotFound", "No resources found", "already exists"}, func(s string) bool { return strings.Contains(out, s) })
	return (err == nil || absent) && !strings.Contains(out, "the server doesn't have a resource type")
}

// ofKubectl are the commands of kubectl in texts and pages, by where they stand.
func ofKubectl(t *testing.T) map[string][]string {
	t.Helper()
	commands := map[string][]string{}
	for _, text := range texts(t) {
		for _, words := range following(text.words, "kubectl") {
			commands[text.String()] = append(commands[text.String()], strings.Join(foreign(words), " "))
		}
	}
	for place, lines := range inPages(t, "kubectl") {
		for _, line := range lines {
			commands[place] = append(commands[place], strings.Join(unquoted(line), " "))
		}
	}
	return commands
}
