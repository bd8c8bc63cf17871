package cluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func fixture(t *testing.T, name string) cluster.Node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "nodes", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := cluster.ReadNodes(text)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("%s: %d nodes, %v", name, len(nodes), err)
	}
	return nodes[0]
}

func TestPlatformsAreToldApartByWhatTheirNodesShow(t *testing.T) {
	want := map[string]cluster.Platform{
		"generic-ubuntu":             cluster.Generic,
		"amazon-linux-2023":          cluster.Generic,
		"not-reported":               cluster.Generic,
		"bottlerocket":               cluster.Bottlerocket,
		"container-optimized-os":     cluster.COS,
		"container-optimized-os-gpu": cluster.COSOther,
		"gke-autopilot":              cluster.GKEAutopilot,
		"talos":                      cluster.Talos,
		"talos-optional":             cluster.TalosOptional,
		"flatcar":                    cluster.Flatcar,
		"rhcos":                      cluster.RHCOS,
		"fargate":                    cluster.Fargate,
		"virtual-kubelet":            cluster.VirtualKubelet,
		"eks-auto-mode":              cluster.EKSAutoMode,
		"windows":                    cluster.Windows,
	}
	files, err := filepath.Glob(filepath.Join("testdata", "nodes", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[cluster.Platform]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		platform, ok := want[name]
		if !ok {
			t.Errorf("%s is in no row of this test", file)
			continue
		}
		if got := fixture(t, name).Platform; got != platform {
			t.Errorf("%s is taken for %q, want %q", name, got, platform)
		}
		seen[platform] = true
	}
	if len(files) != len(want) {
		t.Errorf("%d fixtures, %d rows", len(files), len(want))
	}
	for _, info := range cluster.Platforms() {
		if !seen[info.Platform] {
			t.Errorf("no recorded node of platform %q", info.Platform)
		}
	}
}

func TestEachPlatformSaysWhyWhatToDoAndWhereThatStands(t *testing.T) {
	known := map[cluster.Platform]bool{}
	for _, info := range cluster.Platforms() {
		if known[info.Platform] {
			t.Errorf("%s stands there twice", info.Platform)
		}
		known[info.Platform] = true
		for what, text := range map[string]string{"why": info.Why, "remedy": info.Remedy} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is not a sentence: %q", info.Platform, what, text)
			}
		}
		if !strings.HasPrefix(info.Source, "https://") || info.Name == "" {
			t.Errorf("%s has no name or no source: %+v", info.Platform, info)
		}
		if info.Platform.Describe() != info {
			t.Errorf("Describe(%s) is of another", info.Platform)
		}
		policies := []cluster.Policy{cluster.Loads, cluster.SignedOnly, cluster.Never, cluster.Unclear}
		if !slices.Contains(policies, info.Policy) {
			t.Errorf("%s has the policy %q", info.Platform, info.Policy)
		}
	}
	if info := cluster.Generic.Describe(); info.Policy != cluster.Loads || info.Why != "" {
		t.Errorf("any other Linux: %+v", info)
	}
}

// Each rule alone must be enough, and what only looks like it must not be.
func TestPlatformRules(t *testing.T) {
	node := func(change func(*corev1.Node)) cluster.Platform {
		n := &corev1.Node{}
		n.Name, n.Labels = "n", map[string]string{}
		n.Status.NodeInfo.OSImage = "Debian GNU/Linux 12 (bookworm)"
		change(n)
		return cluster.FromObject(n).Platform
	}
	for name, test := range map[string]struct {
		change func(*corev1.Node)
		want   cluster.Platform
	}{
		"virtual kubelet by its taint alone": {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "virtual-kubelet.io/provider"}} }, cluster.VirtualKubelet},
		"Windows by its label alone":         {func(n *corev1.Node) { n.Labels[corev1.LabelOSStable] = "windows" }, cluster.Windows},
		"Windows by nodeInfo alone":          {func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }, cluster.Windows},
		"gk3- outside Google's cloud":        {func(n *corev1.Node) { n.Name = "gk3-me" }, cluster.Generic},
		"gk3- in the middle of a name":       {func(n *corev1.Node) { n.Name, n.Spec.ProviderID = "my-gk3-1", "gce://p/z/my-gk3-1" }, cluster.Generic},
		"an unknown compute type":            {func(n *corev1.Node) { n.Labels["eks.amazonaws.com/compute-type"] = "hybrid" }, cluster.Generic},
		"Talos in the middle of a name":      {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Not Talos" }, cluster.Generic},
		"Talos before it was optional":       {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.12.6)" }, cluster.Talos},
		"Talos 1.12 since it is optional":    {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.12.7)" }, cluster.TalosOptional},
		"Talos of a release to come":         {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.14.0-beta.1)" }, cluster.TalosOptional},
		"Talos of no known release":          {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (dirty)" }, cluster.Talos},
		"plain RHEL":                         {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Red Hat Enterprise Linux 9.4 (Plow)" }, cluster.Generic},
		"COS outside GKE":                    {func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Container-Optimized OS from Google" }, cluster.COSOther},
		"Fargate whatever its image":         {func(n *corev1.Node) { n.Labels["eks.amazonaws.com/compute-type"] = "fargate" }, cluster.Fargate},
	} {
		if got := node(test.change); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
