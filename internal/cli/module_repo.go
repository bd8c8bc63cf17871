package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"
	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

func newModuleIndexCmd(o *Options) *cobra.Command {
	var expires, key string
	var symvers, versions []string
	var shrink shrinkFlags
	cmd := &cobra.Command{
		Use:   "index DIR",
		Short: "Make or update a repository's index, and sign it",
		Long: `Make or update a repository's index, and sign it.

Every kernel module below DIR (.ko, .ko.gz, .ko.xz, .ko.zst) is read and listed in
DIR/index.json with its kernel release, architecture, version, size and sha256. The
serial grows by one. Then upload the folder: modules first, index and signature last.

--strip and --compress make the modules smaller, and each node then fetches about 60 KB
instead of 1.6 MB. A module with a kernel signature is not
stripped, since that would break the signature: strip first, then sign.

--symvers lists a module for a further kernel release, if the checksums of all its
symbols prove that it fits. It reads the Module.symvers of that release, which is in the
kernel's headers package. The proof stays in the index until the file changes.

--kernel-version says what uname -v prints on the nodes that a module is for. Use it when
two builds have the same kernel release, such as Ubuntu's HWE kernels or kernels that you
build yourself: without it two modules for one release are refused. VERSION can be a
folder with the kernel's headers. It stays in the index until the file is removed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := lifetime(expires)
			if err != nil {
				return err
			}
			options := repository.Options{Lifetime: d, Now: time.Now(), Shrink: shrink.options()}
			if options.Symvers, err = readSymvers(symvers); err != nil {
				return err
			}
			if options.KernelVersions, err = readKernelVersions(versions); err != nil {
				return err
			}
			return updateIndex(cmd, args[0], options, key)
		},
	}
	cmd.Example = examples(o, `module index ./repository --key pfring.key
module index ./repository --expires 90d --strip --compress
module index ./repository --key pfring.key --symvers 5.10.198-187.748.amzn2.x86_64=/usr/src/kernels/5.10.198-187.748.amzn2.x86_64/Module.symvers
module index ./repository --key pfring.key --kernel-version hwe/pf_ring.ko="#58~20.04.1-Ubuntu SMP PREEMPT_DYNAMIC Mon Oct 14 2024"`)
	cmd.Flags().StringVar(&expires, "expires", "365d", "how long nodes may use this index, such as 90d or 720h; 0 means that it does not expire")
	cmd.Flags().StringVar(&key, "key", "", "minisign secret key to sign with")
	cmd.Flags().StringSliceVar(&symvers, "symvers", nil, "RELEASE=`FILE`: prove which modules fit this kernel release too, by its Module.symvers; repeatable")
	cmd.Flags().StringArrayVar(&versions, "kernel-version", nil, "PATH=`VERSION`: what uname -v prints where the module at PATH below DIR fits, or a folder of its kernel's headers; repeatable")
	shrink.register(cmd)
	complete(cmd, "expires", cobra.NoFileCompletions)
	return cmd
}

// readKernelVersions reads PATH=VERSION for each module.
func readKernelVersions(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range list {
		path, version, ok := strings.Cut(text, "=")
		if !ok || path == "" || version == "" {
			return nil, fmt.Errorf("invalid --kernel-version %q: must be PATH=VERSION, such as \"modules/amd64/pf_ring.ko=$(uname -v)\"", text)
		}
		if strings.ContainsRune(version, filepath.Separator) && !strings.HasPrefix(version, "#") {
			headers := version
			var err error
			if version, err = repository.ReadKernelVersion(headers); err != nil {
				return nil, fmt.Errorf("--kernel-version: %w", err)
			}
		}
		out[filepath.ToSlash(filepath.Clean(path))] = version
	}
	return out, nil
}

// shrinkFlags say whether modules are made smaller.
type shrinkFlags struct{ strip, compress bool }

func (s *shrinkFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.strip, "strip", false, "strip debug information from modules that have no kernel signature")
	cmd.Flags().BoolVar(&s.compress, "compress", false, "compress modules by zstd, as .ko.zst")
}

func (s *shrinkFlags) options() repository.Shrink {
	return repository.Shrink{Strip: s.strip, Compress: s.compress}
}

// readSymvers reads RELEASE=FILE for each release.
func readSymvers(list []string) ([]repository.Symvers, error) {
	var out []repository.Symvers
	for _, text := range list {
		release, file, ok := strings.Cut(text, "=")
		if !ok || release == "" || file == "" {
			return nil, fmt.Errorf("invalid --symvers %q: must be RELEASE=FILE, such as \"$(uname -r)=/lib/modules/$(uname -r)/build/Module.symvers\"", text)
		}
		s, err := repository.ReadSymvers(release, file)
		if err != nil {
			return nil, fmt.Errorf("--symvers: %w", err)
		}
		out = append(out, s)
	}
	return out, nil
}

// updateIndex reads the key first: a wrong password must not leave an index
// without its signature.
func updateIndex(cmd *cobra.Command, dir string, options repository.Options, keyFile string) error {
	if keyFile != "" {
		key, err := readKey(cmd, keyFile)
		if err != nil {
			return err
		}
		options.Key = &key
	}
	change, err := repository.Update(cmd.Context(), dir, options)
	if err != nil {
		return repositoryError(err)
	}
	return printChange(cmd, change, options.Key, dir)
}

// repositoryError tells a folder that could not be read from one whose content
// is at fault.
func repositoryError(err error) error {
	if e := (*atomicfile.Error)(nil); errors.As(err, &e) {
		return err
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return err
	}
	return no(err)
}

func readKey(cmd *cobra.Command, file string) (minisign.PrivateKey, error) {
	return repository.ReadKey(file, func() (string, error) { return password(cmd, "Password of "+file+": ") })
}

// printChange says what an update did to the repository in dir, and what is left
// to do.
func printChange(cmd *cobra.Command, c repository.Change, key *minisign.PrivateKey, dir string) error {
	for _, w := range c.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	for _, group := range []struct {
		mark  string
		paths []string
	}{{"+", c.Added}, {"~", c.Replaced}, {"-", c.Removed}} {
		for _, p := range group.paths {
			if _, err := fmt.Fprintf(out, "%s %s\n", group.mark, p); err != nil {
				return err
			}
		}
	}
	if err := printProofs(cmd, c.Proofs); err != nil {
		return err
	}
	until := "indefinitely"
	if !c.Index.Expires.IsZero() {
		until = "until " + c.Index.Expires.Format(time.DateOnly)
	}
	if _, err := fmt.Fprintf(out, "%s: serial %d, %s, valid %s\n", module.IndexName, c.Index.Serial, text.Count(len(c.Index.Modules), "module"), until); err != nil {
		return err
	}
	if key != nil {
		return printSigned(cmd, c.Index, key)
	}
	if c.Unsigned {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: removed %s, which does not fit the new index: nodes refuse the index until it is signed\n", module.SignatureName); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "The index is not signed. Run: %s module sign %s --key FILE\n", cmd.Root().CommandPath(), printout.Shell(dir))
	return err
}

// printProofs says which modules fit further releases, and of a release that none
// fits what contradicts one of them.
func printProofs(cmd *cobra.Command, proofs []repository.Proof) error {
	proved, against := map[string]bool{}, map[string]repository.Proof{}
	for _, p := range proofs {
		if p.Why != "" {
			against[p.Release] = p
			continue
		}
		proved[p.Release] = true
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s fits kernel %s too (symvers)\n", p.Path, p.Release); err != nil {
			return err
		}
	}
	for _, release := range slices.Sorted(maps.Keys(against)) {
		if proved[release] {
			continue
		}
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "No module is proved to fit kernel %s. %s: %s\n", release, against[release].Path, against[release].Why); err != nil {
			return err
		}
	}
	return nil
}

func printSigned(cmd *cobra.Command, index *module.Index, key *minisign.PrivateKey) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: serial %d signed by key %016X\n", module.SignatureName, index.Serial, key.ID())
	return err
}

func newModuleSignCmd(o *Options) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "sign DIR",
		Short: "Sign a repository's index with a minisign key",
		Long: `Sign a repository's index with a minisign key.

Writes DIR/index.json.minisig. The key was made by pfring module keygen or by the
minisign tool. The password of an encrypted key is asked for, or read from
` + passwordEnv + `.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := readKey(cmd, key)
			if err != nil {
				return err
			}
			return signIndex(cmd, args[0], secret)
		},
	}
	cmd.Example = examples(o, "module sign ./repository --key pfring.key")
	cmd.Flags().StringVar(&key, "key", "", "minisign secret key")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // a slip in the line above
	}
	return cmd
}

func signIndex(cmd *cobra.Command, dir string, key minisign.PrivateKey) error {
	index, err := repository.Sign(cmd.Context(), dir, key, time.Now())
	if err != nil {
		return repositoryError(err)
	}
	return printSigned(cmd, index, &key)
}

func newModuleKeygenCmd(o *Options) *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a minisign key pair to sign a repository with",
		Long: `Make a minisign key pair to sign a repository with.

Writes the secret key to FILE and the public key to FILE.pub, and prints what to put
into tap.kernelModule.source.publicKeys. Existing files are left alone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret := ""
			if !plain {
				var err error
				if secret, err = password(cmd, "Password for the new key: "); err != nil {
					return fmt.Errorf("%w, or use --no-password", err)
				}
			}
			public, err := repository.NewKey(args[0], secret)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Wrote the secret key to %s and the public key to %s.pub. Keep the secret key; nodes need the public key, in tap.kernelModule.source.publicKeys:\n", args[0], args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", public)
			return err
		},
	}
	cmd.Example = examples(o, "module keygen pfring.key")
	cmd.Flags().BoolVar(&plain, "no-password", false, "do not encrypt the secret key")
	return cmd
}
