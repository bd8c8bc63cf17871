package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// pushFlags are those of pfring module push.
type pushFlags struct {
	registryFlags
	ownIndex
	publicKeys []string
}

func newModulePushCmd(o *Options) *cobra.Command {
	f := &pushFlags{}
	cmd := &cobra.Command{
		Use:   "push DIR oci://REGISTRY/REPOSITORY",
		Short: "Publish a repository's folder in a registry, for oci:// sources",
		Long: `Publish a repository's folder in a registry, for oci:// sources.

Compares every module with the index and uploads what the registry does not have. Then
the tag "index" is moved to an artifact with the index, its signature and all modules.
--public-key verifies the signature first. With --key the copy gets its own index, and
--strip and --compress make its modules smaller.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1]) },
	}
	cmd.Example = examples(o, `module push ./repository oci://registry.example.com/pf-ring --public-key pfring.key.pub
module push ./repository oci://registry.example.com/pf-ring --key pfring.key --strip --compress`)
	cmd.Flags().StringArrayVar(&f.publicKeys, "public-key", nil, "minisign public key of the index, or its .pub `FILE`; repeatable")
	f.registryFlags.register(cmd)
	f.ownIndex.register(cmd)
	return cmd
}

func (f *pushFlags) run(cmd *cobra.Command, from, to string) (err error) {
	keys, err := (&release.Access{PublicKeys: f.publicKeys}).Keys()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil {
		return unreadable(from, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: push takes a module repository. For images of single modules use: pfring module pack", from)
	}
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + filepath.ToSlash(dir)})
	if err != nil {
		return err
	}
	o := mirror.Options{Source: source, Progress: copyProgress(cmd), Request: module.Request{Verify: outcome.VerifiedChecksum, Now: time.Now}}
	if len(keys) > 0 {
		o.Request.Verify, o.Request.PublicKeys = outcome.VerifiedSignature, keys
	}
	if own, err := f.apply(cmd, &o); err != nil {
		return err
	} else if own != "" {
		keys = []string{own}
	}
	remote, err := f.remote(cmd)
	if err != nil {
		return err
	}
	destination, err := mirror.NewRegistry(to, remote)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, destination.Close()) }()
	defer waiting.Begin(cmd.Context(), destination.String())()
	result, err := mirror.Run(cmd.Context(), o, destination)
	if err != nil {
		return err
	}
	return published{url: destination.String(), keys: keys, caFile: f.caFile}.tell(cmd, result)
}
