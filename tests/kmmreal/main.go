// Command kmmreal runs KMM's own operator and webhook, built from a checkout of
// KMM, on the tests' control plane, and holds pfring to what they do: validate to
// what the webhook takes, status and prereq to the states in which the operator
// gets stuck. hack/kmm-real starts it; make test only compiles it, since KMM's
// module is on no proxy.
//
// Kubelets are simulated: pods never run, and a load is a worker pod that ended
// well.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func main() { os.Exit(start()) }

// start runs the scenarios that the command line names and returns the exit code.
func start() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: hack/kmm-real CHECKOUT-OF-KMM [SCENARIO...]")
		return 2
	}
	failed, err := run(ctx, os.Args[1], os.Args[2:])
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "kmm-real:", err)
		return 2
	case failed > 0:
		fmt.Printf("\n%d scenarios failed\n", failed)
		return 1
	}
	fmt.Println("\nall scenarios are as expected")
	return 0
}

// bed is the control plane with KMM on it, and pfring.
type bed struct {
	*kube.Cluster
	ctx             context.Context
	dir, checkout   string
	pfring, kubectl string
	kubelet         *kubelet
	operator        *operator
	// namespace is that of the scenario that runs.
	namespace string
	failures  []string
}

func run(ctx context.Context, checkout string, names []string) (failed int, err error) {
	b := &bed{ctx: ctx}
	if b.checkout, err = filepath.Abs(checkout); err != nil {
		return 0, err
	}
	if b.dir, err = os.MkdirTemp("", "kmm-real-"); err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if b.pfring, err = toolbin.Pfring(b.dir); err != nil {
		return 0, err
	}
	if b.kubectl, err = toolbin.Kubectl(); err != nil {
		return 0, err
	}
	if b.Cluster, err = kube.Launch(ctx, b.dir); err != nil {
		return 0, err
	}
	defer b.Stop()
	if b.operator, err = b.install(); err != nil {
		return 0, fmt.Errorf("installing KMM: %w", err)
	}
	if err := b.addNodes(); err != nil {
		return 0, err
	}
	b.kubelet = newKubelet(b.Client)
	kubelets, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); b.kubelet.run(kubelets) }()
	defer func() { end(); <-ended }()
	return b.all(names), nil
}

// all runs the scenarios, or those named.
func (b *bed) all(names []string) (failed int) {
	for _, s := range scenarios() {
		if len(names) > 0 && !slices.Contains(names, s.name) || b.ctx.Err() != nil {
			continue
		}
		b.failures, b.namespace = nil, "s-"+s.name
		start := time.Now()
		b.prepare()
		s.run(b)
		b.clean()
		verdict := "ok  "
		if len(b.failures) > 0 {
			verdict = "FAIL"
			failed++
		}
		fmt.Printf("%s %-22s %-70s %5.1fs\n", verdict, s.name, s.about, time.Since(start).Seconds())
		for _, text := range b.failures {
			fmt.Println("     " + text)
		}
	}
	return failed
}
