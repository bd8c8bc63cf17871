package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// kubeFlags say which cluster is meant, and as whom it is asked: kubectl's own
// flags, by client-go.
type kubeFlags struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

// register adds them. Help shows the usual ones; the others work as in kubectl too.
func (k *kubeFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&k.kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, else ~/.kube/config)")
	completions := map[string]cobra.CompletionFunc{
		"context": k.completeContexts, "cluster": k.completeClusters, "user": k.completeUsers, "namespace": k.completeNamespaces,
	}
	words := map[string]string{
		"context": "context of the kubeconfig", "namespace": "namespace of the release (default that of the context)",
		"request-timeout": "give up on a single request after this time, such as 30s; 0 never gives up",
		"cluster":         "cluster of the kubeconfig", "user": "user of the kubeconfig", "server": "address and port of the API server",
		"token": "bearer token for the API server",
		"as":    "user, or system:serviceaccount:NAMESPACE:NAME, to act as", "as-group": "group to act as; repeatable",
	}
	usual := pflag.NewFlagSet("", pflag.ContinueOnError)
	clientcmd.BindOverrideFlags(&k.overrides, usual, clientcmd.RecommendedConfigOverrideFlags(""))
	usual.VisitAll(func(f *pflag.Flag) {
		if fl.Lookup(f.Name) != nil {
			return // module mirror has a --cluster of its own
		}
		text, shown := words[f.Name]
		if shown {
			f.Usage = text
		}
		f.Hidden = f.Hidden || !shown
		if fl.ShorthandLookup(f.Shorthand) != nil {
			f.Shorthand = ""
		}
		fl.AddFlag(f)
		if shown && completions[f.Name] == nil {
			complete(cmd, f.Name, cobra.NoFileCompletions)
		} else if shown {
			complete(cmd, f.Name, completions[f.Name])
		}
	})
}

func (k *kubeFlags) clientConfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &k.overrides)
}

// restConfig is how to reach the cluster. Its requests are not slowed down on
// this side; the API server's own fairness does that.
func (k *kubeFlags) restConfig() (*rest.Config, error) {
	config, err := k.clientConfig().ClientConfig()
	if err != nil {
		return nil, k.unread(err)
	}
	config.QPS = -1
	config.UserAgent = rest.DefaultKubernetesUserAgent()
	cluster.Patient(config)
	return config, nil
}

// unread words an error of reading the kubeconfig.
func (k *kubeFlags) unread(err error) error {
	return apierror.Kubeconfig(err, k.kubeconfig, os.Getenv(clientcmd.RecommendedConfigPathEnvVar), k.overrides.CurrentContext)
}

// where says for people which cluster is asked.
func (k *kubeFlags) where() webpage.Where {
	w := webpage.Where{Context: k.overrides.CurrentContext, Made: time.Now()}
	if config, err := k.clientConfig().ClientConfig(); err == nil {
		w.Cluster = config.Host
	}
	if raw, err := k.clientConfig().RawConfig(); err == nil && w.Context == "" {
		w.Context = raw.CurrentContext
	}
	if namespace, err := k.releaseNamespace(); err == nil {
		w.Namespace = namespace
	}
	return w
}

// releaseNamespace is --namespace, else that of the context.
func (k *kubeFlags) releaseNamespace() (string, error) {
	namespace, _, err := k.clientConfig().Namespace()
	if err != nil {
		return "", k.unread(err)
	}
	return namespace, nil
}
