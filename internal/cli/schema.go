package cli

import (
	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func newSchemaCmd(o *Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "schema",
		GroupID: groupValues,
		Short:   "Print the schema of the values, or a reference made from it",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var text []byte
			switch output {
			case "json":
				text = valuesschema.Schema()
			case "markdown":
				var err error
				if text, err = valuesschema.Markdown(); err != nil {
					return err
				}
			default:
				return flags.OneOf("output", output, "json", "markdown")
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Example = examples(o, "schema > values.schema.json\nschema -o markdown")
	cmd.Flags().StringVarP(&output, "output", "o", "json", "json (JSON Schema draft-07) or markdown")
	complete(cmd, "output", cobra.FixedCompletions([]string{"json", "markdown"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
