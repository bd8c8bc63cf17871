package cli

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// kubeFlags say which cluster is meant, by the names of kubectl's flags.
type kubeFlags struct {
	kubeconfig, context, namespace, requestTimeout string
}

func (k *kubeFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&k.kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, else ~/.kube/config)")
	fl.StringVar(&k.context, "context", "", "context of the kubeconfig")
	fl.StringVarP(&k.namespace, "namespace", "n", "", "namespace of the release (default that of the context)")
	fl.StringVar(&k.requestTimeout, "request-timeout", "0", "give up on a single request after this time, such as 30s; 0 never does")
	complete(cmd, "context", k.completeContexts)
	complete(cmd, "namespace", cobra.NoFileCompletions)
	complete(cmd, "request-timeout", cobra.NoFileCompletions)
}

func (k *kubeFlags) clientConfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: k.context, Timeout: k.requestTimeout}
	overrides.Context.Namespace = k.namespace
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
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
	return apierror.Kubeconfig(err, k.kubeconfig, os.Getenv(clientcmd.RecommendedConfigPathEnvVar), k.context)
}

// releaseNamespace is --namespace, else that of the context.
func (k *kubeFlags) releaseNamespace() (string, error) {
	namespace, _, err := k.clientConfig().Namespace()
	if err != nil {
		return "", k.unread(err)
	}
	return namespace, nil
}

func (k *kubeFlags) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	config, err := k.clientConfig().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for name := range config.Contexts {
		names = append(names, name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
