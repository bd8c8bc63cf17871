package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// packFlags are those of pfring module pack.
type packFlags struct {
	registryFlags
	output, base, dirName   string
	busybox, archs, kernels []string
	strip                   bool
	labels                  map[string]string
	// flag is the one that output is from.
	flag string
}

func (f *packFlags) flagName() string {
	if f.flag != "" {
		return f.flag
	}
	return "--output"
}

func newModulePackCmd(o *Options) *cobra.Command {
	f := &packFlags{}
	cmd := &cobra.Command{
		Use:   "pack FILE|DIR... --output TARGET",
		Short: "Pack kernel modules into images for KMM and for oci:// sources",
		Long: `Pack kernel modules into images for KMM and for oci:// sources.

Puts every module (.ko, .ko.gz, .ko.xz, .ko.zst) that is named, or is below a folder,
into an image as /opt/lib/modules/RELEASE/pf_ring.ko, with the index files that modprobe
reads. Requires no Docker, root or depmod. The same modules on the same base always give
the same bytes.

TARGET is REGISTRY/REPOSITORY[:TAG], oci:DIR[:TAG] or docker-archive:FILE[:NAME[:TAG]].
Without a tag each kernel gets its own image, tagged with its release as KMM's
${KERNEL_FULL_VERSION} has it; with a tag all kernels go into one image. Modules for
amd64 and arm64 become one index. Tags are written last.

KMM runs /bin/sh, mkdir and cp in the image. They come from --base, an image by
reference or oci:DIR, or from the static programs of --busybox. --base scratch is
enough for images that only the agent reads.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Example = examples(o, `module pack ./repository --output registry.example.com/pf-ring-module
module pack pf_ring.ko --output oci:./image --busybox busybox-static_amd64.deb
module pack pf_ring.ko --output docker-archive:image.tar`)
	fl := cmd.Flags()
	fl.StringVarP(&f.output, "output", "o", "", "where the images go: REGISTRY/REPOSITORY[:TAG], oci:DIR[:TAG] or docker-archive:FILE[:NAME[:TAG]]")
	fl.StringVar(&f.base, "base", image.DefaultBase, "base image: a reference, oci:DIR, or scratch")
	fl.StringArrayVar(&f.busybox, "busybox", nil, "static busybox to use instead of a base image, a program or Debian's busybox-static.deb; one for each architecture")
	fl.StringSliceVar(&f.archs, "arch", nil, "only these architectures: amd64, arm64")
	fl.StringSliceVar(&f.kernels, "kernel", nil, "only these kernel releases")
	fl.StringVar(&f.dirName, "dir-name", image.DirName, "folder of the image with lib/modules; KMM's modprobe.dirName")
	fl.BoolVar(&f.strip, "strip", false, "strip debug information from modules that have no kernel signature")
	fl.StringToStringVar(&f.labels, "label", nil, "labels of the images, KEY=VALUE")
	f.register(cmd)
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err) // a slip in the line above
	}
	return cmd
}

func (f *packFlags) run(cmd *cobra.Command, args []string) error {
	p, err := f.packer(cmd)
	if err != nil {
		return err
	}
	if f.archs, err = module.ParseArchs(f.archs); err != nil {
		return fmt.Errorf("--arch: %w", err)
	}
	modules, err := image.Read(args, "pf_ring")
	if err != nil {
		return no(err)
	}
	if modules, err = f.chosen(modules); err != nil {
		return no(err)
	}
	if f.strip {
		for i, m := range modules {
			plain, err := strip.Debug(m.Data)
			if errors.Is(err, strip.ErrSigned) {
				continue
			}
			if err != nil {
				return no(fmt.Errorf("%s: %w", m.From, err))
			}
			modules[i].Data = plain
		}
	}
	return p.pack(cmd.Context(), cmd, modules)
}

// packer is what the flags say, read and found good.
type packer struct {
	flags  *packFlags
	remote *image.Remote
	target image.Target
	base   image.Base
	at     time.Time
}

func (f *packFlags) packer(cmd *cobra.Command) (*packer, error) {
	remote, err := f.remote(cmd)
	if err != nil {
		return nil, err
	}
	p := &packer{flags: f, remote: remote}
	if p.target, err = image.ParseTarget(f.output, remote); err != nil {
		return nil, fmt.Errorf("%s: %w", f.flagName(), err)
	}
	if p.at, err = sourcedate.Get(time.Time{}); err != nil {
		return nil, err
	}
	p.base, err = f.openBase(remote)
	return p, err
}

// pack makes the images, puts them where they go and prints where that is.
func (p *packer) pack(ctx context.Context, cmd *cobra.Command, modules []image.Module) error {
	o := image.Options{Base: p.base, DirName: p.flags.dirName, Created: p.at, Labels: p.flags.labels}
	stop := sending(cmd, p.remote)
	defer stop()
	images, err := buildImages(ctx, modules, p.target.Tag(), o)
	if err != nil {
		return err
	}
	written, err := p.target.Write(ctx, images)
	for _, w := range written {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), w); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return p.flags.tell(cmd, p.base)
}

// openBase is nil for scratch.
func (f *packFlags) openBase(remote *image.Remote) (image.Base, error) {
	dir, isLayout := strings.CutPrefix(f.base, "oci:")
	switch {
	case len(f.busybox) > 0:
		return image.ReadBusybox(f.busybox)
	case f.base == "scratch":
		return nil, nil
	case isLayout && !strings.HasPrefix(dir, "//"):
		return image.LayoutBase(dir), nil
	}
	return image.NewRegistryBase(f.base, remote)
}

func (f *packFlags) chosen(modules []image.Module) ([]image.Module, error) {
	for _, kernel := range f.kernels {
		if !slices.ContainsFunc(modules, func(m image.Module) bool { return m.Info.KernelRelease == kernel }) {
			return nil, fmt.Errorf("no module for kernel %s found", kernel)
		}
	}
	out := slices.DeleteFunc(modules, func(m image.Module) bool {
		return (len(f.kernels) > 0 && !slices.Contains(f.kernels, m.Info.KernelRelease)) || (len(f.archs) > 0 && !slices.Contains(f.archs, m.Info.Arch))
	})
	if len(out) == 0 {
		return nil, errors.New("no module found for --arch " + strings.Join(f.archs, ","))
	}
	return out, nil
}

// buildImages makes one image with a tag, or one for each kernel.
func buildImages(ctx context.Context, modules []image.Module, tag string, o image.Options) ([]image.Named, error) {
	if tag != "" {
		img, err := image.Build(ctx, modules, o)
		return []image.Named{{Tag: tag, Image: img}}, err
	}
	return image.BuildEach(ctx, modules, o)
}

// tell says on stderr what to do with the images.
func (f *packFlags) tell(cmd *cobra.Command, base image.Base) error {
	if b, ok := base.(*image.RegistryBase); ok && !b.Pinned() {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "base %s; to get the same bytes next time, set --base with this digest\n", b); err != nil {
			return err
		}
	}
	if strings.HasPrefix(f.output, "docker-archive:") || (strings.HasPrefix(f.output, "oci:") && !strings.HasPrefix(f.output, "oci://")) {
		return nil
	}
	image, tagged := strings.TrimPrefix(f.output, "oci://"), strings.Contains(f.output[strings.LastIndexByte(f.output, '/')+1:], ":")
	if !tagged {
		image += ":${KERNEL_FULL_VERSION}"
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), `values for KMM:
tap:
  kernelModule:
    mode: kmm
    kernelMappings:
      - regexp: '^.+$'
        containerImage: %s
`, image)
	return err
}
