package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// sourceFlags say how this machine gets at the module repository of the values.
// The values' own proxy, CA bundle and Secrets are the nodes', unless
// --use-cluster-secrets borrows them.
type sourceFlags struct {
	kube        *kubeFlags
	url, caFile string
	publicKeys  []string
	timeout     time.Duration
	// images says that kmm's images are looked up.
	images         bool
	clusterSecrets bool
}

// register takes the flags that say in which cluster the values' Secrets are.
func (s *sourceFlags) register(cmd *cobra.Command, kube *kubeFlags) {
	s.kube = kube
	fl := cmd.Flags()
	fl.BoolVar(&s.clusterSecrets, "use-cluster-secrets", false, "read the Secrets and CA bundle that the values name from the cluster, and use them from here instead of your own logins")
	fl.StringVar(&s.url, "source", "", "module repository, instead of tap.kernelModule.source.url")
	fl.StringArrayVar(&s.publicKeys, "public-key", nil, "minisign public key of the repository, or its .pub `FILE`, beside those of the values; repeatable")
	fl.StringVar(&s.caFile, "ca-file", "", "PEM `FILE` with CAs that the repository's or registry's certificate may be from, beside the system's")
	fl.DurationVar(&s.timeout, "source-timeout", time.Minute, "give up on the repository, or the registries, after this time")
	complete(cmd, "source", cobra.NoFileCompletions)
	complete(cmd, "source-timeout", cobra.NoFileCompletions)
}

// open opens the repository of the values. Warnings say what is not as on the
// nodes.
func (s *sourceFlags) open(ctx context.Context, k valuesschema.KernelModule) (source module.Source, request module.Request, warnings []string, err error) {
	borrowed, err := s.borrow(ctx, k)
	if err != nil {
		return nil, request, nil, err
	}
	defer func() { err = errors.Join(err, borrowed.giveBack()) }()
	values := k.Source
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
	secret, err := borrowed.publicKeys()
	if err != nil {
		return nil, request, nil, err
	}
	request.PublicKeys = slices.Concat(request.PublicKeys, keys, secret)
	if request.Verify == outcome.VerifiedSignature && values.PublicKeySecret != "" && len(request.PublicKeys) == 0 {
		request.Verify = outcome.VerifiedChecksum
		warnings = append(warnings, "the public keys are in the Secret "+values.PublicKeySecret+
			", which is not read: the index's signature was not checked here; give the key with --public-key, or --use-cluster-secrets")
	}
	if values.CredentialsSecret != "" && borrowed.credentials == "" {
		warnings = append(warnings, "the nodes use the credentials of the Secret "+values.CredentialsSecret+", this command its caller's own; --use-cluster-secrets takes the nodes'")
	}
	source, err = module.OpenSource(module.SourceOptions{
		URL: url, Region: values.Region, Endpoint: values.Endpoint, PathStyle: values.PathStyle, UserAgent: userAgent(),
		CAFile: cmp.Or(s.caFile, borrowed.ca), CredentialsDir: borrowed.credentials, DockerConfig: borrowed.docker,
	})
	return source, request, warnings, err
}

// lookups makes what looks images up in their registries.
func (s *sourceFlags) lookups(ctx context.Context, k valuesschema.KernelModule) (images *compatibility.Images, err error) {
	borrowed, err := s.borrow(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, borrowed.giveBack()) }()
	return compatibility.NewImages(compatibility.ImagesOptions{CAFile: s.caFile, DockerConfig: borrowed.docker, UserAgent: userAgent()})
}

// keys are those of --public-key, without their comments.
func (s *sourceFlags) keys() ([]string, error) {
	keys, err := parseKeys(s.publicKeys)
	if err != nil {
		return nil, fmt.Errorf("--public-key: neither a file nor a key: %w", err)
	}
	return keys, nil
}

// parseKeys takes keys, and files with one.
func parseKeys(list []string) ([]string, error) {
	var keys []string
	for _, text := range list {
		if data, err := os.ReadFile(text); err == nil {
			text = string(data)
		}
		key, err := module.ParsePublicKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.String())
	}
	return keys, nil
}

func userAgent() string { return "pfring/" + strings.TrimSpace(Version) }
