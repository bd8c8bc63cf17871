package supply_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// changeNode changes the node that addNodes has made as the i-th with a prefix.
func changeNode(t *testing.T, b *bed, prefix string, i int, change func(*corev1.Node)) {
	t.Helper()
	api := cluster.Client.CoreV1().Nodes()
	// The control plane changes its taints meanwhile.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		node, err := api.Get(t.Context(), nodeName(b, prefix, i), metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(node)
		info := node.Status.NodeInfo
		if node, err = api.Update(t.Context(), node, metav1.UpdateOptions{}); err != nil {
			return err
		}
		node.Status.NodeInfo = info
		_, err = api.UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// buildPods remembers the pods of builds.
type buildPods struct {
	pods chan *corev1.Pod
	then func(*corev1.Pod, string) (string, kube.Result)
}

func (p *buildPods) build(pod *corev1.Pod, kernel string) (string, kube.Result) {
	select {
	case p.pods <- pod.DeepCopy():
	default:
	}
	return p.then(pod, kernel)
}

// Nodes of two architectures with the same kernel release: a build for each, on a
// node of its architecture, and each agent loads its own.
func TestTwoArchitecturesWithOneKernelRelease(t *testing.T) {
	t.Parallel()
	const kernel = "6.1.0-18-generic"
	b := newBed(t, "", kernel)
	cluster.TestNodes(t, 1, kube.Node{
		Prefix: "arm-" + b.namespace, Arch: "arm64", Kernel: func(int) string { return kernel }, OSImage: debian, Logs: b.logs, Labels: map[string]string{"bed": b.namespace, home: b.namespace},
	})
	b.becomes(func(pod *corev1.Pod, kernel string) (string, kube.Result) {
		arch := "amd64"
		if strings.HasPrefix(pod.Spec.NodeName, "arm-") {
			arch = "arm64"
		}
		return printed(pod, moduletest.KO{Kernel: kernel, Arch: arch, Padding: 40 << 10}.Bytes()), kube.Result{}
	})
	b.start(t, b.account(t))
	s := b.status(t, "both architectures to be built", fine(2))
	b.loaded(t, 2)
	if b.built() != 2 || s.Find(kernel, "amd64") == nil || s.Find(kernel, "arm64") == nil {
		t.Errorf("%d builds, %+v", b.built(), s.Kernels)
	}
}

// A Job, or its pod, that somebody deletes while it builds counts as a failed try,
// with words that say what happened, and is built again after the pause.
func TestABuildThatSomebodyDeletesIsBuiltAgain(t *testing.T) {
	t.Parallel()
	hold := func(*corev1.Pod, string) (string, kube.Result) { return "", kube.Result{Hold: true} }
	runs := func(pod *corev1.Pod, _ string) (string, kube.Result) {
		return env(pod, "PFRING_MARK") + " step compile\n", kube.Result{Hold: true, Running: true}
	}
	byJob := func(t *testing.T, b *bed, job string) {
		background := metav1.DeletePropagationBackground
		if err := cluster.Client.BatchV1().Jobs(b.namespace).Delete(t.Context(), job, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			t.Fatal(err)
		}
	}
	byPod := func(t *testing.T, b *bed, job string) {
		now := int64(0)
		err := cluster.Client.CoreV1().Pods(b.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{LabelSelector: "job-name=" + job})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		build  func(*corev1.Pod, string) (string, kube.Result)
		remove func(*testing.T, *bed, string)
	}{"Job before it runs": {hold, byJob}, "pod before it runs": {hold, byPod}, "Job while it runs": {runs, byJob}, "pod while it runs": {runs, byPod}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c2 := newBed(t, "", "6.1.0-18-amd64"), &clock{}
			b.now = c2.now
			b.becomes(c.build)
			b.start(t, b.account(t))
			s := b.status(t, "the build to begin", func(s *supply.Status) bool { return count(s, supply.Building) == 1 && s.Kernels[0].Job != "" })
			job := s.Kernels[0].Job
			podOf(t, b, job)
			c.remove(t, b, job)
			s = b.status(t, "the build to have failed", allOf(supply.Failed, 1))
			if k := s.Kernels[0]; k.Reason != supply.PodLost || !strings.Contains(k.Message, "deleted") || k.Tries != 1 || k.NextTry.IsZero() {
				t.Errorf("%+v", k)
			}
			b.becomes(good)
			c2.forward(t, b, 2*time.Minute)
			b.status(t, "the kernel to be built", fine(1))
			b.loaded(t, 1)
			noJobs(t, b)
		})
	}
}

