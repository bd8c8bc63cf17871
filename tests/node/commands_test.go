package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
)

// set are settings laid over the values.
func set(settings ...string) []string {
	var args []string
	for _, s := range settings {
		args = append(args, "--set", "tap.kernelModule."+s)
	}
	return args
}

// install runs helm install or upgrade, and waits as that does.
func (b *bed) install(ctx context.Context, verb string, settings ...string) error {
	args := append([]string{verb, release, b.chart, "--values", b.values, "--wait", "--timeout", patience.String()}, set(settings...)...)
	return b.runHelm(ctx, args...)
}

func (b *bed) runHelm(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, b.helm, append(args, "--namespace", namespace, "--kubeconfig", b.cluster.Kubeconfig)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (b *bed) upgrade(t *testing.T, settings ...string) {
	t.Helper()
	if err := b.install(t.Context(), "upgrade", settings...); err != nil {
		t.Fatal(err)
	}
}

// background runs something; the channel has its error when it has ended.
func background(run func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	return done
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// pfring runs the command in this process.
func (b *bed) pfring(t *testing.T, input string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(input), Out: &out, ErrOut: &errOut})
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		errOut.WriteString(err.Error())
	}
	return result{out.String(), errOut.String(), cli.ExitCode(err)}
}

// onCluster runs a command of the live cluster.
func (b *bed) onCluster(t *testing.T, args ...string) result {
	t.Helper()
	return b.pfring(t, "", append(args, "--kubeconfig", b.cluster.Kubeconfig, "--namespace", namespace)...)
}

// withRepository runs a command that also reads the repository, which has
// another address here than on nodes.
func (b *bed) withRepository(t *testing.T, args ...string) result {
	t.Helper()
	args = append(args, "--values", b.values)
	return b.onCluster(t, append(args, set("source.endpoint=http://"+b.bucket.Address)...)...)
}

// status is what pfring status --wait says.
func (b *bed) status(t *testing.T, wantCode int) *rollout.Report {
	t.Helper()
	r := b.onCluster(t, "status", "--wait", "--timeout", patience.String(), "-o", "json")
	report := &rollout.Report{}
	if err := json.Unmarshal([]byte(r.out), report); err != nil || r.code != wantCode {
		t.Fatalf("pfring status: exit code %d, want %d; %v\n%s%s", r.code, wantCode, err, r.out, r.err)
	}
	return report
}

// says checks what status says of the only node, and whether its kernel has the
// module.
func (b *bed) says(t *testing.T, n *node.Node, reason outcome.Reason) rollout.Node {
	t.Helper()
	report := b.status(t, map[bool]int{true: outcome.ExitOK, false: outcome.ExitNo}[reason.Good()])
	got := report.Nodes[0]
	if len(report.Nodes) != 1 || got.Node != n.Name || got.Reason != reason || got.Kernel != n.Kernel.Release || report.Complete != reason.Good() {
		t.Fatalf("status is %+v, want %s", report, reason)
	}
	if reason.Good() != (got.Backend == outcome.PFRing) || n.Loaded(t, "pf_ring") != reason.Good() {
		t.Fatalf("%s with backend %q; loaded on the node: %v", reason, got.Backend, n.Loaded(t, "pf_ring"))
	}
	return got
}
