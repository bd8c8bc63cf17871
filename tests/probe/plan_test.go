package probe_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// plan runs the command, and holds the cluster to having no Job left.
func (b *bed) plan(args ...string) (p plan.Plan, stderr string) {
	b.t.Helper()
	r := b.pfringIn(append([]string{"plan", "--probe", "-o", "json", "-l", setLabel + "=" + b.namespace}, args...)...)
	if err := json.Unmarshal([]byte(r.out), &p); err != nil || r.code != 0 {
		b.t.Fatalf("exit %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
	b.gone()
	return p, r.err
}

func text(p plan.Plan) string {
	data, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestPlanGoesByWhatTheNodesSay(t *testing.T) {
	b := newBed(t, 1, "")
	b.addNodes(1, kube.Node{Prefix: "x", Kernel: func(int) string { return oldKernel }})
	good := served(t, nil)
	p, stderr := b.plan(good...)
	if p.Way != plan.Auto || !p.Ready || stderr != "" || strings.Contains(text(p), "does not show Secure Boot") {
		t.Errorf("all well: %s\n%s", text(p), stderr)
	}
	b.run(func(*corev1.Pod, *corev1.Node) *kube.Result { return nil }, func(n *corev1.Node) kube.Machine {
		if n.Status.NodeInfo.KernelVersion == oldKernel {
			return kube.Machine{"hostsys/kernel/security/lockdown": "none [integrity] confidentiality\n"}
		}
		return kube.Machine{}
	})
	p, _ = b.plan(good...)
	if p.Ready || p.Kernels[0].Signed != "yes" || p.Kernels[1].Signed != "no" || !strings.Contains(text(p), "Sign the modules for these kernels") {
		t.Errorf("locked down: %s", text(p))
	}
}

func TestPlanKeepsACopyInsideWhereNodesAreCutOff(t *testing.T) {
	b := newBed(t, 1, "")
	dir, key := files(t, nil)
	s := httptest.NewTLSServer(http.FileServer(http.Dir(dir)))
	defer s.Close()
	here, _ := proxy(t, host(s.URL), false)
	// From here the repository answers, by a proxy that the nodes do not have.
	args := append([]string{"plan", "--probe", "-l", setLabel + "=" + b.namespace, "--set", "tap.kernelModule.source.proxy.https=http://" + closed(t)},
		source(t, "https://example.com", key)...)
	cmd := exec.CommandContext(b.ctx, shared.pfring, b.args(args...)...)
	cmd.Env = append(os.Environ(), "HTTPS_PROXY="+here, "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	for _, says := range []string{"No node that was probed reaches https://example.com", "connection refused", "Let the nodes with these kernels reach the module repository"} {
		if err != nil || !strings.Contains(string(out), says) {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	b.gone()
}

func TestPlanWarnsOfNodesThatCouldNotBeAsked(t *testing.T) {
	b := newBed(t, 1, "")
	b.run(func(*corev1.Pod, *corev1.Node) *kube.Result {
		return &kube.Result{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}}
	}, nil)
	_, stderr := b.plan(served(t, nil)...)
	if !strings.Contains(stderr, "no probe of "+newKernel) || !strings.Contains(stderr, "[image-pull]") {
		t.Error(stderr)
	}
}

func TestPrereqCheckAgreesWithWhatPlanWrites(t *testing.T) {
	b := newBed(t, 2, "")
	file := filepath.Join(t.TempDir(), "planned.yaml")
	good := served(t, nil)
	b.plan(append(good, "--output-file", file)...)
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"prereq", "check", "--skip", "permissions", "-f", file, "--fail-on", "warning"}, good...)
	if r := b.pfringIn(args...); r.code != 0 {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

func TestPrereqCheckAgreesWithTheMappingsThatPlanWrites(t *testing.T) {
	b := newBed(t, 1, "")
	b.addNodes(2, kube.Node{Prefix: "x", Kernel: func(i int) string { return []string{"6.8.0-51-generic", "6.6.87+"}[i] }})
	file := filepath.Join(t.TempDir(), "planned.yaml")
	p, _ := b.plan(append(served(t, nil), "--image-repository", closed(t)+"/pf-ring", "--build-configmap", "build", "--mode", "kmm", "--output-file", file)...)
	if p.Way != plan.KMMBuild || !strings.Contains(text(p), "Let the nodes reach the registry of the images") {
		t.Errorf("%s", text(p))
	}
	r := b.pfringIn("prereq", "check", "--only", "nodes.selected,mappings.kernels", "-f", file, "--fail-on", "warning",
		"--set", `tap.kernelModule.kmm.selector.pfring\.test/set=`+b.namespace)
	// KMM serves no release that ends in a plus sign: plan has no mapping for it, and check asks for none.
	if r.code != 1 || !strings.Contains(r.out, "1 of 3 kernels have no mapping") || !strings.Contains(r.out, "6.6.87+ amd64 (1 node): KMM does not support") ||
		!strings.Contains(r.out, "Use mode auto for such nodes") || strings.Contains(r.out, "Add mappings") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}
