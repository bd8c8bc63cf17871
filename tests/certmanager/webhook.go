package main

import (
	"context"
	"time"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	cmwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

// webhook serves with a certificate from a CA of its own, which it keeps in the
// Secret cert-manager-webhook-ca, or with the one that is given.
func webhook(ctx context.Context, kubeconfig, namespace string, port int, cert string) error {
	opts, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	listen(opts, port)
	opts.KubeConfig = kubeconfig
	if cert != "" {
		opts.TLSConfig.Filesystem.CertFile, opts.TLSConfig.Filesystem.KeyFile = cert, cert+".key"
	}
	opts.TLSConfig.Dynamic.SecretNamespace, opts.TLSConfig.Dynamic.SecretName = namespace, "cert-manager-webhook-ca"
	opts.TLSConfig.Dynamic.DNSNames = []string{"localhost"}
	opts.TLSConfig.Dynamic.LeafDuration = 7 * 24 * time.Hour
	if cert != "" {
		opts.TLSConfig.Dynamic = shared.DynamicServingConfig{}
	}
	server, err := cmwebhook.NewCertManagerWebhookServer(logf.FromContext(ctx), *opts)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// listen serves nothing but the webhook itself.
func listen(opts *config.WebhookConfiguration, port int) {
	opts.SecurePort, opts.HealthzPort, opts.MetricsListenAddress = int32(port), 0, "0" // #nosec G115 -- a port
}
