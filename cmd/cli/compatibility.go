package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/cluster"
	"github.com/kubeshark/kubeshark-pfring/compatibility"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// compatibilityFlags are what the user typed.
type compatibilityFlags struct {
	values  valuesFlags
	nodes   nodeFlags
	source  sourceFlags
	release string
	output  string
}

func newCompatibilityCmd(o *Options) *cobra.Command {
	f := &compatibilityFlags{}
	cmd := &cobra.Command{
		Use:     "compatibility",
		GroupID: groupCluster,
		Short:   "Say which nodes can have PF_RING",
		Long: `Say which nodes can have PF_RING.

Reads the kernels of all nodes from the API, creates nothing, and looks in the module
repository for exactly these. With tap.kernelModule.mode=kmm in the values it says which
kernel mapping and image each kernel gets. Nodes that tap.nodeSelectorTerms leaves out
do not count. What cannot be told without trying is unknown.

Exit codes: 0 every node is supported; 1 one is not, or is unknown; 2 the cluster or the
repository could not be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCompatibility(cmd, f) },
	}
	cmd.Example = examples(o, `compatibility
compatibility -f values.yaml --source s3://modules/pf_ring -o wide
compatibility --kernel 6.8.0-51-generic --arch arm64
compatibility --nodes-from nodes.json -o html > report.html`)
	fl := cmd.Flags()
	f.nodes.register(cmd)
	f.source.register(cmd)
	f.values.register(cmd)
	fl.StringVar(&f.release, "release-name", renderer.DefaultReleaseName, "name of the release")
	fl.StringVarP(&f.output, "output", "o", "table", strings.Join(compatibility.Formats(), ", "))
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "output", cobra.FixedCompletions(compatibility.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runCompatibility(cmd *cobra.Command, f *compatibilityFlags) error {
	if !slices.Contains(compatibility.Formats(), f.output) {
		return fmt.Errorf("--output %q: it is one of %s", f.output, strings.Join(compatibility.Formats(), ", "))
	}
	values, err := f.values.typed(cmd, f.release, f.nodes.kube.namespace)
	if err != nil {
		return err
	}
	report, err := report(cmd, values, &f.nodes, &f.source, f.release, nil)
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	if err := report.Write(cmd.OutOrStdout(), f.output); err != nil {
		return err
	}
	if !report.Compatible {
		return no(nil)
	}
	return nil
}

// report reads nodes and source, at the same time, and matches them. A source
// that cannot be read is an error, unless otherwise says what to answer then.
func report(
	cmd *cobra.Command, values valuesschema.Values, n *nodeFlags, s *sourceFlags, release string, otherwise compatibility.Lookup,
) (compatibility.Report, error) {
	terms, err := cluster.ParseTerms(values.Tap.WorkerTerms())
	if err != nil {
		return compatibility.Report{}, err
	}
	targets := cluster.Targets{Terms: terms, Labels: values.Tap.KernelModule.Agent.NodeSelector}
	mode := values.Tap.KernelModule.Mode
	if mode == "kmm" && len(values.Tap.KernelModule.KMM.Selector) > 0 {
		targets = cluster.Targets{Labels: values.Tap.KernelModule.KMM.Selector}
	}
	type listed struct {
		nodes []cluster.Node
		err   error
	}
	list := make(chan listed, 1)
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go func() {
		nodes, err := n.nodes(ctx, cmd.InOrStdin(), targets)
		list <- listed{nodes, err}
	}()
	find, about, err := answers(ctx, values, s, release, n.kube.namespace)
	if e := (*module.Error)(nil); otherwise != nil && errors.As(err, &e) {
		about.Warnings = append(about.Warnings, err.Error())
		find, err = otherwise, nil
	}
	if err != nil {
		return compatibility.Report{}, err
	}
	got := <-list
	if got.err != nil {
		return compatibility.Report{}, got.err
	}
	r := compatibility.Match(got.nodes, find)
	r.Mode, r.Source, r.Verify, r.Warnings = mode, about.Source, about.Verify, about.Warnings
	if len(n.kernels) > 0 {
		r.Subject = compatibility.SubjectKernels
	}
	r.Conclude()
	return r, nil
}

// answers is what to ask about a kernel: the repository, or in kmm the mappings.
func answers(ctx context.Context, values valuesschema.Values, s *sourceFlags, release, namespace string) (compatibility.Lookup, compatibility.Report, error) {
	var about compatibility.Report
	k := values.Tap.KernelModule
	if k.Mode == "kmm" {
		if s.url != "" {
			return nil, about, errors.New("--source: in kmm mode modules come from the images of tap.kernelModule.kernelMappings")
		}
		m := compatibility.Mappings{List: k.KernelMappings, ModuleName: k.KMM.ModuleName, Namespace: namespace}
		if m.ModuleName == "" {
			m.ModuleName = release + "-pf-ring"
		}
		if m.Namespace == "" {
			m.Namespace = renderer.DefaultNamespace
		}
		return m.Lookup, about, nil
	}
	source, request, warnings, err := s.open(k.Source)
	if err != nil {
		return nil, about, err
	}
	about.Verify = string(request.Verify)
	reading, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	repository, err := compatibility.ReadRepository(reading, source, request)
	if err != nil {
		return nil, about, err
	}
	about.Source = repository.Source
	about.Warnings = slices.Concat(warnings, repository.Warnings)
	return repository.Lookup(ctx), about, nil
}

// typed merges and validates the values. Invalid ones are told as by validate,
// and the answer is then no.
func (v *valuesFlags) typed(cmd *cobra.Command, release, namespace string) (valuesschema.Values, error) {
	var values valuesschema.Values
	o, err := v.loadOptions(cmd.InOrStdin())
	if err != nil {
		return values, err
	}
	o.ReleaseName, o.Namespace = release, namespace
	doc, err := valuesschema.Load(o)
	if err != nil {
		return values, err
	}
	problems := doc.Validate()
	if errs, _ := valuesschema.Count(problems); errs > 0 {
		if err := writeProblems(cmd.ErrOrStderr(), "brief", problems, len(v.files)); err != nil {
			return values, err
		}
		return values, no(errors.New("the values are invalid"))
	}
	return doc.Typed()
}
