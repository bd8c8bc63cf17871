package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// mirrorFlags are those of pfring module mirror.
type mirrorFlags struct {
	registryFlags
	ownIndex
	kube                                         kubeFlags
	verify, region, endpoint, nodesFrom, version string
	toRegion, toEndpoint                         string
	publicKeys, kernels, archs                   []string
	pathStyle, cluster                           bool
	minSerial                                    int64
}

func newModuleMirrorCmd(o *Options) *cobra.Command {
	f := &mirrorFlags{}
	cmd := &cobra.Command{
		Use:   "mirror SOURCE DESTINATION",
		Short: "Copy a module repository, or the part that a cluster needs, to where nodes can reach it",
		Long: `Copy a module repository, or the part that a cluster needs, to where nodes can reach it.

SOURCE is a folder, a .tar file or the URL of a repository,
` + module.URLForms() + `.
DESTINATION is oci://REGISTRY/REPOSITORY, s3://BUCKET/PREFIX, a folder or a .tar file, such
as for a USB stick. All modules are copied, or with --cluster, --nodes-from or --kernel only those
that these nodes or kernels need.

The index must pass --verify, and every module must match its digest, before anything is
stored. The index is written last, and what is already stored is not fetched again: run
the command again after a failure, or to add what is new.

Index and signature are copied unchanged, so the nodes' public keys stay the same. With
--key the copy gets its own index of the copied modules, signed with that key; --strip and
--compress then make the modules smaller. A file that is not a kernel module, or not the
one that the index describes, ends the run. The values to use are printed.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1]) },
	}
	cmd.Example = examples(o, `module mirror https://modules.example.com/pf-ring bundle.tar --public-key pfring.pub
module mirror https://modules.example.com/pf-ring s3://bucket/pf-ring --cluster --public-key pfring.pub
kubectl get nodes -o json | pfring module mirror bundle.tar oci://registry.local/pf-ring --nodes-from - --public-key pfring.pub
module mirror s3://bucket/pf-ring ./copy --kernel 6.1.0-18-amd64 --public-key pfring.pub --key own.key`)
	fl := cmd.Flags()
	fl.StringVar(&f.verify, "verify", "signature", "what the source must pass: signature or checksum")
	fl.StringArrayVar(&f.publicKeys, "public-key", nil, "minisign public key of the source, or its .pub `FILE`; repeatable")
	fl.Int64Var(&f.minSerial, "min-serial", 0, "refuse an index with a lower serial")
	fl.StringSliceVar(&f.kernels, "kernel", nil, "only this kernel release; repeatable")
	fl.StringSliceVar(&f.archs, "arch", nil, "only this architecture: amd64 or arm64; repeatable")
	fl.StringVar(&f.nodesFrom, "nodes-from", "", "only what the nodes in `FILE` need: a saved kubectl get nodes -o json|yaml, or a kernel release on each line; - is stdin")
	fl.BoolVar(&f.cluster, "cluster", false, "only what the nodes of the kubeconfig's cluster need")
	fl.StringVar(&f.version, "version", "", "only this version of PF_RING")
	fl.StringVar(&f.region, "region", "", "s3: region")
	fl.StringVar(&f.endpoint, "endpoint", "", "s3: URL of a server other than AWS")
	fl.StringVar(&f.toRegion, "to-region", "", "s3: region of the destination, if it is not --region")
	fl.StringVar(&f.toEndpoint, "to-endpoint", "", "s3: server of the destination, if it is not --endpoint")
	fl.BoolVar(&f.pathStyle, "path-style", false, "s3: put the bucket into the path, not into the host name")
	f.kube.register(cmd)
	f.registryFlags.register(cmd)
	f.ownIndex.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("nodes-from", "kernel", "cluster")
	return cmd
}

func (f *mirrorFlags) run(cmd *cobra.Command, from, to string) (err error) {
	keys, err := (&release.Access{PublicKeys: f.publicKeys}).Keys()
	if err != nil {
		return err
	}
	if f.verify != string(outcome.VerifiedSignature) && f.verify != string(outcome.VerifiedChecksum) {
		return fmt.Errorf("invalid --verify %q: must be signature or checksum", f.verify)
	}
	if f.verify == string(outcome.VerifiedSignature) && len(keys) == 0 {
		return errors.New("--verify signature requires --public-key: give the source's key, or skip signature verification with --verify checksum")
	}
	if f.archs, err = module.ParseArchs(f.archs); err != nil {
		return fmt.Errorf("--arch: %w", err)
	}
	source, closeSource, err := f.openSource(cmd, from)
	if err != nil {
		return advised(err, verdict.Caller{Argument: true, CAFile: f.caFile})
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	limit, err := requestTimeout(cmd)
	if err != nil {
		return err
	}
	o := mirror.Options{Source: source, Limit: limit, Progress: copyProgress(cmd), Request: module.Request{
		Verify: outcome.Verified(f.verify), PublicKeys: keys, MinSerial: f.minSerial, Now: time.Now,
	}}
	var missing func() []string
	if o.Want, missing, err = f.want(cmd); err != nil {
		return err
	}
	o.SkipAbsent = !f.chooses()
	if own, err := f.apply(cmd, &o); err != nil {
		return err
	} else if own != "" {
		keys = []string{own}
	}
	destination, err := f.openDestination(cmd, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, destination.Close()) }()
	defer waiting.Begin(cmd.Context(), "the module repository "+source.String())()
	result, err := mirror.Run(cmd.Context(), o, destination)
	if errors.Is(err, mirror.ErrNothingWanted) {
		return no(fmt.Errorf("%s: %w", source, err))
	}
	if err != nil {
		return advised(err, verdict.Caller{Argument: true, CAFile: f.caFile})
	}
	for _, kernel := range missing() {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: the source has no module for kernel %s\n", printout.Line(kernel)); err != nil {
			return err
		}
	}
	return published{
		url: destination.String(), keys: keys, caFile: f.caFile,
		region: cmp.Or(f.toRegion, f.region), endpoint: cmp.Or(f.toEndpoint, f.endpoint), pathStyle: f.pathStyle,
	}.tell(cmd, result)
}

