package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestStatusIsNarrowedByLabelsAndByWhatFails(t *testing.T) {
	b := newBed(t, 3, "")
	b.say(func(node int) kube.Result {
		if node == 2 {
			return kube.Fallback(outcome.NoModuleForKernel)
		}
		return kube.Loaded()
	})
	b.install()
	b.status(1, "--wait")
	patch := []byte(`{"metadata":{"labels":{"zone":"a"}}}`)
	if _, err := shared.Client.CoreV1().Nodes().Patch(b.ctx, b.nodes[0], types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	mine := setLabel + "=" + b.namespace
	r := b.status(1, "--only-failing", "-l", mine)
	if len(r.Nodes) != 1 || r.Nodes[0].Node != b.nodes[2] || r.Summary.Wanted != 3 || !strings.HasPrefix(r.Verdict, "2 of 3 nodes") {
		t.Errorf("only what fails: %+v", r)
	}
	if r = b.status(0, "-l", "zone=a"); len(r.Nodes) != 1 || r.Nodes[0].Node != b.nodes[0] || !r.Complete {
		t.Errorf("one node by its label: %+v", r)
	}
	if got := b.run("retry", "--dry-run", "-l", "zone=a"); got.code != 0 || !strings.Contains(got.out, "No node to retry") {
		t.Errorf("retry by a label: %+v", got)
	}
	if got := b.run("status", "-l", "a==b==c"); got.code != 2 || !strings.Contains(got.err, "--selector") {
		t.Errorf("no selector: %+v", got)
	}
}

func TestStatusOfAllNamespacesHasALineForEachRelease(t *testing.T) {
	b := newBed(t, 1, "")
	b.say(func(int) kube.Result { return kube.Loaded() })
	b.install()
	b.status(0, "--wait")
	got := b.run("status", "-A", "-o", "json")
	var all rollout.Reports
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatal(err, got)
	}
	found := false
	for _, r := range all.Releases {
		found = found || r.Namespace == b.namespace && r.Complete
	}
	if !found || all.SchemaVersion != 1 {
		t.Errorf("%+v", got)
	}
	if got = b.run("status", "-A"); !strings.HasPrefix(got.out, "Namespace ") || !strings.Contains(got.out, b.namespace) {
		t.Errorf("%+v", got)
	}
	if got = b.run("status", "-A", "-o", "html"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}

// lines hands on what is written, line by line.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	some chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.some <- struct{}{}:
	default:
	}
	return l.all.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.all.String(), text)
}

func TestAWatchedNodeIsShownAgainWhenItChanges(t *testing.T) {
	b := newBed(t, 1, "")
	b.say(func(int) kube.Result { return kube.Fallback(outcome.NoModuleForKernel) })
	b.install()
	b.status(1, "--wait")
	ctx, cancel := context.WithCancel(b.ctx)
	out := &lines{some: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() {
		root := cli.New(cli.Options{In: strings.NewReader(""), Out: out, ErrOut: &lines{}})
		root.SetArgs([]string{"status", "--watch", "-l", setLabel + "=" + b.namespace, "--kubeconfig", shared.Kubeconfig, "-n", b.namespace})
		ended <- cli.ExitCode(root.ExecuteContext(ctx))
	}()
	until := func(text string) {
		t.Helper()
		for !out.has(text) {
			select {
			case <-out.some:
			case code := <-ended:
				t.Fatalf("it ended with %d before it said %q:\n%s", code, text, out.all.String())
			}
		}
	}
	until("no-module-for-kernel")
	b.say(func(int) kube.Result { return kube.Loaded() })
	for _, pod := range b.pods() {
		if err := shared.Client.CoreV1().Pods(b.namespace).Delete(b.ctx, pod, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	until(" loaded\n")
	cancel()
	if code := <-ended; code != 130 {
		t.Errorf("interrupted, it ended with %d", code)
	}
}
