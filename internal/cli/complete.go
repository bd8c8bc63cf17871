package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// complete gives a flag's values to shell completion.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		// Only for a flag that does not exist or that has one: a slip in this
		// package, which each test of the tree finds.
		panic(err)
	}
}

// completeYAMLFiles offers files that may hold values.
func completeYAMLFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// examples puts the program's name, as the user types it, before each line that
// is not another program's.
func examples(o *Options, lines string) string {
	name := o.Name
	if host, n, ok := plugin(name); ok {
		name = host + " " + n
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		first, _, _ := strings.Cut(line, " ")
		switch first {
		case "kubectl", "helm", "curl", "kustomize":
			b.WriteString("  " + line)
		default:
			b.WriteString("  " + name + " " + line)
		}
	}
	return b.String()
}
