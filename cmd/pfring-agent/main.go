// Command pfring-agent runs on each node: it loads the PF_RING module or waits
// for it, watches it, and says what happened to it. It talks to the kernel and to
// the module repository only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// version is set by the linker.
var version = "devel"

const usage = `pfring-agent loads the PF_RING kernel module on a node and watches over it.

Usage: pfring-agent COMMAND [flags]

  load     fetch, verify and load the module; falls back to libpcap
  wait     wait until somebody else (KMM) has loaded it
  run      watch the module; serve /readyz, /healthz and /metrics
  probe    say what this node's kernel allows, and whether repository and registries answer
  unload   unload the module if nothing uses it
  version  print the version

Each flag --some-name is also read from the environment as PFRING_SOME_NAME.
pfring-agent COMMAND -h lists the flags.

Exit codes: 0 good, a fallback too; 1 no module and --on-unavailable=fail; 2 a wrong call; 130 interrupted.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := agent(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// agent runs one command and returns the exit code.
func agent(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, *settings, io.Writer) (int, error){
		"load": load, "wait": wait, "run": run, "probe": probe, "unload": unload,
	}
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case "version", "--version":
		return printed(fmt.Fprintf(stdout, "pfring-agent %s %s/%s\n", version, runtime.GOOS, runtime.GOARCH))
	case "help", "-h", "--help":
		return printed(io.WriteString(stdout, usage))
	}
	command, ok := commands[name]
	if !ok {
		return max(outcome.ExitError, printed(fmt.Fprintf(stderr, "unknown command %q\n\n%s", name, usage)))
	}
	s, err := parse(name, args[1:], os.LookupEnv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return outcome.ExitOK
	}
	code := outcome.ExitError
	if err == nil {
		defer giveUp(ctx, s.endsWithin(name))()
		code, err = command(ctx, s, stdout)
	}
	if err != nil {
		return max(code, printed(fmt.Fprintf(stderr, "pfring-agent %s: %v\n", name, err)))
	}
	return code
}

// exitInterrupted is the exit code of a command that was asked to end before it
// had an answer, as a shell has it for SIGINT.
const exitInterrupted = 130

// giveUp ends the program some time after it was asked to end, unless the
// returned function is called before.
func giveUp(ctx context.Context, after time.Duration) (stop func()) {
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		select {
		case <-time.After(after):
			os.Exit(exitInterrupted)
		case <-ended:
		}
	}()
	return func() { close(ended) }
}

// endsWithin is how long a command may take to end once it is asked to; a file
// or a call of the system that hangs must not keep it.
func (s *settings) endsWithin(command string) time.Duration {
	const grace = 3 * time.Second
	if command == "run" && s.unloadOnDestroy {
		return s.unloadTimeout + grace
	}
	return grace
}

// printed is the exit code of having printed something.
func printed(_ int, err error) int {
	if err != nil {
		return outcome.ExitError
	}
	return outcome.ExitOK
}
