package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/release"
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
	fl.StringArrayVar(&s.publicKeys, "public-key", nil, "minisign public key of the repository, or its .pub `FILE`, in addition to those of the values; repeatable")
	fl.StringVar(&s.caFile, "ca-file", "", "PEM `FILE` with CAs to trust for the repository or registry, in addition to the system's")
	fl.DurationVar(&s.timeout, "source-timeout", time.Minute, "give up on the repository, or the registries, after this time")
	complete(cmd, "source", cobra.NoFileCompletions)
	complete(cmd, "source-timeout", cobra.NoFileCompletions)
}

// access is what the flags say, for package release.
func (s *sourceFlags) access() *release.Access {
	a := &release.Access{
		URL: s.url, CAFile: s.caFile, PublicKeys: s.publicKeys, Timeout: s.timeout, Images: s.images, UserAgent: userAgent(),
	}
	if s.clusterSecrets {
		a.Cluster = func() (*rest.Config, string, error) {
			config, err := s.kube.restConfig()
			if err != nil {
				return nil, "", err
			}
			namespace, err := s.kube.releaseNamespace()
			return config, namespace, err
		}
	}
	return a
}

func userAgent() string { return "pfring/" + strings.TrimSpace(Version) }
