package cli

import "github.com/spf13/cobra"

// commands lists every command, in the order in which help shows its group.
func commands(o *Options) []*cobra.Command {
	return []*cobra.Command{
		newValidateCmd(o),
		newSchemaCmd(o),
		newRenderCmd(o),
		newInjectCmd(o),
		newCompatibilityCmd(o),
		newPrereqCmd(o),
		newPlanCmd(o),
		newDiffCmd(o),
		newStatusCmd(o),
		newRetryCmd(o),
		newModuleCmd(o),
		newExplainCmd(o),
		newVersionCmd(o),
	}
}
