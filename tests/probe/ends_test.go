package probe_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// begin starts pfring as a process of its own, and returns when its first pod
// is there, whose container goes on indefinitely.
func (b *bed) begin() (cmd *exec.Cmd, out *bytes.Buffer) {
	b.t.Helper()
	b.run(func(*corev1.Pod, *corev1.Node) *kube.Result { r := kube.Held(); return &r }, nil)
	args := append([]string{"prereq", "check", "--probe", "--only", "nodes.selected,namespace.exists,probe,egress"}, served(b.t, nil)...)
	cmd, out = exec.Command(shared.pfring, b.args(args...)...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		// It has ended, unless the test failed.
		_ = cmd.Process.Kill()
		if cmd.ProcessState == nil {
			_ = cmd.Wait()
		}
	})
	if err := kube.Poll(b.ctx, "a pod to be held", func(context.Context) (bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.pods) > 0, nil
	}); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	return cmd, out
}

func TestCtrlCLeavesNothingBehind(t *testing.T) {
	b := newBed(t, 3, "")
	cmd, out := b.begin()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	b.gone()
}

func TestACrashLeavesJobsThatEndByThemselves(t *testing.T) {
	b := newBed(t, 1, "")
	cmd, _ := b.begin()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	jobs := b.jobs()
	if len(jobs) != 1 {
		t.Fatalf("%d Jobs are left, so nothing is seen here", len(jobs))
	}
	spec := jobs[0].Spec
	if spec.ActiveDeadlineSeconds == nil || *spec.ActiveDeadlineSeconds > 300 || spec.TTLSecondsAfterFinished == nil || *spec.TTLSecondsAfterFinished > 300 || *spec.BackoffLimit != 0 {
		t.Errorf("%+v", spec)
	}
	// That the cluster keeps to them is seen with times that a test can wait for.
	b.shorten(jobs[0].Name)
	b.gone()
}

// shorten brings a Job's end near.
func (b *bed) shorten(name string) {
	b.t.Helper()
	for _, patch := range []string{`{"spec":{"activeDeadlineSeconds":1}}`, `{"spec":{"ttlSecondsAfterFinished":1}}`} {
		if _, err := shared.Client.BatchV1().Jobs(b.namespace).Patch(b.ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			b.t.Fatal(err)
		}
	}
}