// podOf waits until a Job has a pod on a node.
func podOf(t *testing.T, b *bed, job string) *corev1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var found *corev1.Pod
	err := kube.Poll(ctx, "the pod of "+job, func(ctx context.Context) (bool, error) {
		list, err := cluster.Client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + job})
		if err != nil || len(list.Items) == 0 || list.Items[0].Spec.NodeName == "" {
			return false, err
		}
		found = &list.Items[0]
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A node that does not say its system gets no build, with a reason; one that does
// not say its architecture is of that of its label.
func TestANodeThatDoesNotSayWhatItIs(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	changeNode(t, b, "n", 0, func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "" })
	changeNode(t, b, "n", 1, func(n *corev1.Node) { n.Status.NodeInfo.Architecture = "" })
	b.start(t, b.account(t))
	s := b.status(t, "both kernels to be settled", func(s *supply.Status) bool { return count(s, supply.Built)+count(s, supply.Unsupported) == 2 })
	if k := s.Find("6.1.0-18-amd64", "amd64"); k == nil || k.State != supply.Unsupported || k.Reason != supply.NoRecipe || !strings.Contains(k.Message, "system") || strings.Contains(k.Message, `""`) {
		t.Errorf("without a system: %+v", k)
	}
	if k := s.Find("6.1.0-19-amd64", "amd64"); k == nil || k.State != supply.Built {
		t.Errorf("without an architecture: %+v", k)
	}
}

// Where all nodes are cordoned, builds run on them all the same, as agents do.
func TestAllNodesAreCordoned(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	for i := range 2 {
		changeNode(t, b, "n", i, func(n *corev1.Node) { n.Spec.Unschedulable = true })
	}
	b.start(t, b.account(t))
	b.status(t, "both kernels to be built", fine(2))
	b.loaded(t, 2)
}

// Kernel releases with characters that neither labels nor URLs take as they are,
// and as long as Linux allows.
func TestKernelReleasesOfAllForms(t *testing.T) {
	t.Parallel()
	kernels := []string{"6.12.95+deb12-cloud-amd64", "6.6.31+", "6.5.0~rc1_custom", "6.1.0-" + strings.Repeat("a", 57)}
	all := func(t *testing.T, at func(*bed)) {
		b := newBed(t, "", kernels...)
		at(b)
		b.start(t, b.account(t))
		s := b.status(t, "all kernels to be built", fine(len(kernels)))
		b.loaded(t, len(kernels))
		for _, k := range kernels {
			if s.Find(k, "amd64") == nil {
				t.Errorf("the status has no %s", k)
			}
		}
	}
	t.Run("ConfigMaps", func(t *testing.T) { t.Parallel(); all(t, func(*bed) {}) })
	places(t, func(t *testing.T, p *place) { all(t, func(b *bed) { b.at(t, p, p.login) }) })
}

