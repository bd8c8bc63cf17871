package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Version is stamped by the linker for releases.
var Version = ""

// versionInfo is the document of version -o json.
type versionInfo struct {
	Version   string `json:"version"`
	Platform  string `json:"platform"`
	GoVersion string `json:"goVersion"`
	// Commit is the source's, where Go recorded it.
	Commit string `json:"commit,omitempty"`
	// Chart is the version of the chart that is built in.
	Chart string `json:"chart"`
}

func newVersionCmd(o *Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.OneOf("output", output, "text", "json", "yaml"); err != nil {
				return err
			}
			v := versionInfo{Version: version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, GoVersion: runtime.Version(), Commit: commit()}
			if output == "text" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "pfring %s %s %s\n", v.Version, v.Platform, v.GoVersion)
				return err
			}
			chart, err := loadChart("")
			if err != nil {
				return err
			}
			v.Chart = chart.Version
			if output == "json" {
				return printout.JSON(cmd.OutOrStdout(), v)
			}
			return printout.YAML(cmd.OutOrStdout(), v)
		},
	}
	cmd.Example = examples(o, "version\nversion -o json")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	complete(cmd, "output", cobra.FixedCompletions([]string{"text", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// commit is the revision of the source that Go recorded, "" for none.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// version is the stamped one, else what Go recorded of the build.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
