package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
)

// What compatibility and prereq take for the nodes of a release are those for which
// the chart makes its DaemonSet, and for each other node they give the same words as
// status, which reads the DaemonSet.
func TestTargetsAreTheNodesOfTheRenderedDaemonSet(t *testing.T) {
	files, err := filepath.Glob("../../charts/testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	compared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tap, agent := load(t, string(text)).Tap, agentOf(t, strings.Replace(file, ".values.", ".golden.", 1))
		if agent == nil || tap.KernelModule.Mode == "kmm" && len(tap.KernelModule.KMM.Selector) > 0 {
			continue // Nothing is installed, or the Module's own selector goes first.
		}
		targets, err := release.Targets(tap)
		if err != nil {
			t.Fatal(err)
		}
		compared++
		installed := rollout.ReleaseOf(agent)
		for name, n := range variousNodes() {
			ours := targets.LeavesOut(n)
			_, status, _ := strings.Cut(installed.Excludes(n), "excludes it: ")
			// A label of the DaemonSet's own may be named first, such as that of Linux.
			if ours == status || ours != "" && status != "" && strings.Contains(status, "label") {
				continue
			}
			t.Errorf("%s: node %s: %q by the values, %q by the DaemonSet", filepath.Base(file), name, ours, status)
		}
	}
	if compared < 20 {
		t.Errorf("only %d of %d values files were compared", compared, len(files))
	}
}

func variousNodes() map[string]*corev1.Node {
	nodes := map[string]*corev1.Node{}
	add := func(name, system, arch string, labels map[string]string) {
		n := &corev1.Node{}
		n.Name, n.Labels = name, map[string]string{corev1.LabelOSStable: system, corev1.LabelArchStable: arch}
		for key, value := range labels {
			n.Labels[key] = value
		}
		n.Status.NodeInfo.OperatingSystem, n.Status.NodeInfo.Architecture = system, arch
		nodes[name] = n
	}
	pool := map[string]string{"pool": "capture", "gpu": "true", "kubeshark.io/capture": "true", "node-role.kubernetes.io/worker": ""}
	for name, labels := range map[string]map[string]string{
		"plain": nil, "pool": pool, "fargate": {"eks.amazonaws.com/compute-type": "fargate"}, "auto mode": {"eks.amazonaws.com/compute-type": "auto"},
		"virtual": {"type": "virtual-kubelet"}, "kwok": {"type": "kwok"}, "liqo": {"liqo.io/type": "virtual-node"}, "other type": {"type": "bare-metal"},
	} {
		add(name, "linux", "amd64", labels)
		add(name+" arm64", "linux", "arm64", labels)
		add(name+" s390x", "linux", "s390x", labels)
		add(name+" windows", "windows", "amd64", labels)
	}
	return nodes
}

// agentOf is the agent's DaemonSet of a golden file; nil if there is none.
func agentOf(t *testing.T, golden string) *appsv1.DaemonSet {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		ds := &appsv1.DaemonSet{}
		if err := yaml.Unmarshal([]byte(doc), ds); err == nil && ds.Kind == "DaemonSet" {
			return ds
		}
	}
	return nil
}
