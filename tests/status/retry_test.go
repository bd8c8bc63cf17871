package status_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// fallen is a release of which node 0 has the module and the others have not.
func fallen(t *testing.T, n int) *bed {
	t.Helper()
	b := newBed(t, n, "")
	b.say(func(node int) kube.Result {
		switch node {
		case 0:
			return kube.Loaded()
		case 1:
			return kube.Fallback(outcome.SourceUnreachable)
		}
		return kube.Fallback(outcome.NoModuleForKernel)
	})
	b.install()
	b.status(1, "--wait")
	return b
}

func TestRetryLoadsAgainWhereItFellBackInBatches(t *testing.T) {
	b := fallen(t, 6)
	before := b.pods()
	changed := func() (n int) {
		for node, pod := range b.pods() {
			if before[node] != pod {
				n++
			}
		}
		return n
	}
	// New pods are held, so the first batch has to be waited for.
	b.say(func(int) kube.Result { return kube.Held() })
	done := make(chan result)
	go func() { done <- b.run("retry", "--batch", "2") }()
	b.waitFor("the first batch to be at work", func(r *rollout.Report) bool { return r.Summary.Pending == 2 && changed() == 2 })
	b.say(func(int) kube.Result { return kube.Loaded() })
	r := <-done
	if r.code != 0 || !strings.HasSuffix(r.out, "5 of 5 retried nodes have PF_RING now\n") {
		t.Fatalf("%+v", r)
	}
	if !strings.Contains(r.err, "Batch 1 of 3: ") || !strings.Contains(r.err, "Batch 3 of 3: ") {
		t.Errorf("batches: %s", r.err)
	}
	after := b.pods()
	for i, node := range b.nodes {
		if same := before[node] == after[node]; same != (i == 0) {
			t.Errorf("node %d: pod %s became %s", i, before[node], after[node])
		}
	}
	b.status(0)
	if r := b.run("retry"); r.code != 0 || !strings.HasPrefix(r.out, "No node to retry: 6 of 6") {
		t.Errorf("%+v", r)
	}
}

func TestRetryKeepsToReasonsAndNodes(t *testing.T) {
	b := fallen(t, 4)
	before := b.pods()
	for name, args := range map[string][]string{
		"dry run":             {"--dry-run"},
		"no such node":        {"--node", "nowhere"},
		"no such reason":      {"--reason", "bad-weather"},
		"another reason":      {"--reason", "locked-down"},
		"a node that has it":  {"--node", b.nodes[0]},
		"a bad batch":         {"--batch", "0"},
		"both do not overlap": {"--node", b.nodes[2], "--reason", "source-unreachable"},
	} {
		r := b.run(append([]string{"retry"}, args...)...)
		want := 0
		if strings.HasPrefix(name, "no such") || name == "a bad batch" {
			want = 2
		}
		if r.code != want {
			t.Errorf("%s: %+v", name, r)
		}
		if name == "dry run" && strings.Count(r.out, "would be retried") != 3 {
			t.Errorf("%s: %s", name, r.out)
		}
	}
	if after := b.pods(); !maps.Equal(before, after) {
		t.Fatalf("pods were deleted: %v became %v", before, after)
	}
	b.say(func(int) kube.Result { return kube.Loaded() })
	if r := b.run("retry", "--reason", "source-unreachable"); r.code != 0 || !strings.Contains(r.out, b.nodes[1]+"  pf_ring  loaded\n") {
		t.Errorf("%+v", r)
	}
	after := b.pods()
	for i, node := range b.nodes {
		if same := before[node] == after[node]; same != (i != 1) {
			t.Errorf("node %d: pod %s became %s", i, before[node], after[node])
		}
	}
}

func TestRetrySaysWhatStillHasNot(t *testing.T) {
	b := fallen(t, 3)
	r := b.run("retry", "--batch", "100%")
	if r.code != 1 || !strings.HasSuffix(r.out, "0 of 2 retried nodes have PF_RING now\n") {
		t.Errorf("%+v", r)
	}
}

func TestRetryStopsWhenABatchDoesNotComeBack(t *testing.T) {
	b := fallen(t, 4)
	before := b.pods()
	b.say(func(int) kube.Result { return kube.Held() })
	r := b.run("retry", "--batch", "1", "--timeout", "2s")
	if r.code != 1 || !strings.Contains(r.err, "a batch was not ready after 2s") {
		t.Errorf("%+v", r)
	}
	changed := 0
	for node, pod := range b.pods() {
		if before[node] != pod {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d nodes were touched, not the first batch alone", changed)
	}
}
