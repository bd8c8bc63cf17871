// Package status_test runs pfring status and pfring retry on a real control
// plane with simulated nodes, whose agents say what each test wants.
package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// setLabel is the node label by which each test has nodes of its own.
const setLabel = "pfring.test/set"

var shared struct {
	*kube.Cluster
	answers sync.Map // namespace → kube.Handler
}

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(ctx context.Context, cluster *kube.Cluster) error {
		shared.Cluster = cluster
		_, err := cluster.RunKubelet(ctx, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
			if handler, ok := shared.answers.Load(pod.Namespace); ok {
				return handler.(kube.Handler)(pod, node)
			}
			return kube.Loaded()
		})
		return err
	}))
}

// bed is where one test installs: a namespace and nodes.
type bed struct {
	t         testing.TB
	ctx       context.Context
	namespace string
	nodes     []string
}

// newBed makes a namespace that enforces a Pod Security level, and n nodes.
func newBed(t *testing.T, n int, level string) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, namespace: shared.Namespace(t, level)}
	b.addNodes(n, kube.Node{Prefix: "n"})
	return b
}

func (b *bed) addNodes(n int, template kube.Node) {
	b.t.Helper()
	template.Prefix = b.namespace + "-" + template.Prefix
	template.Labels = map[string]string{setLabel: b.namespace}
	b.nodes = append(b.nodes, shared.TestNodes(b.t, n, template)...)
}

// say makes handler decide about the pods of the test, by the node's number.
func (b *bed) say(handler func(node int) kube.Result) {
	shared.answers.Store(b.namespace, kube.Handler(func(_ *corev1.Pod, node *corev1.Node) kube.Result {
		for i, name := range b.nodes {
			if name == node.Name {
				return handler(i)
			}
		}
		return kube.Held()
	}))
}

// install applies what pfring render writes for these settings.
func (b *bed) install(set ...string) {
	b.t.Helper()
	args := []string{"render", "-n", b.namespace, "--set", "tap.kernelModule.source.url=https://modules.example.com"}
	args = append(args, "--set", `tap.kernelModule.agent.nodeSelector.pfring\.test/set=`+b.namespace)
	for _, s := range set {
		args = append(args, "--set", s)
	}
	r := b.run(args...)
	if r.code != 0 {
		b.t.Fatalf("rendering: %s", r.err)
	}
	groups, err := restmapper.GetAPIGroupResources(shared.Client.Discovery())
	if err != nil {
		b.t.Fatal(err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, doc := range strings.Split(r.out, "\n---\n") {
		b.create(mapper, doc)
	}
}

func (b *bed) create(mapper meta.RESTMapper, doc string) {
	b.t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(doc), &object.Object); err != nil {
		b.t.Fatal(err)
	}
	if len(object.Object) == 0 {
		return
	}
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		// KMM is not installed here.
		return
	}
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = shared.Dynamic.Resource(mapping.Resource).Namespace(b.namespace).Create(b.ctx, object, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		b.t.Fatal(err)
	}
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// run runs pfring in this process. Commands of the live cluster get its kubeconfig.
func (b *bed) run(args ...string) result {
	b.t.Helper()
	var out, errOut bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	if args[0] != "render" {
		args = append(args, "--kubeconfig", shared.Kubeconfig, "-n", b.namespace)
	}
	root.SetArgs(args)
	err := root.ExecuteContext(b.ctx)
	if err != nil {
		errOut.WriteString(err.Error())
	}
	return result{out.String(), errOut.String(), cli.ExitCode(err)}
}

// status runs pfring status and returns its report.
func (b *bed) status(wantCode int, args ...string) *rollout.Report {
	b.t.Helper()
	r := b.run(append([]string{"status", "-o", "json"}, args...)...)
	if r.code != wantCode {
		b.t.Fatalf("exit code %d, want %d:\n%s%s", r.code, wantCode, r.out, r.err)
	}
	report := &rollout.Report{}
	dec := json.NewDecoder(strings.NewReader(r.out))
	if err := dec.Decode(report); err != nil || dec.More() {
		b.t.Fatalf("not one JSON document: %v\n%s", err, r.out)
	}
	// Nodes of other tests are not wanted by this one's release.
	var own []rollout.Node
	for _, n := range report.Nodes {
		if strings.HasPrefix(n.Node, b.namespace) {
			own = append(own, n)
		}
	}
	report.Nodes = own
	return report
}

// waitFor polls status until it is as wanted.
func (b *bed) waitFor(what string, wanted func(*rollout.Report) bool) *rollout.Report {
	b.t.Helper()
	config := *shared.Config
	client, err := rollout.NewClient(&config)
	if err != nil {
		b.t.Fatal(err)
	}
	var last *rollout.Report
	err = kube.Poll(b.ctx, what, func(ctx context.Context) (bool, error) {
		release, err := client.Find(ctx, b.namespace, "")
		if err != nil {
			return false, err
		}
		last, err = client.Status(ctx, release)
		return err == nil && wanted(last), err
	})
	if err != nil {
		b.t.Fatalf("%v\n%+v", err, last)
	}
	return last
}

func (b *bed) pods() map[string]string {
	b.t.Helper()
	list, err := shared.Client.CoreV1().Pods(b.namespace).List(b.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=agent"})
	if err != nil {
		b.t.Fatal(err)
	}
	names := map[string]string{}
	for _, p := range list.Items {
		names[p.Spec.NodeName] = p.Name
	}
	return names
}
