package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// sourceFlags say how this machine gets at the module repository of the values.
// The values' own proxy, CA bundle and Secrets are the nodes'.
type sourceFlags struct {
	url, caFile string
	publicKeys  []string
	timeout     time.Duration
	// images says that kmm's images are looked up.
	images bool
}

func (s *sourceFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&s.url, "source", "", "module repository, instead of tap.kernelModule.source.url")
	fl.StringArrayVar(&s.publicKeys, "public-key", nil, "minisign public key of the repository, or its .pub `FILE`, beside those of the values; repeatable")
	fl.StringVar(&s.caFile, "ca-file", "", "PEM `FILE` with CAs that the repository's or registry's certificate may be from, beside the system's")
	fl.DurationVar(&s.timeout, "source-timeout", time.Minute, "give up on the repository, or the registries, after this time")
	complete(cmd, "source", cobra.NoFileCompletions)
	complete(cmd, "source-timeout", cobra.NoFileCompletions)
}

// open opens the repository of the values. Warnings say what is not as on the
// nodes.
func (s *sourceFlags) open(values valuesschema.Source) (source module.Source, request module.Request, warnings []string, err error) {
	url := values.URL
	if s.url != "" {
		url = s.url
	}
	request = module.Request{
		Version: values.Version, Verify: outcome.Verified(values.Verify), PublicKeys: values.PublicKeys, MinSerial: values.MinSerial,
		Now: time.Now,
	}
	keys, err := s.keys()
	if err != nil {
		return nil, request, nil, err
	}
	request.PublicKeys = slices.Concat(request.PublicKeys, keys)
	if request.Verify == outcome.VerifiedSignature && values.PublicKeySecret != "" && len(request.PublicKeys) == 0 {
		request.Verify = outcome.VerifiedChecksum
		warnings = append(warnings, "the public keys are in the Secret "+values.PublicKeySecret+
			", which is not read: the index's signature was not checked here; give the key with --public-key")
	}
	if values.CredentialsSecret != "" {
		warnings = append(warnings, "the nodes use the credentials of the Secret "+values.CredentialsSecret+", this command its caller's own")
	}
	source, err = module.OpenSource(module.SourceOptions{
		URL: url, Region: values.Region, Endpoint: values.Endpoint, PathStyle: values.PathStyle, CAFile: s.caFile, UserAgent: userAgent(),
	})
	return source, request, warnings, err
}

// keys are those of --public-key, without their comments.
func (s *sourceFlags) keys() ([]string, error) {
	var keys []string
	for _, text := range s.publicKeys {
		if data, err := os.ReadFile(text); err == nil {
			text = string(data)
		}
		key, err := module.ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("--public-key: neither a file nor a key: %w", err)
		}
		keys = append(keys, key.String())
	}
	return keys, nil
}

func userAgent() string { return "pfring/" + strings.TrimSpace(Version) }
