package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// patience is how long KMM may take to come to a state.
const patience = 40 * time.Second

// addNodes makes one node that is not KMM's, and two that are.
func (b *bed) addNodes() error {
	_, err := b.AddNodes(b.ctx, 1, kube.Node{Prefix: "infra", Labels: map[string]string{"infra": "true"}})
	if err != nil {
		return err
	}
	_, err = b.AddNodes(b.ctx, 2, kube.Node{
		Prefix: "w", Labels: map[string]string{"pool": "capture"},
		Kernel: func(i int) string { return []string{"6.1.0-18-amd64", "6.12.48+deb13-amd64"}[i] },
	})
	return err
}

func (b *bed) fail(format string, args ...any) {
	b.failures = append(b.failures, fmt.Sprintf(format, args...))
}

func (b *bed) kubectlRun(stdin string, args ...string) (string, error) {
	return output(exec.CommandContext(b.ctx, b.kubectl, append([]string{"--kubeconfig", b.Kubeconfig}, args...)...), stdin) // #nosec G204 -- arguments of our own
}

func output(cmd *exec.Cmd, stdin string) (string, error) {
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// do is kubectl that must succeed, in the scenario's namespace.
func (b *bed) do(args ...string) {
	if text, err := b.kubectlRun("", append([]string{"-n", b.namespace}, args...)...); err != nil {
		b.fail("kubectl %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// values are those of a scenario: a Module called pfr for the nodes of the pool.
func values() string {
	return `tap:
  kernelModule:
    mode: kmm
    kmm: {moduleName: pfr, selector: {pool: capture}}
    agent: {nodeSelector: {pool: capture}, tolerations: [{key: dedicated, operator: Exists}]}
    kernelMappings: [{regexp: '^6\.', containerImage: 'reg.example/pf-ring:${KERNEL_FULL_VERSION}'}]
`
}

// pfringRun calls the CLI and returns its output and exit code.
func (b *bed) pfringRun(stdin string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.CommandContext(b.ctx, b.pfring, args...) // #nosec G204 -- built above
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.Kubeconfig)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out.String(), errOut.String(), exit.ExitCode()
	}
	return out.String(), errOut.String(), 0
}

// apply installs values, and set on top of them, into the scenario's namespace.
func (b *bed) apply(values string, set ...string) {
	args := []string{"render", "-n", b.namespace, "-f", "-"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	objects, errOut, code := b.pfringRun(values, args...)
	if code != 0 {
		b.fail("render: %s", errOut)
		return
	}
	if text, err := b.kubectlRun(objects, "apply", "-n", b.namespace, "-f", "-"); err != nil {
		b.fail("apply: %s", text)
	}
}

// says waits until status says of a node ("" is the Module) what is wanted, with
// the exit code.
func (b *bed) says(node string, code int, words ...string) {
	last := ""
	for end := time.Now().Add(patience); time.Now().Before(end) && b.ctx.Err() == nil; time.Sleep(time.Second) {
		out, errOut, got := b.pfringRun("", "status", "-n", b.namespace, "-o", "json")
		var r rollout.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			last = fmt.Sprintf("exit %d: %s%s", got, out, errOut)
			continue
		}
		text := r.Module + " | " + r.Verdict
		for _, p := range r.Preflights {
			text += " | " + p.String()
		}
		for _, n := range r.Nodes {
			if n.Node == node {
				text = string(n.State) + ": " + n.Message + " | " + n.Remedy
			}
		}
		last = fmt.Sprintf("exit %d: %s", got, text)
		if got == code && containsAll(text, words) {
			return
		}
	}
	b.fail("status of %q: want exit %d and %q, got %s", node, code, words, last)
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// checks waits for a finding of prereq check, with values as they would be
// installed.
func (b *bed) checks(values, check, result, words string) {
	args := []string{"prereq", "check", "-n", b.namespace, "-f", "-", "--only", check, "-o", "json"}
	out, errOut, _ := b.pfringRun(values, args...)
	var report struct {
		Checks []struct{ ID, Result, Observed, Remedy string } `json:"checks"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		b.fail("prereq: %s%s", out, errOut)
		return
	}
	for _, c := range report.Checks {
		if c.ID == check && c.Result == result && strings.Contains(c.Observed+" | "+c.Remedy, words) {
			return
		}
	}
	b.fail("prereq %s: want %s %q, got %s", check, result, words, out)
}

// node changes a node's object or status.
func (b *bed) node(name string, change func(*corev1.Node)) {
	nodes := b.Client.CoreV1().Nodes()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		n, err := nodes.Get(b.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(n)
		status := n.Status
		if n, err = nodes.Update(b.ctx, n, metav1.UpdateOptions{}); err != nil {
			return err
		}
		n.Status = status
		_, err = nodes.UpdateStatus(b.ctx, n, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		b.fail("node %s: %v", name, err)
	}
}

// prepare gives a scenario its namespace.
func (b *bed) prepare() {
	if text, err := b.kubectlRun("", "create", "namespace", b.namespace); err != nil {
		b.fail("%s", text)
	}
}

// clean takes away what a scenario has installed, in the order that KMM needs.
// What was held back stays so, that nothing is loaded while the Module goes.
func (b *bed) clean() {
	b.kubelet.unhold("Unload")
	_, _ = b.kubectlRun("", "delete", "-n", b.namespace, "daemonsets.apps", "--all", "--wait=false")
	if text, err := b.kubectlRun("", "delete", "-n", b.namespace, "modules.kmm.sigs.x-k8s.io", "--all", "--timeout=40s"); err != nil {
		b.fail("deleting the Module: %s", text)
	}
	_, _ = b.kubectlRun("", "delete", "-n", b.namespace, "pods", "--all", "--wait=false")
	b.kubelet.reset()
	if len(b.failures) > 0 {
		if text, err := os.ReadFile(filepath.Join(b.dir, "manager.log")); err == nil {
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			for _, line := range lines[max(0, len(lines)-400):] {
				if strings.Contains(line, b.namespace) && (strings.HasPrefix(line, "E") || strings.Contains(line, "rror")) {
					b.failures = append(b.failures, "manager: "+line[:min(len(line), 300)])
				}
			}
			b.failures = b.failures[:min(len(b.failures), 8)]
		}
	}
}
