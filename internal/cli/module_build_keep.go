package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

// buildKeep says where built modules go.
type buildKeep struct {
	dir, repository, key, expires string
	compress                      bool
	pack                          packFlags
}

func (k *buildKeep) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&k.dir, "output-dir", "o", "", "folder for the modules, as ARCH/pf-ring-RELEASE.ko.zst (default . unless --repository or --pack is set)")
	fl.BoolVar(&k.compress, "compress", true, "compress modules in --output-dir by zstd; =false keeps .ko files, such as for insmod")
	fl.StringVar(&k.repository, "repository", "", "folder of a module repository to add the modules to; its index is updated")
	fl.StringVar(&k.key, "key", "", "with --repository: minisign secret key to sign the index with")
	fl.StringVar(&k.expires, "expires", "365d", "with --repository: how long nodes may use the index; 0 means that it does not expire")
	fl.StringVar(&k.pack.output, "pack", "", "make images of the modules too, at REGISTRY/REPOSITORY[:TAG], oci:DIR[:TAG] or docker-archive:FILE[:NAME[:TAG]]")
	fl.StringVar(&k.pack.base, "base", image.DefaultBase, "with --pack: base image, as in module pack")
	fl.StringArrayVar(&k.pack.busybox, "busybox", nil, "with --pack: static busybox to use instead of a base image, as in module pack")
	k.pack.register(cmd)
	k.pack.flag, k.pack.dirName = "--pack", image.DirName
	for _, name := range []string{"expires", "pack", "base"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
}

// keeper takes modules as they come.
type keeper struct {
	flags  *buildKeep
	life   time.Duration
	packer *packer
	got    []build.Module
}

// open finds out before anything is built whether there is a place for it.
func (k *buildKeep) open(cmd *cobra.Command) (*keeper, error) {
	out := &keeper{flags: k}
	var err error
	if out.life, err = lifetime(k.expires); err != nil {
		return nil, err
	}
	if k.dir == "" && k.repository == "" && k.pack.output == "" {
		k.dir = "."
	}
	if k.key != "" && k.repository == "" {
		return nil, errors.New("--key requires --repository, whose index it signs")
	}
	for _, dir := range []string{k.dir, k.repository} {
		if dir == "" {
			continue
		}
		if err := build.CheckFolder(dir); err != nil {
			return nil, err
		}
	}
	if k.pack.output != "" {
		if out.packer, err = k.pack.packer(cmd); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// add keeps a module at once where that can be done for one alone.
func (k *keeper) add(cmd *cobra.Command, m build.Module) error {
	k.got = append(k.got, m)
	if k.flags.dir == "" {
		return nil
	}
	path, err := build.WriteFile(k.flags.dir, m, k.flags.compress)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}

// finish does what is done once for all: the repository's index and images.
func (k *keeper) finish(ctx context.Context, cmd *cobra.Command) error {
	if len(k.got) == 0 {
		return nil
	}
	return errors.Join(k.intoRepository(ctx, cmd), k.intoImages(ctx, cmd))
}

func (k *keeper) intoRepository(ctx context.Context, cmd *cobra.Command) error {
	dir := k.flags.repository
	if dir == "" {
		return nil
	}
	options := repository.Options{Lifetime: k.life, Now: time.Now()}
	if k.flags.key != "" {
		key, err := readKey(cmd, k.flags.key)
		if err != nil {
			return err
		}
		options.Key = &key
	}
	change, err := build.AddToRepository(ctx, dir, k.got, options)
	if err != nil {
		return repositoryError(fmt.Errorf("%s: %w", dir, err))
	}
	return printChange(cmd, change, options.Key, dir)
}

func (k *keeper) intoImages(ctx context.Context, cmd *cobra.Command) error {
	if k.packer == nil {
		return nil
	}
	var modules []image.Module
	for _, m := range k.got {
		one, err := image.Check(m.Data, "pf_ring")
		if err != nil {
			return err
		}
		modules = append(modules, one)
	}
	return k.packer.pack(ctx, cmd, modules)
}

// openLog opens a file, or stdin for -.
func openLog(cmd *cobra.Command, name string) (io.Reader, func() error, error) {
	if name == "-" {
		return cmd.InOrStdin(), func() error { return nil }, nil
	}
	file, err := openFile(cmd.Context(), name)
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

func indented(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n    " + strings.Join(lines, "\n    ")
}