func (f *mirrorFlags) openSource(cmd *cobra.Command, text string) (module.Source, func() error, error) {
	if strings.HasSuffix(text, ".tar") && !strings.Contains(text, "://") {
		t, err := mirror.OpenTar(text)
		if err != nil {
			return nil, nil, err
		}
		return t, t.Close, nil
	}
	if !strings.Contains(text, "://") {
		dir, err := filepath.Abs(text)
		if err != nil {
			return nil, nil, err
		}
		text = "file://" + filepath.ToSlash(dir)
	}
	source, err := module.OpenSource(module.SourceOptions{
		URL: text, Region: f.region, Endpoint: f.endpoint, PathStyle: f.pathStyle, CAFile: f.caFile, UserAgent: userAgent(),
		Login: image.CallerLogin(f.dockerConfig), Log: sourceLog(cmd), UnknownHostFinal: true,
	})
	return source, func() error { return nil }, err
}

func (f *mirrorFlags) openDestination(cmd *cobra.Command, text string) (mirror.Destination, error) {
	scheme, rest, isURL := strings.Cut(text, "://")
	switch {
	case scheme == "oci" && isURL:
		remote, err := f.remote(cmd)
		if err != nil {
			return nil, err
		}
		return mirror.NewRegistry(text, remote)
	case scheme == "file" && isURL:
		return mirror.NewFolder(cmd.Context(), filepath.FromSlash(rest))
	case scheme == "s3" && isURL:
		return mirror.NewBucket(module.SourceOptions{
			URL: text, Region: cmp.Or(f.toRegion, f.region), Endpoint: cmp.Or(f.toEndpoint, f.endpoint), PathStyle: f.pathStyle,
			CAFile: f.caFile, UserAgent: userAgent(), Log: sourceLog(cmd), UnknownHostFinal: true,
		})
	case isURL:
		return nil, fmt.Errorf("cannot write to %s://: not supported. Mirror to a folder, then upload the folder with your server's tool, index.json and its signature last", scheme)
	case strings.HasSuffix(text, ".tar"):
		return mirror.NewTarball(text)
	}
	return mirror.NewFolder(cmd.Context(), text)
}

// chooses tells whether certain kernels are asked for.
func (f *mirrorFlags) chooses() bool { return f.cluster || f.nodesFrom != "" || len(f.kernels) > 0 }

// want chooses modules by the flags. missing says afterwards which kernels have
// none.
func (f *mirrorFlags) want(cmd *cobra.Command) (want func(module.Entry) bool, missing func() []string, err error) {
	found := map[string]bool{} // by kernel and, where it is known, architecture
	for _, kernel := range f.kernels {
		found[kernel] = false
	}
	if f.nodesFrom != "" || f.cluster {
		n := nodeFlags{kube: f.kube, from: f.nodesFrom}
		nodes, err := n.nodes(cmd.Context(), input(cmd), cluster.Targets{})
		if err != nil {
			return nil, nil, err
		}
		for _, n := range nodes {
			found[strings.TrimSpace(n.Kernel+" "+n.Arch)] = false
		}
	}
	all := len(found) == 0
	want = func(e module.Entry) bool {
		if (len(f.archs) > 0 && !slices.Contains(f.archs, e.Arch)) || (f.version != "" && f.version != e.Version) {
			return false
		}
		for _, key := range []string{e.KernelRelease, e.KernelRelease + " " + e.Arch} {
			if _, asked := found[key]; asked {
				found[key] = true
				return true
			}
		}
		return all
	}
	return want, func() []string {
		maps.DeleteFunc(found, func(_ string, there bool) bool { return there })
		return slices.Sorted(maps.Keys(found))
	}, nil
}