// A controller whose clock is ahead of a node's by less than a day serves it. Beyond
// that the node says that it is a matter of the clock.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		loads bool
	}{"half a day": {12 * time.Hour, true}, "two days": {48 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c2 := newBed(t, "", "6.1.0-18-amd64"), &clock{ahead: c.ahead}
			b.now = c2.now
			b.start(t, b.account(t))
			b.status(t, "the kernel to be built", fine(1))
			if c.loads {
				b.loaded(t, 1)
				return
			}
			ca := filepath.Join(t.TempDir(), "ca.crt")
			if err := os.WriteFile(ca, []byte(public(t, b)[supply.CAKey]), 0o600); err != nil {
				t.Fatal(err)
			}
			source, err := module.OpenSource(module.SourceOptions{URL: "https://" + b.serve, CAFile: ca})
			if err != nil {
				t.Fatal(err)
			}
			_, err = module.Get(t.Context(), source, module.Request{Kernel: "6.1.0-18-amd64", Arch: "amd64", PublicKeys: strings.Fields(public(t, b)[supply.PublicKeysKey])})
			var e *module.Error
			if !errors.As(err, &e) || e.Reason != outcome.SourceTLSUntrusted || !strings.Contains(err.Error(), "not yet valid") || !strings.Contains(err.Error(), "clock") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A controller whose clock was two years ahead, and is right after a restart, serves
// and signs again at once: what it made before would not be valid for two years.
func TestAControllerWhoseClockIsSetBackServesAgain(t *testing.T) {
	t.Parallel()
	b, c := newBed(t, "", "6.1.0-18-amd64"), &clock{ahead: 2 * 365 * 24 * time.Hour}
	b.now = c.now
	account := b.account(t)
	stop := b.start(t, account)
	b.status(t, "the kernel to be built", fine(1))
	stop()
	b.now = nil
	b.start(t, account)
	b.status(t, "an index of the time", func(s *supply.Status) bool { return s.Index.Created.Before(time.Now().Add(time.Minute)) })
	b.loaded(t, 1)
	if b.built() != 1 {
		t.Errorf("%d builds", b.built())
	}
}

// supply.builder.nodeSelector and tolerations take a build to dedicated nodes.
func TestBuildsGoToDedicatedNodes(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	taint := corev1.Taint{Key: "dedicated", Value: "builds", Effect: corev1.TaintEffectNoSchedule}
	names := cluster.TestNodes(t, 1, kube.Node{
		Prefix: "builder-" + b.namespace, OSImage: debian, Logs: b.logs, Labels: map[string]string{"builds": b.namespace, home: b.namespace}, Taints: []corev1.Taint{taint},
	})
	b.config = "supply: {builder: {nodeSelector: {builds: " + b.namespace + "}, tolerations: [{key: dedicated, operator: Equal, value: builds, effect: NoSchedule}]}}"
	seen := &buildPods{pods: make(chan *corev1.Pod, 1), then: good}
	b.becomes(seen.build)
	b.start(t, b.account(t))
	b.status(t, "the kernel to be built", fine(1))
	pod := <-seen.pods
	own := func(o corev1.Toleration) bool { return o.Key == "dedicated" && o.Value == "builds" }
	every := func(o corev1.Toleration) bool {
		return o.Key == "" && o.Operator == corev1.TolerationOpExists && o.Effect == ""
	}
	if pod.Spec.NodeName != names[0] || pod.Spec.NodeSelector["builds"] != b.namespace || pod.Spec.NodeSelector[corev1.LabelArchStable] != "amd64" ||
		!slices.ContainsFunc(pod.Spec.Tolerations, own) || slices.ContainsFunc(pod.Spec.Tolerations, every) {
		t.Errorf("on %s, by %v and %+v", pod.Spec.NodeName, pod.Spec.NodeSelector, pod.Spec.Tolerations)
	}
	b.loaded(t, 1)
}

// A log that cannot be read for a while, as when a kubelet starts again, is waited
// for: the build went well, and is not made again.
func TestALogThatCannotBeReadForAWhile(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	b.logs.Refuse(8)
	b.start(t, b.account(t))
	b.status(t, "the kernel to be built", func(s *supply.Status) bool {
		if count(s, supply.Failed) > 0 {
			t.Errorf("%+v", s.Kernels)
		}
		return fine(1)(s)
	})
	b.loaded(t, 1)
	if b.built() != 1 {
		t.Errorf("%d builds", b.built())
	}
}
