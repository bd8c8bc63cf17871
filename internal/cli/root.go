// Package cli is the pfring command line: one file a command, flags in and
// printing out, no logic. The work is done by the packages that it calls.
//
// It can be mounted in another cobra program: New returns a fresh command tree
// each time, reads and writes only the streams it is given, never exits the
// process and never traps a signal.
package cli

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Options are what the command tree takes from the program that mounts it.
type Options struct {
	// Name is what the user types; "" is pfring.
	Name string
	In   io.Reader
	// Out gets the one document a command produces, ErrOut everything else.
	Out, ErrOut io.Writer

	// given are flags whose defaults come from the program that runs this one.
	given []string
}

// Command groups, as `pfring --help` shows them.
const (
	groupValues  = "values"
	groupCluster = "cluster"
	groupModules = "modules"
)

// New returns the command tree.
func New(o Options) *cobra.Command {
	if o.Name == "" {
		o.Name = "pfring"
	}
	root := &cobra.Command{
		Use:   o.Name,
		Short: "Put the PF_RING kernel module onto Kubernetes nodes, for Kubeshark",
		Long: `Put the PF_RING kernel module onto Kubernetes nodes, for Kubeshark.

A kernel module fits exactly one kernel release. pfring shows which nodes can have
one, checks the cluster and your values, renders the chart for GitOps, reports what
each node does, and builds and publishes modules. Begin with: pfring plan

Exit codes: 0 good; 1 the answer is no; 2 it could not be carried out; 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	if host, n, ok := plugin(o.Name); ok {
		// Help then reads as the user typed it: kubectl pfring.
		root.Use = n
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: host + " " + n}
	}
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.ErrOut)
	root.AddGroup(
		&cobra.Group{ID: groupValues, Title: "Values and manifests:"},
		&cobra.Group{ID: groupCluster, Title: "The live cluster:"},
		&cobra.Group{ID: groupModules, Title: "Kernel modules:"},
	)
	root.AddCommand(commands(&o)...)
	finishing(root)
	habits(root, &o)
	return root
}

// Main runs the command tree for a main function until ctx ends: it takes the
// program's name from args[0], prints the error that is left, and returns the exit
// code. It turns the standard logger off: Helm writes remarks to it that do
// not help a user, such as one on each map that stands where the chart has a list.
func Main(ctx context.Context, args []string) int {
	log.SetOutput(io.Discard)
	out := &standardOutput{file: os.Stdout}
	o := Options{Name: programName(args[0]), In: os.Stdin, Out: out, ErrOut: os.Stderr}
	if fromHelm(os.Getenv) {
		o.Name, o.given = "helm-"+helmPlugin, []string{"namespace", "context"}
	}
	root := New(o)
	takeFromHelm(root, os.Getenv)
	root.SetArgs(args[1:])
	err := out.ended(execute(ctx, root))
	if err != nil && err.Error() != "" {
		prefix := "Error: "
		if ExitCode(err) == outcome.ExitInterrupted {
			prefix = ""
		}
		// Nothing is left to tell when even stderr fails.
		_, _ = fmt.Fprintln(o.ErrOut, prefix+printout.Lines(err.Error())) // there is nowhere else to say so
	}
	return ExitCode(err)
}

// programName knows that kubectl calls a plugin kubectl-pfring.
func programName(arg0 string) string {
	name := strings.TrimSuffix(filepath.Base(arg0), ".exe")
	if strings.HasPrefix(name, "kubectl-") {
		return strings.ReplaceAll(name, "_", "-")
	}
	return "pfring"
}

// plugin splits the name of a plugin of kubectl or helm: kubectl-pfring.
func plugin(name string) (host, rest string, ok bool) {
	for _, host := range []string{"kubectl", "helm"} {
		if rest, ok := strings.CutPrefix(name, host+"-"); ok {
			return host, rest, true
		}
	}
	return "", "", false
}
