package rollout

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// large is a release on n nodes.
func large(n int) *facts {
	f := factsOf()
	clear(f.targets)
	for i := range n {
		name := fmt.Sprintf("node-%05d", i)
		f.targets[name] = &target{name: name, kernel: "6.1.0-18-amd64", arch: "amd64", bootID: "b1"}
		p := agentPod(func(p *corev1.Pod) {
			p.Spec.NodeName, p.UID = name, types.UID(name)
			initStatus(p, ended0("loaded"), corev1.ContainerState{})
			runStatus(p, runningSince(start), true, start)
		})
		f.pods[name] = p
	}
	return f
}

// How long judging takes is how long a wait over many nodes is busy per change.
func BenchmarkJudge5000Nodes(b *testing.B) {
	f := large(5000)
	for b.Loop() {
		if r := f.report(now); !r.Complete {
			b.Fatal(r.Verdict)
		}
	}
}
