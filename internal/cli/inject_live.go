package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"

	"github.com/kubeshark/kubeshark-pfring/internal/injectlive"
)

// runInjectLive changes the workers of a cluster.
func runInjectLive(cmd *cobra.Command, f *injectFlags) error {
	if cmd.Flags().Changed("filename") {
		return errors.New("--live reads no manifests; remove --filename")
	}
	namespace, err := f.kube.releaseNamespace()
	if err != nil {
		return err
	}
	config, err := f.kube.restConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	do := injectlive.Apply
	if f.remove {
		do = injectlive.Remove
	}
	changes, err := do(cmd.Context(), client, injectlive.Options{Inject: f.options, Namespace: namespace, DryRun: f.dryRun})
	note := ""
	if f.dryRun {
		note = " (dry run)"
	}
	for _, c := range changes {
		for _, w := range c.Warnings {
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s%s\n", c.Object, c.State, note); err != nil {
			return err
		}
	}
	return err
}
