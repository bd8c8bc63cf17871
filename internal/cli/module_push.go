package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func newModulePushCmd(o *Options) *cobra.Command {
	var reg registryFlags
	cmd := &cobra.Command{
		Use:   "push DIR oci://REGISTRY/REPOSITORY",
		Short: "Publish a repository's folder in a registry, for oci:// sources",
		Long: `Publish a repository's folder in a registry, for oci:// sources.

Every module is held against the index first and uploaded as a blob if it is not there
yet; then the tag "index" moves to an artifact with the index, its signature and all
modules.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			source, err := module.OpenSource(module.SourceOptions{URL: "file://" + filepath.ToSlash(dir)})
			if err != nil {
				return err
			}
			remote, err := reg.remote(cmd)
			if err != nil {
				return err
			}
			to, err := mirror.NewRegistry(args[1], remote)
			if err != nil {
				return err
			}
			request := module.Request{Verify: outcome.VerifiedChecksum, Now: time.Now}
			result, err := mirror.Run(cmd.Context(), mirror.Options{Source: source, Request: request, Progress: copyProgress(cmd)}, to)
			if err != nil {
				return err
			}
			return told(cmd, result, to.String(), nil)
		},
	}
	cmd.Example = examples(o, "module push ./repository oci://registry.example.com/pf-ring")
	reg.register(cmd)
	return cmd
}

// told sums a run up on stderr and prints the values to use.
func told(cmd *cobra.Command, r *mirror.Result, url string, keys []string) error {
	if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s, %d new, %s; serial %d\n",
		url, text.Count(r.Total-r.Absent, "module"), r.Copied, megabytes(r.Bytes), r.Index.Serial); err != nil {
		return err
	}
	if r.Absent > 0 {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s of the index left out: the source is a copy of some modules only\n", text.Count(r.Absent, "module")); err != nil {
			return err
		}
	}
	out := "tap:\n  kernelModule:\n    source:\n      url: " + url + "\n"
	switch {
	case !r.Signed:
		out += "      verify: checksum # the index is not signed: see pfring module sign\n"
	case len(keys) > 0:
		out += "      publicKeys:\n"
		for _, k := range keys {
			out += "        - " + k + "\n"
		}
	default:
		out += "      # publicKeys: those of the key that signed the index\n"
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), out)
	return err
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
