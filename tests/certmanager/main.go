// Command certmanager is cert-manager in one program, for tests: its first
// argument says which part it is, controller, cainjector or webhook.
//
// The mains of cert-manager's own binaries are in modules that no proxy has, so
// the parts are put together here from its libraries, those alone that issuing
// from a CA in the cluster takes: no ACME, no vendors' services.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "certmanager:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) < 2 {
		return fmt.Errorf("usage: certmanager controller|cainjector|webhook --kubeconfig FILE --namespace NAMESPACE [--port PORT]")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "`file` with an administrator's login")
	namespace := flags.String("namespace", "cert-manager", "namespace of cert-manager's own Secrets")
	port := flags.Int("port", 0, "`port` of the webhook, on all addresses")
	cert := flags.String("cert", "", "`file` with the webhook's certificate, in place of one that it makes; its key is beside it as FILE.key")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	logf.InitLogs()
	defer logf.FlushLogs()
	ctrl.SetLogger(logf.Log)
	ctx = logf.NewContext(ctx, logf.Log, os.Args[1])
	switch os.Args[1] {
	case "controller":
		return controllers(ctx, *kubeconfig, *namespace)
	case "cainjector":
		return injector(ctx, *kubeconfig)
	case "webhook":
		return webhook(ctx, *kubeconfig, *namespace, *port, *cert)
	}
	return fmt.Errorf("no part %q", os.Args[1])
}
