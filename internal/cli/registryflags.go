package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// registryFlags say how this machine gets at image registries, buckets and
// servers.
type registryFlags struct {
	dockerConfig, caFile string
	plainHTTP            bool
}

// register comes after that of kubeFlags, which has some of the same flags.
func (r *registryFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&r.dockerConfig, "docker-config", "", "`FILE` with registry logins in Docker's format, instead of your own")
	fl.BoolVar(&r.plainHTTP, "plain-http", false, "use registries without TLS; always on for registries on this machine")
	if fl.Lookup("ca-file") == nil {
		fl.StringVar(&r.caFile, "ca-file", "", "PEM `FILE` with CAs to trust for the registry, in addition to the system's")
	}
	registerTimeout(cmd)
}

// registerTimeout adds --request-timeout, unless the command has kubectl's.
func registerTimeout(cmd *cobra.Command) {
	if cmd.Flags().Lookup("request-timeout") == nil {
		cmd.Flags().String("request-timeout", image.DefaultPatience.String(), "give up on a server that fails or is silent for this time, such as 30s")
		complete(cmd, "request-timeout", cobra.NoFileCompletions)
	}
}

// requestTimeout is --request-timeout; kubectl's 0 is the default here, since no
// server is worth waiting for without end.
func requestTimeout(cmd *cobra.Command) (time.Duration, error) {
	d, err := clientcmd.ParseTimeout(cmd.Flags().Lookup("request-timeout").Value.String())
	if err != nil || d < 0 {
		return 0, fmt.Errorf("invalid --request-timeout %q: must be a duration such as 30s", cmd.Flags().Lookup("request-timeout").Value)
	}
	if d == 0 {
		d = image.DefaultPatience
	}
	return d, nil
}

func (r *registryFlags) remote(cmd *cobra.Command) (*image.Remote, error) {
	patience, err := requestTimeout(cmd)
	if err != nil {
		return nil, err
	}
	return image.NewRemote(image.RemoteOptions{
		DockerConfig: r.dockerConfig, PlainHTTP: r.plainHTTP, CAFile: r.caFile, UserAgent: userAgent(),
		Idle: min(image.DefaultIdle, patience), Patience: patience, Notify: notices(cmd),
	})
}

// notices are lines on stderr, of what goes wrong and is tried again.
func notices(cmd *cobra.Command) func(string) {
	return func(text string) {
		// One that cannot be printed is not a reason to stop.
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), printout.Line(text)) // progress: the command goes on without a reader
	}
}

// retries prints what a source logs when it tries again.
type retries struct {
	slog.Handler
	print func(string)
}

// sourceLog is the log for sources that a command reads.
func sourceLog(cmd *cobra.Command) *slog.Logger {
	return slog.New(retries{slog.DiscardHandler, notices(cmd)})
}

func (r retries) Enabled(context.Context, slog.Level) bool { return true }

func (r retries) Handle(_ context.Context, record slog.Record) error {
	text := map[string]string{}
	record.Attrs(func(a slog.Attr) bool {
		text[a.Key] = a.Value.String()
		return true
	})
	if text["where"] == "" || text["error"] == "" {
		return nil
	}
	line := text["where"] + ": " + text["error"]
	if wait, err := time.ParseDuration(text["wait"]); err == nil {
		line += "; trying again in " + wait.Round(100*time.Millisecond).String()
	}
	r.print(line)
	return nil
}

// bounded is a source of which no file may take longer than limit.
type bounded struct {
	module.Source
	limit time.Duration
}

// Fetch is the source's own, within the limit.
func (b bounded) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	return b.Source.Fetch(ctx, path, max)
}
