package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// buildFlags are those of pfring module build.
type buildFlags struct {
	values   valuesFlags
	nodes    nodeFlags
	source   sourceFlags
	keep     buildKeep
	settings build.Settings

	kernels, archs                   []string
	all, logs                        bool
	parallel                         int
	version, sourceURL, sourceSHA256 string
	script, sourceCA, proxy, noProxy string
	printWhat, osImage, fromLog      string
}

func newModuleBuildCmd(o *Options) *cobra.Command {
	f := &buildFlags{}
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Compile PF_RING in the cluster for kernels that have no module",
		Long: `Compile PF_RING in the cluster for kernels that have no module.

For each kernel and architecture of the nodes for which the module repository has no
module, or those named by --kernel, a Job compiles PF_RING. The Job runs on a node with
that kernel, in an image of the node's distribution, and takes the kernel's headers from
the node or from the distribution. The module is read from the Job's log, checked, and
written into a folder, a repository (--repository) or images (--pack). The Jobs are
removed, also after Ctrl-C, and expire if this program is killed.

PF_RING's source is verified: known versions by their content, other versions by the
sha256 of the archive. --image and --script replace the distribution's builder.

--print writes what you need to build elsewhere: the Jobs' manifests, the script that
they run, or a Dockerfile. --from-log reads the log of such a Job.

Exit codes: 0 every module was built, or none is missing; 1 one was not; 2 it could not
be carried out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Example = examples(o, `module build -f values.yaml --output-dir modules
module build --kernel 6.1.0-18-amd64 --repository ./repository --key pfring.key
module build --all --pack registry.example.com/pf-ring-module --parallel 4
module build --source-url https://mirror.example.com/PF_RING.tar.gz --image mirror.example.com/debian:12 --pull-secret mirror
module build --print dockerfile --os-image "Ubuntu 24.04 LTS" > Dockerfile`)
	f.register(cmd)
	return cmd
}

func (f *buildFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.nodes.kube.register(cmd)
	fl.Lookup("namespace").Usage = "namespace of the Jobs; it must admit pods that run as root and see the node's /usr (default that of the context)"
	f.values.register(cmd)
	f.source.register(cmd, &f.nodes.kube)
	f.keep.register(cmd)
	fl.StringVarP(&f.nodes.selector, "selector", "l", "", "look only at nodes with these labels")
	fl.StringSliceVar(&f.kernels, "kernel", nil, "build for this kernel release only, even if it has a module; repeatable")
	fl.StringSliceVar(&f.archs, "arch", nil, "only this architecture: amd64 or arm64; repeatable")
	fl.BoolVar(&f.all, "all", false, "build for kernels that have a module too; the repository is not read")
	fl.IntVar(&f.parallel, "parallel", 2, "how many Jobs at a time")
	fl.DurationVar(&f.settings.Timeout, "timeout", 30*time.Minute, "how long one build may take")
	fl.BoolVar(&f.logs, "logs", false, "show the builds' logs")
	fl.StringVar(&f.version, "pfring-version", build.DefaultVersion, "PF_RING version; known by content: "+strings.Join(build.Versions(), ", "))
	fl.StringVar(&f.sourceURL, "source-url", "", "archive of the PF_RING source, such as on a mirror, instead of its usual place")
	fl.StringVar(&f.sourceSHA256, "source-sha256", "", "sha256 of the archive at --source-url; required for a version that is not known by content")
	fl.StringVar(&f.sourceCA, "source-ca", "", "PEM `FILE` with CAs to trust for the archive's server, in addition to those of the image")
	fl.StringVar(&f.settings.Image, "image", "", "builder image, instead of the distribution's own")
	fl.StringVar(&f.script, "script", "", "shell script `FILE` to run instead of the recipe; it leaves the module at $PFRING_OUT")
	fl.StringSliceVar(&f.settings.PullSecrets, "pull-secret", nil, "Secret of the namespace to pull the builder image with; repeatable")
	fl.StringVar(&f.settings.ServiceAccount, "service-account", "", "ServiceAccount of the pods, such as one that OpenShift lets run as root")
	fl.StringVar(&f.proxy, "proxy", "", "proxy for the builds, as in HTTPS_PROXY")
	fl.StringVar(&f.noProxy, "no-proxy", "", "hosts that the builds reach without the proxy, as in NO_PROXY")
	fl.BoolVar(&f.settings.HostHeaders, "host-headers", true, "use kernel headers that are installed on the node; mounts its /usr, read only")
	fl.StringVar(&f.printWhat, "print", "", "build nothing, and print: "+strings.Join(printable, ", "))
	fl.StringVar(&f.osImage, "os-image", "", "with --print dockerfile or script: the osImage of the nodes, instead of reading it from the cluster")
	fl.StringVar(&f.fromLog, "from-log", "", "extract the module from the log of a build that ran from printed manifests, `FILE` or -")
	complete(cmd, "print", cobra.FixedCompletions(printable, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "pfring-version", cobra.FixedCompletions(build.Versions(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"kernel", "selector", "source-url", "source-sha256", "image", "pull-secret", "service-account", "proxy", "no-proxy", "timeout", "os-image", "parallel"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
	complete(cmd, "arch", cobra.FixedCompletions([]string{"amd64", "arm64"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.MarkFlagsMutuallyExclusive("kernel", "all")
	cmd.MarkFlagsMutuallyExclusive("print", "from-log")
}

// maxBuildFile bounds a script or a bundle of CAs, in bytes; both go into a Job.
const maxBuildFile = 1 << 20

// check reads what the flags name.
func (f *buildFlags) check() (err error) {
	if f.archs, err = module.ParseArchs(f.archs); err != nil {
		return fmt.Errorf("--arch: %w", err)
	}
	if f.settings.Source, err = build.NewSource(f.version, f.sourceURL, f.sourceSHA256); err != nil {
		return fmt.Errorf("--pfring-version, --source-url, --source-sha256: %w", err)
	}
	switch {
	case f.parallel < 1:
		return errors.New("--parallel must be at least 1")
	case f.settings.Timeout < time.Second:
		return errors.New("--timeout must be at least a second")
	case f.printWhat != "" && !slices.Contains(printable, f.printWhat):
		return fmt.Errorf("invalid --print %q: must be one of %s", f.printWhat, strings.Join(printable, ", "))
	case f.script != "" && f.settings.Image == "":
		return errors.New("--script requires --image, the image that it runs in")
	}
	for name, into := range map[string]*string{f.script: &f.settings.Script, f.sourceCA: &f.settings.CA} {
		if name == "" {
			continue
		}
		text, err := readfile.Bounded(name, maxBuildFile)
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return fmt.Errorf("%s is empty", name)
		}
		*into = string(text)
	}
	f.keep.pack.caFile = f.source.caFile
	f.settings.Proxy = map[string]string{"http": f.proxy, "https": f.proxy, "no": f.noProxy}
	return nil
}

func (f *buildFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.printWhat == "script" || f.printWhat == "dockerfile":
		return f.printRecipe(cmd)
	case f.printWhat != "":
		targets, skipped, err := f.plan(cmd)
		if err != nil {
			return err
		}
		return f.printJobs(cmd, targets, skipped)
	}
	keep, err := f.keep.open(cmd)
	if err != nil {
		return err
	}
	if f.fromLog != "" {
		return f.readLog(cmd, keep)
	}
	targets, skipped, err := f.plan(cmd)
	if err != nil {
		return err
	}
	return f.build(cmd, keep, targets, skipped)
}

// plan asks cluster and repository what to build for.
func (f *buildFlags) plan(cmd *cobra.Command) ([]build.Target, []build.Skipped, error) {
	namespace, err := f.nodes.kube.releaseNamespace()
	if err != nil {
		return nil, nil, err
	}
	f.settings.Namespace = namespace
	values, err := f.values.typed(cmd, renderer.DefaultReleaseName, f.nodes.kube.overrides.Context.Namespace)
	if err != nil {
		return nil, nil, err
	}
	targets, err := release.Targets(values.Tap)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := f.nodes.liveNodes(cmd.Context(), targets)
	if err != nil {
		return nil, nil, err
	}
	choice := build.Choice{Kernels: f.kernels, Archs: f.archs, AnySystem: f.script != "", Refuses: verdict.NewJudge().Refuses}
	if !f.all && len(f.kernels) == 0 {
		q := release.Question{Values: values, Namespace: f.nodes.kube.overrides.Context.Namespace, Access: f.source.access()}
		if choice.Has, err = f.present(cmd, q, nodes); err != nil {
			return nil, nil, fmt.Errorf("%w. To build without reading the repository, set --kernel or --all", err)
		}
	}
	return build.Plan(nodes, choice)
}

// present tells which kernels have a module.
func (f *buildFlags) present(cmd *cobra.Command, q release.Question, nodes []cluster.Node) (func(kernel, arch string) bool, error) {
	find, about, err := q.Answers(cmd.Context())
	if err != nil {
		return nil, err
	}
	for _, w := range about.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return nil, err
		}
	}
	have := map[[2]string]bool{}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.source.timeout)
	defer cancel()
	if find == nil {
		// No repository is named, so none has anything.
		return nil, nil
	}
	lookup := find(ctx)
	for _, n := range nodes {
		key := [2]string{n.Kernel, n.Arch}
		if _, asked := have[key]; !asked {
			have[key] = lookup(n.Kernel, n.Arch).Present
		}
	}
	return func(kernel, arch string) bool { return have[[2]string{kernel, arch}] }, nil
}
