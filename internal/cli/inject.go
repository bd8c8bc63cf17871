package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/internal/inject"
)

// injectFlags are what the user typed.
type injectFlags struct {
	options inject.Options
	file    string
	remove  bool
	kube    kubeFlags
	live    bool
	dryRun  bool
}

func newInjectCmd(o *Options) *cobra.Command {
	f := &injectFlags{options: inject.Default()}
	cmd := &cobra.Command{
		Use:     "inject",
		GroupID: groupValues,
		Short:   "Make Kubeshark's workers wait for the module",
		Long: `Make Kubeshark's workers wait for the module.

Reads manifests (YAML or JSON) from stdin or --filename and writes them to stdout with an
init container added to Kubeshark's worker DaemonSet. The container waits until PF_RING
is loaded, or until it is known that it will not be, and never longer than
--wait-timeout. Workers of 52.1.0 to 52.3.88 also get their flag -kernel-module.
Everything else stays byte for byte the same. A worker that captures with af_packet or
ebpf (tap.packetCapture) gets no wait. A worker that loads PF_RING itself is an error.

The wait runs in the worker's own image, so a worker that can start without the wait
also starts with it. With --image the wait runs in the agent's image; if that image
cannot be pulled, the worker does not start.

--workload does the same for any other program that captures, such as Suricata or Zeek,
and adds the capabilities that opening rings requires.

--live changes the workers of a cluster instead of manifests, by server-side apply. Use
it for workers that the kubeshark command installed, which has no post-renderer.

It works as a pipe, as a Helm post-renderer and as a Kustomize function (KRM), whose
functionConfig may set the flags in its data. Run on its own output it changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInject(cmd, f) },
	}
	cmd.Example = examples(o, `inject < kubeshark.yaml | kubectl apply -f -
inject --mode kmm -f kubeshark.yaml > with-wait.yaml
inject --remove < with-wait.yaml
inject --workload daemonset/suricata --wait-with worker < suricata.yaml
inject --live -n kubeshark --dry-run`)
	f.register(cmd)
	return cmd
}

func (f *injectFlags) register(cmd *cobra.Command) {
	fl, o := cmd.Flags(), &f.options
	fl.StringVar(&o.Mode, "mode", o.Mode, "who loads the module: auto or kmm")
	fl.StringVar(&o.WaitWith, "wait-with", o.WaitWith, "what waits: worker (its own image), agent (--image), or auto: worker if its image is known to have a shell, else nothing")
	fl.StringVar(&o.Image, "image", "", "wait with this image of the agent; a worker does not start where it cannot be pulled")
	fl.StringVar(&o.PullPolicy, "image-pull-policy", "", "pull policy of --image: Always, IfNotPresent or Never")
	fl.DurationVar(&o.Timeout, "wait-timeout", o.Timeout, "how long to wait at most")
	fl.StringVar(&o.StateFile, "state-file", o.StateFile, `tap.kernelModule.stateFile, for auto; "" does not look at it`)
	fl.StringVar(&o.WorkerFlag, "worker-flag", o.WorkerFlag, "pass -kernel-module to the worker: always, never, or auto: if its version supports it")
	fl.StringVarP(&f.file, "filename", "f", "-", "file with the manifests; - is stdin")
	fl.StringVar(&o.Workload, "workload", "", "make daemonset/NAME, deployment/NAME or statefulset/NAME wait, in place of Kubeshark's workers")
	fl.StringVar(&o.Container, "container", "", "container of --workload that captures (default its only one)")
	fl.BoolVar(&f.live, "live", false, "change the workers of the cluster, by server-side apply, instead of manifests")
	fl.BoolVar(&f.dryRun, "dry-run", false, "with --live: only say what would change; the API server checks it")
	f.kube.register(cmd)
	fl.BoolVar(&f.remove, "remove", false, "remove what was added")
	complete(cmd, "mode", cobra.FixedCompletions([]string{"auto", "kmm"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "wait-with", cobra.FixedCompletions([]string{"auto", "worker", "agent"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "worker-flag", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "image-pull-policy", cobra.FixedCompletions([]string{"Always", "IfNotPresent", "Never"}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"image", "wait-timeout", "state-file", "workload", "container"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
}

func runInject(cmd *cobra.Command, f *injectFlags) error {
	if f.live {
		return runInjectLive(cmd, f)
	}
	if f.dryRun {
		return errors.New("--dry-run requires --live")
	}
	text, err := f.read(cmd)
	if err != nil {
		return err
	}
	if err := f.configure(cmd.Flags(), text); err != nil {
		return err
	}
	var r inject.Result
	switch {
	case f.remove && f.options.Workload != "":
		r, err = inject.RemoveWorkload(text, f.options)
	case f.remove:
		r, err = inject.Remove(text)
	default:
		r, err = inject.Inject(text, f.options)
	}
	if err != nil {
		return err
	}
	if r.Workers == 0 {
		what := "no worker DaemonSet of Kubeshark"
		if f.options.Workload != "" {
			what = "no " + f.options.Workload
		}
		r.Warnings = append(r.Warnings, what+" among the manifests; they are passed on as they are")
	}
	for _, w := range r.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	_, err = cmd.OutOrStdout().Write(r.Text)
	return err
}

// maxManifests is far above what Kubernetes keeps of any release of a chart.
const maxManifests = 64 << 20

// read reads the manifests.
func (f *injectFlags) read(cmd *cobra.Command) ([]byte, error) {
	from, name := input(cmd), "stdin"
	if f.file != "-" {
		file, err := openFile(cmd.Context(), f.file)
		if err != nil {
			return nil, fmt.Errorf("cannot read the manifests: %w", err)
		}
		defer file.Close()
		from, name = file, f.file
	} else if file, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return nil, errors.New("cannot read manifests from stdin: it is a terminal. Pipe them in, such as those of helm template, or name a file with --filename")
	}
	text, err := io.ReadAll(io.LimitReader(from, maxManifests+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the manifests from %s: %w", name, err)
	case len(text) > maxManifests:
		return nil, fmt.Errorf("cannot read the manifests from %s: they are larger than %d MiB", name, maxManifests>>20)
	}
	return text, nil
}

// configure takes settings from a Kustomize function's input. Flags win.
func (f *injectFlags) configure(fl *pflag.FlagSet, text []byte) error {
	settings, _, err := inject.FunctionConfig(text)
	if err != nil {
		return err
	}
	for name, value := range settings {
		switch flag := fl.Lookup(name); {
		case flag == nil || name == "help" || name == "filename" || name == "live" || name == "dry-run":
			return fmt.Errorf("functionConfig: unknown setting %q", name)
		case flag.Changed:
		default:
			if err := flag.Value.Set(value); err != nil {
				return fmt.Errorf("functionConfig: %s: %w", name, err)
			}
		}
	}
	return nil
}
