package cli

import (
	"github.com/spf13/cobra"

	"github.com/spf13/pflag"
)

// helmPlugin is the name of this program as a plugin of Helm, in plugin.yaml.
const helmPlugin = "pfring"

// takeFromHelm serves `helm pfring …`. Helm keeps --namespace, --kube-context and
// --kubeconfig to itself and hands them on in the environment (--kubeconfig as
// $KUBECONFIG), so they become the defaults of our flags. The environment of
// another plugin, which may run pfring too, is none of our business.
func takeFromHelm(root *cobra.Command, getenv func(string) string) {
	if !fromHelm(getenv) {
		return
	}
	eachCommand(root, func(cmd *cobra.Command) {
		setDefault(cmd.Flags().Lookup("namespace"), getenv("HELM_NAMESPACE"))
		setDefault(cmd.Flags().Lookup("context"), getenv("HELM_KUBECONTEXT"))
	})
}

func fromHelm(getenv func(string) string) bool { return getenv("HELM_PLUGIN_NAME") == helmPlugin }

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, child := range cmd.Commands() {
		eachCommand(child, do)
	}
}

// setDefault makes value what the flag has when the user does not give it.
func setDefault(f *pflag.Flag, value string) {
	if f == nil || value == "" {
		return
	}
	if err := f.Value.Set(value); err == nil {
		f.DefValue = value
	}
}
