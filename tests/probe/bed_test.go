// Package probe_test runs `pfring prereq check --probe` and `pfring plan
// --probe` on a real control plane. Nodes are simulated; what the Jobs' pods
// run there is the real agent, as a process with the pod's own arguments,
// environment, Secrets and ConfigMaps.
package probe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// setLabel is the node label by which each test has nodes of its own.
const setLabel = "pfring.test/set"

var shared struct {
	*kube.Cluster
	pfring, agent string
	answers       sync.Map // namespace → kube.Handler
}

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(ctx context.Context, cluster *kube.Cluster) (err error) {
		shared.Cluster = cluster
		dir := filepath.Dir(cluster.Kubeconfig)
		if shared.pfring, err = toolbin.Pfring(dir); err != nil {
			return err
		}
		if shared.agent, err = toolbin.Agent(dir); err != nil {
			return err
		}
		_, err = cluster.RunKubelet(ctx, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
			if handler, ok := shared.answers.Load(pod.Namespace); ok {
				return handler.(kube.Handler)(pod, node)
			}
			return kube.Held()
		})
		return err
	}))
}

// bed is where one test probes: a namespace with nodes of its own.
type bed struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	nodes     []string

	mu   sync.Mutex
	pods []corev1.Pod // that began to run
}

// newBed makes a namespace that enforces a Pod Security level, and n nodes in
// three zones, whose pods run the agent on machines that take any module.
func newBed(t *testing.T, n int, level string) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, namespace: shared.Namespace(t, level)}
	b.addNodes(n, kube.Node{})
	if _, err := shared.Client.CoreV1().ConfigMaps(b.namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "ca"}, Data: map[string]string{"ca.crt": authority()},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.run(func(*corev1.Pod, *corev1.Node) *kube.Result { return nil }, nil)
	return b
}

func (b *bed) addNodes(n int, template kube.Node) {
	b.t.Helper()
	template.Prefix = b.namespace + template.Prefix
	template.Labels = map[string]string{setLabel: b.namespace}
	b.nodes = append(b.nodes, shared.TestNodes(b.t, n, template)...)
}

// run has pods run the agent, unless first knows better: on a machine that
// takes any module, with change's changes.
func (b *bed) run(first func(*corev1.Pod, *corev1.Node) *kube.Result, change func(*corev1.Node) kube.Machine) {
	shared.answers.Store(b.namespace, kube.Handler(func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		b.mu.Lock()
		b.pods = append(b.pods, *pod)
		b.mu.Unlock()
		if r := first(pod, node); r != nil {
			return *r
		}
		machine := kube.HealthyMachine(node.Status.NodeInfo.KernelVersion)
		if change != nil {
			machine = machine.With(change(node))
		}
		return shared.Execute(context.Background(), shared.agent, pod, node, machine)
	}))
}

// args are the flags by which a command sees this bed's cluster and nodes.
func (b *bed) args(args ...string) []string {
	return append(args, "--kubeconfig", shared.Kubeconfig, "-n", b.namespace,
		"--set", `tap.kernelModule.agent.nodeSelector.pfring\.test/set=`+b.namespace)
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// pfringIn runs the command in this process.
func (b *bed) pfringIn(args ...string) result {
	b.t.Helper()
	var out, errOut bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	root.SetArgs(b.args(args...))
	err := root.ExecuteContext(b.ctx)
	if err != nil {
		errOut.WriteString(err.Error())
	}
	return result{out.String(), errOut.String(), cli.ExitCode(err)}
}

// check runs the checks that --probe is about, and returns their findings.
func (b *bed) check(wantCode int, args ...string) findings {
	b.t.Helper()
	r := b.pfringIn(append([]string{"prereq", "check", "--probe", "-o", "json", "--only", "nodes.selected,namespace.exists,probe,egress"}, args...)...)
	report := prereq.Report{}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != wantCode {
		b.t.Fatalf("exit code %d, want %d, %v:\n%s%s", r.code, wantCode, err, r.out, r.err)
	}
	b.gone()
	return findings{b.t, report.Findings}
}

// gone holds the cluster to having no Job left.
func (b *bed) gone() {
	b.t.Helper()
	if err := kube.Poll(b.ctx, "the Jobs and their pods to go", func(ctx context.Context) (bool, error) {
		pods, err := shared.Client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{})
		return len(b.jobs()) == 0 && len(pods.Items) == 0, err
	}); err != nil {
		b.t.Errorf("%v: %d Jobs are left", err, len(b.jobs()))
	}
}

func (b *bed) jobs() []batchv1.Job {
	b.t.Helper()
	list, err := shared.Client.BatchV1().Jobs(b.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return list.Items
}

// pod is one that ran.
func (b *bed) pod() corev1.Pod {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pods) == 0 {
		b.t.Fatal("no pod ran")
	}
	return b.pods[0]
}

// findings are those of one run.
type findings struct {
	t    *testing.T
	list []prereq.Finding
}

// want holds one finding to its result, its reason and words in it, and its
// details.
func (f findings) want(id string, result prereq.Result, reason string, says ...string) findings {
	f.t.Helper()
	i := slices.IndexFunc(f.list, func(one prereq.Finding) bool { return one.ID == id })
	if i < 0 {
		f.t.Fatalf("no finding %s in %+v", id, f.list)
	}
	got := f.list[i]
	text := got.Observed + "\n" + strings.Join(got.Details, "\n") + "\n" + got.Remedy
	ok := got.Result == result && got.Reason == reason
	for _, s := range says {
		ok = ok && strings.Contains(text, s)
	}
	if !ok {
		f.t.Errorf("%s is %s [%s]: %s\nwant %s [%s] with %q", id, got.Result, got.Reason, text, result, reason, says)
	}
	return f
}

// others holds all other findings to be ok.
func (f findings) others(but ...string) {
	f.t.Helper()
	for _, one := range f.list {
		if one.Result != prereq.OK && !slices.Contains(but, one.ID) {
			f.t.Errorf("%s is %s [%s]: %s %q", one.ID, one.Result, one.Reason, one.Observed, one.Details)
		}
	}
}
