// Command pfring-controller builds, keeps and serves PF_RING modules for the
// kernels of a cluster. The chart runs it; docs/supply.md says how it works.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/controller"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// version is set by the linker.
var version = "devel"

// softMemory is what the garbage collector keeps the process below, in bytes, and
// garbage how much of it may be there beside what is in use, in per cent, unless
// GOMEMLIMIT and GOGC say otherwise. Nearly all that is in use stays so: what is
// known of nodes.
const (
	softMemory = 56 << 20
	garbage    = 80
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	root := newRoot()
	err := root.ExecuteContext(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "pfring-controller: %v\n", err) // there is nowhere else to say so
		os.Exit(outcome.ExitError)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "pfring-controller", Short: "Build, keep and serve PF_RING modules for the kernels of a cluster",
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	root.SetVersionTemplate(fmt.Sprintf("pfring-controller %s %s/%s\n", version, runtime.GOOS, runtime.GOARCH))
	root.AddCommand(newRun())
	return root
}

// flags are those of run.
type flags struct {
	config, kubeconfig, logLevel string
	options                      controller.Options
}

func newRun() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use: "run", Short: "Run the controller until SIGTERM", Args: cobra.NoArgs,
		Long: `Run the controller until SIGTERM.

Each flag --some-name is also read from the environment as PFRING_SOME_NAME.`,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags(), os.LookupEnv) },
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context()) },
	}
	fl, o := cmd.Flags(), &f.options
	fl.StringVar(&f.config, "config", supply.ConfigFile, "settings file: supply, source and imageRepoSecret of tap.kernelModule")
	fl.StringVar(&o.Release, "release", "", "name of the Helm release")
	fl.StringVar(&o.Namespace, "namespace", "", "namespace of the release")
	fl.StringVar(&o.DaemonSet, "daemonset", "", "name of the agent's DaemonSet")
	fl.StringVar(&o.Deployment, "deployment", "", "name of the controller's Deployment, which owns what the controller makes (default none)")
	fl.StringVar(&o.NamePrefix, "name-prefix", "", "what the names of the objects that it makes begin with (default RELEASE-pfring)")
	fl.StringVar(&o.MetricsAddress, "metrics-address", fmt.Sprintf(":%d", supply.MetricsPort), "address for /metrics, /healthz and /readyz")
	fl.StringVar(&o.ServeAddress, "serve-address", fmt.Sprintf(":%d", supply.Port), "address to serve modules on, by HTTPS")
	fl.StringVar(&o.StoreDir, "store-dir", supply.StoreDir, "folder of a store of type persistentVolumeClaim")
	fl.DurationVar(&o.LeaseDuration, "lease-duration", controller.DefaultLeaseDuration, "how long to wait before a leader that is gone is replaced")
	fl.StringVar(&o.Identity, "identity", "", "name in the Lease, which no other controller may have; who starts again with it stays the leader (default the host's name and a random part)")
	fl.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig to use outside a cluster")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// fromEnvironment sets the flags that are not given from the environment.
func fromEnvironment(fl *pflag.FlagSet, env func(string) (string, bool)) error {
	var err error
	fl.VisitAll(func(f *pflag.Flag) {
		name := "PFRING_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := env(name); ok && value != "" && !f.Changed && err == nil {
			if e := fl.Set(f.Name, value); e != nil {
				err = fmt.Errorf("invalid %s %q: %w", name, value, e)
			}
		}
	})
	return err
}

func (f *flags) run(ctx context.Context) error {
	o := f.options
	for name, value := range map[string]string{"release": o.Release, "namespace": o.Namespace, "daemonset": o.DaemonSet} {
		if value == "" {
			return fmt.Errorf("--%s is required", name)
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return fmt.Errorf("invalid --log-level %q: must be debug, info, warn or error", f.logLevel)
	}
	data, err := os.ReadFile(f.config)
	if err != nil {
		return fmt.Errorf("cannot read the settings: %w", err)
	}
	if o.Config, err = supply.ParseConfig(data); err != nil {
		return fmt.Errorf("%s: %w", f.config, err)
	}
	if o.REST, err = f.rest(); err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	o.Version, o.Log = version, slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return controller.Run(ctx, o)
}

func (f *flags) rest() (*rest.Config, error) {
	if f.kubeconfig != "" {
		return clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find the cluster: %w. Outside a cluster, set --kubeconfig", err)
	}
	return config, nil
}
