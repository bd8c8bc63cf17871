package cli

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
)

// habits gives the tree what people know from kubectl: an unknown command or flag
// is an error with a suggestion and a pointer to the help, --version, and defaults
// from a file and the environment.
func habits(root *cobra.Command, o *Options) {
	root.Version = version()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetHelpCommand(newHelpCmd())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flags.Usage(cmd, flags.Reword(cmd, err)) })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Hidden || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return nil
		}
		if err := flags.Defaults(cmd, os.LookupEnv, o.given...); err != nil {
			return err
		}
		if f := cmd.Flags().Lookup("request-timeout"); f != nil {
			if _, err := clientcmd.ParseTimeout(f.Value.String()); err != nil {
				return flags.Usage(cmd, flags.Wrong("invalid --request-timeout %q: must be a duration, such as 30s or 5m, or 0", f.Value.String()))
			}
		}
		return nil
	}
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			cmd.Args, cmd.RunE = noSubcommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		args, run := cmd.Args, cmd.RunE
		if args != nil {
			cmd.Args = func(cmd *cobra.Command, list []string) error {
				return flags.Usage(cmd, plainArgs(cmd, args(cmd, list)))
			}
		}
		if run != nil {
			cmd.RunE = func(cmd *cobra.Command, list []string) error {
				err := run(cmd, list)
				if e := (*flags.UsageError)(nil); errors.As(err, &e) {
					return flags.Usage(cmd, err)
				}
				return err
			}
		}
	})
}

// noSubcommand is the error of a group of commands that is given another word.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return flags.Wrong("unknown command %q for %q, did you mean %q?", args[0], cmd.CommandPath(), near[0])
	}
	return flags.Wrong("unknown command %q for %q", args[0], cmd.CommandPath())
}

// plainArgs words what cobra says of a command's arguments.
func plainArgs(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "unknown command "); ok && !cmd.HasSubCommands() {
		// Cobra says so of any argument that a command does not take.
		name, _, _ = strings.Cut(name, " for ")
		return flags.Wrong("unknown argument %s: %q takes none", name, cmd.CommandPath())
	}
	if strings.Contains(text, "arg(s)") {
		_, args, _ := strings.Cut(cmd.UseLine(), cmd.CommandPath()+" ")
		return flags.Wrong("invalid arguments for %q: must be %s", cmd.CommandPath(), strings.TrimSuffix(args, " [flags]"))
	}
	return err
}

func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			of, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range of.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := cmd.Root()
			for _, name := range args {
				i := slices.IndexFunc(of.Commands(), func(c *cobra.Command) bool { return c.Name() == name || c.HasAlias(name) })
				if i < 0 {
					return flags.Usage(of, noSubcommand(of, []string{name}))
				}
				of = of.Commands()[i]
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}
