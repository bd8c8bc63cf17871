// Command pfring puts the PF_RING kernel module onto Kubernetes nodes. It also
// works as a kubectl plugin when it is installed as kubectl-pfring.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

func main() {
	tuneGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the command to end and to clean up; after it signals
	// do what they always do, so that a second one ends whatever does not listen.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, os.Args)
	stop()
	os.Exit(code)
}
