package cli

import (
	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// registryFlags say how this machine gets at image registries.
type registryFlags struct {
	dockerConfig, caFile string
	plainHTTP            bool
}

func (r *registryFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&r.dockerConfig, "docker-config", "", "`FILE` with logins as Docker and Kubernetes' pull secrets have it, instead of the caller's own")
	fl.BoolVar(&r.plainHTTP, "plain-http", false, "speak to registries without TLS; to those on this machine that is done anyway")
	if fl.Lookup("ca-file") == nil {
		fl.StringVar(&r.caFile, "ca-file", "", "PEM `FILE` with CAs that the registry's certificate may be from, beside the system's")
	}
}

func (r *registryFlags) remote() (*image.Remote, error) {
	return image.NewRemote(image.RemoteOptions{
		DockerConfig: r.dockerConfig, PlainHTTP: r.plainHTTP, CAFile: r.caFile, UserAgent: userAgent(),
	})
}
