package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/sign"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// signKernelFlags are those of pfring module sign-kernel.
type signKernelFlags struct {
	key, cert, hash, output string
	replace, strip          bool
}

func newModuleSignKernelCmd(o *Options) *cobra.Command {
	f := &signKernelFlags{}
	cmd := &cobra.Command{
		Use:   "sign-kernel FILE",
		Short: "Sign a kernel module for Secure Boot, as the kernel's sign-file does",
		Long: `Sign a kernel module for Secure Boot, as the kernel's sign-file does.

Appends a PKCS #7 signature to the module, in place or into --output. A compressed module
is unpacked, signed, and compressed again by zstd. --strip removes debug information
first, since stripping after signing would break the signature.

Nodes load the module when their kernel trusts the certificate: enrolled as a machine
owner key (mokutil --import), in the firmware's db, or built into the kernel.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Example = examples(o, `module sign-kernel pf_ring.ko --key mok.key --cert mok.pem
module sign-kernel pf_ring.ko.xz --key mok.key --cert mok.der --output signed/pf_ring.ko`)
	fl := cmd.Flags()
	fl.StringVar(&f.key, "key", "", "private key, RSA or ECDSA, in PEM")
	fl.StringVar(&f.cert, "cert", "", "X.509 certificate of the key, in PEM or DER")
	fl.StringVar(&f.hash, "hash", "sha256", "sha256, sha384 or sha512")
	fl.StringVarP(&f.output, "output", "o", "", "write the signed module to this `FILE` instead of in place")
	fl.BoolVar(&f.strip, "strip", false, "strip debug information before signing: 1.6 MB become 260 KB")
	fl.BoolVar(&f.replace, "replace", false, "replace an existing signature")
	for _, name := range []string{"key", "cert"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a slip in the line above
		}
	}
	return cmd
}

func (f *signKernelFlags) run(cmd *cobra.Command, path string) error {
	key, err := sign.ReadKey(f.key)
	if err != nil {
		return err
	}
	cert, err := sign.ReadCertificate(f.cert)
	if err != nil {
		return err
	}
	data, err := readBounded(cmd.Context(), path)
	if err != nil {
		return err
	}
	plain, format, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return no(fmt.Errorf("%s: %w", path, err))
	}
	to := path
	if f.output != "" {
		to = f.output
	}
	compress := strings.HasSuffix(to, ".zst")
	if format != module.FormatRaw && !compress && f.output == "" {
		return fmt.Errorf("%s is compressed (%s), and this command writes zstd. Set --output to another file, such as pf_ring.ko.zst", path, format)
	}
	info, err := module.Inspect(plain)
	if err != nil {
		return no(fmt.Errorf("%s: %w", path, err))
	}
	if info.Signed {
		if !f.replace {
			return no(fmt.Errorf("%s is already signed by %q. Use --replace to replace the signature", path, info.Signer))
		}
		if plain, _, err = sign.Strip(plain); err != nil {
			return no(fmt.Errorf("%s: %w", path, err))
		}
	}
	if f.strip {
		if plain, err = strip.Debug(plain); err != nil {
			return no(fmt.Errorf("%s: %w", path, err))
		}
	}
	signed, err := sign.Sign(plain, key, cert, f.hash)
	if err != nil {
		return no(fmt.Errorf("%s: %w", path, err))
	}
	if compress {
		if signed, err = strip.Compress(signed); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteOutput(to, signed, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s for kernel %s, signed by %q (%s)\n", to, info.Name, info.Version, info.KernelRelease, cert.Subject.CommonName, f.hash)
	return err
}
