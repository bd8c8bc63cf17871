package flags

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestAnUnknownFlagNamesTheOneThatWasMeant(t *testing.T) {
	for typed, want := range map[string]string{
		"--kernle":  "did you mean --kernel?",
		"--nodes":   "did you mean --nodes-from?",
		"--output":  "for \"list\"", // two begin with it
		"--no":      "for \"list\"",
		"--zzz":     "for \"list\"",
		"--kernel=": "",
	} {
		cmd := &cobra.Command{Use: "list"}
		for _, flag := range []string{"kernel", "nodes-from", "output-file", "output-dir"} {
			cmd.Flags().String(flag, "", "")
		}
		err := cmd.ParseFlags([]string{typed})
		if (err == nil) != (want == "") {
			t.Fatalf("%s: %v", typed, err)
		}
		if err != nil && !strings.HasSuffix(Reword(cmd, err).Error(), want) {
			t.Errorf("%s: %v, want …%s", typed, Reword(cmd, err), want)
		}
	}
}
