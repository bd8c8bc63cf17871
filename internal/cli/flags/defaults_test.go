package flags

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// program is a small tree of commands with flags of each kind.
func program() (root, check *cobra.Command) {
	root = &cobra.Command{Use: "pfring"}
	root.PersistentFlags().StringP("output", "o", "table", "")
	parent := &cobra.Command{Use: "prereq"}
	check = &cobra.Command{Use: "check", Run: func(*cobra.Command, []string) {}}
	check.Flags().Int("retries", 3, "")
	check.Flags().Duration("timeout", 0, "")
	check.Flags().StringSlice("only", nil, "")
	check.Flags().StringArray("values", nil, "")
	check.Flags().Bool("strict", false, "")
	parent.AddCommand(check)
	root.AddCommand(parent)
	return root, check
}

func defaults(t *testing.T, text []byte) (*cobra.Command, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, check := program()
	return check, Defaults(check, func(name string) (string, bool) { return path, name == configEnv })
}

func TestTheFileOfDefaults(t *testing.T) {
	for text, says := range map[string]string{
		"retries: 5\nprereq check: {timeout: 3s, only: [a, b]}\n": "",
		"":                           "",
		"# nothing\n":                "",
		"retries: [1, 2]\n":          "it takes one value",
		"retries: many\n":            `invalid retries "many"`,
		"retrys: 5\n":                `did you mean "retries"?`,
		"prereq check: 5\n":          "unknown flag or command",
		"prereq check: {unknown: 1}": `unknown flag "unknown" of "prereq check"`,
		"- a\n":                      "not a YAML map",
		"a: b: c\n":                  "not a YAML map",
		"\x00":                       "not a YAML map",
	} {
		_, err := defaults(t, []byte(text))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestTheFileOfDefaultsIsReadWithinABound(t *testing.T) {
	if _, err := defaults(t, make([]byte, maxFile+1)); err == nil || !strings.Contains(err.Error(), "large") {
		t.Errorf("a large file: %v", err)
	}
	_, check := program()
	if err := Defaults(check, func(name string) (string, bool) { return t.TempDir(), name == configEnv }); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// Whatever is in the file, flags are set or it is said in words what is wrong.
func FuzzDefaults(f *testing.F) {
	for _, text := range []string{
		"retries: 5\nprereq check: {timeout: 3s, only: [a, b]}\n", "retries: null", "only: [[a], {b: c}]", "strict: yes\nstrict: no", "timeout: 1e999",
		"a: &a [*a]", "values: [\"a,b\"]", "output: !!binary x", "? [a]\n: b", "--- {}\n--- {}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := defaults(t, text)
		if err == nil {
			return
		}
		for _, internal := range []string{"map[", "interface", "json:", "unmarshal", "goroutine"} {
			if strings.Contains(err.Error(), internal) && !strings.Contains(string(text), internal) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
