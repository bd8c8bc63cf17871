package status_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// The outputs in docs/status.md are those of this scene: blanks, ages and the
// names of nodes and pods apart.
func TestTheDocumentationShowsWhatIsPrinted(t *testing.T) {
	b := newBed(t, 0, "")
	b.addNodes(3, kube.Node{Prefix: "n", OSImage: "Debian GNU/Linux 12 (bookworm)"})
	b.addNodes(1, kube.Node{Prefix: "gpu", Taints: []corev1.Taint{{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}}})
	b.say(func(node int) kube.Result {
		return []kube.Result{kube.Loaded(), kube.Fallback(outcome.NoModuleForKernel), kube.Fallback(outcome.SourceUnreachable), kube.Loaded()}[node]
	})
	b.install("tap.ignoreTainted=true")
	b.status(1, "--wait")
	text, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of output in docs/status.md", len(blocks))
	}
	b.shows(blocks[0], b.run("status").out)
	b.shows(blocks[1], b.run("retry", "--dry-run").out)
	b.say(func(node int) kube.Result {
		if node == 2 {
			return kube.Fallback(outcome.SourceUnreachable)
		}
		return kube.Loaded()
	})
	r := b.run("retry", "--reason", "no-module-for-kernel")
	b.shows(blocks[2], r.err+r.out)
}

var (
	blanks  = regexp.MustCompile(`[ \t]+`)
	ages    = regexp.MustCompile(` \d+[smh] `)
	podName = regexp.MustCompile(`pfring-agent-[a-z0-9]{5}`)
)

// shows compares, line by line.
func (b *bed) shows(documented, printed string) {
	b.t.Helper()
	normal := func(s string) string {
		s = strings.ReplaceAll(s, b.namespace+"-n-", "worker-")
		s = strings.ReplaceAll(s, b.namespace+"-gpu-", "gpu-")
		s = podName.ReplaceAllString(blanks.ReplaceAllString(s, " "), "POD")
		return ages.ReplaceAllString(s, " AGE ")
	}
	var own []string
	for _, line := range strings.Split(strings.TrimSpace(normal(printed)), "\n") {
		// Nodes that other tests leave for a moment.
		if !strings.HasPrefix(line, "t-") {
			own = append(own, line)
		}
	}
	if got, want := strings.Join(own, "\n"), strings.TrimSpace(normal(documented)); got != want {
		b.t.Errorf("the documentation shows\n%s\nprinted is\n%s", want, got)
	}
}
