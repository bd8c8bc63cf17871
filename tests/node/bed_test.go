package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

const (
	release   = "pfring"
	namespace = "kubeshark"
	version   = "8.9.0"
	// load writes the one, run the other.
	stateFile = "/run/kubeshark-pfring/state.json"
	watchFile = "/run/kubeshark-pfring/watch/state.json"
	// patience is far beyond what anything here takes; nothing but a bug meets it.
	patience = 8 * time.Minute
)

// The commands use their caller's own keys, also those of tests beside each other.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": s3.AccessKey, "AWS_SECRET_ACCESS_KEY": s3.SecretKey} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// bed is a cluster with what nodes fetch from.
type bed struct {
	cluster  *kube.Cluster
	registry *node.Registry
	bucket   *s3.Server
	// helm and chart are Helm's program and the chart's folder; values is a file.
	helm, chart, values string
	// imported tells that nodes have the images of the project under the names that
	// the chart asks for; else they are in the registry.
	imported bool
}

// newBed is a bed whose registry has the agent's image, with Secret and namespace
// for the chart.
func newBed(t *testing.T) *bed {
	t.Helper()
	b := newEmptyBed(t)
	b.registry.PushAgent(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := b.cluster.Client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.addLogin(t)
	return b
}

// addLogin adds the Secret with which nodes read the bucket.
func (b *bed) addLogin(t *testing.T) {
	t.Helper()
	_, err := b.cluster.Client.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "repository"},
		StringData: map[string]string{"accessKeyID": b.bucket.AccessKey, "secretAccessKey": b.bucket.SecretKey},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// newEmptyBed starts the control plane, the registry and the S3 server.
func newEmptyBed(t *testing.T) *bed {
	t.Helper()
	node.Need(t)
	b := &bed{cluster: kube.Start(t), registry: node.StartRegistry(t), bucket: s3.Start(t)}
	var err error
	if b.helm, err = toolbin.Tool(toolbin.Helm); err != nil {
		t.Fatal(err)
	}
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	b.chart = filepath.Join(root, "charts", "kubeshark-pfring")
	if err := b.cluster.AddDefinitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b.show(t)
		}
	})
	return b
}

// serve puts a repository into the bucket below a prefix.
func (b *bed) serve(t *testing.T, prefix string, r *moduletest.Repository) {
	t.Helper()
	files := map[string][]byte{}
	for name, data := range r.Files {
		files[prefix+"/"+name] = data
	}
	b.bucket.Put(t, "modules", files)
}

// writeValues writes the values that all installations share.
func (b *bed) writeValues(t *testing.T, key string) {
	t.Helper()
	b.values = filepath.Join(t.TempDir(), "values.yaml")
	text := fmt.Sprintf(`tap:
  docker: {registry: %s/kubeshark}
  kernelModule:
    agent: {image: {tag: %s}}
    source:
      url: s3://modules/pf-ring
      endpoint: http://%s
      pathStyle: true
      credentialsSecret: repository
      publicKeys: [%s]
`, b.registry.Nodes, node.AgentTag, node.Reachable(b.bucket.Address), key)
	if err := os.WriteFile(b.values, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pods are the agent's that are not being deleted.
func (b *bed) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := b.cluster.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=agent,app.kubernetes.io/instance=" + release})
	if err != nil {
		t.Fatal(err)
	}
	var living []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			living = append(living, pod)
		}
	}
	return living
}

// show logs pods and events for whoever looks into a failure.
func (b *bed) show(t *testing.T) {
	ctx := context.Background() // that of the test is over
	pods, err := b.cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, p := range pods.Items {
		t.Logf("pod %s, deleted %v, %s\n  conditions %+v\n  init %+v\n  main %+v", p.Name, p.DeletionTimestamp, p.Status.Phase, p.Status.Conditions, p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
	}
	events, err := b.cluster.Client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, e := range events.Items {
		t.Logf("%s %s/%s %s: %s", e.LastTimestamp.Format(time.TimeOnly), e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
	}
}

// pod is the only one, once an upgrade has taken its predecessor away.
func (b *bed) pod(t *testing.T) corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	poll(t, "the agent to have one pod", func() bool {
		pods = b.pods(t)
		return len(pods) == 1
	})
	return pods[0]
}

// poll waits until check says true.
func poll(t *testing.T, what string, check func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := kube.Poll(ctx, what, func(context.Context) (bool, error) { return check(), nil }); err != nil {
		t.Fatal(err)
	}
}

// said is the outcome of an init container that has ended.
func said(t *testing.T, pod corev1.Pod) (o outcome.Outcome) {
	t.Helper()
	for _, c := range pod.Status.InitContainerStatuses {
		if c.State.Terminated != nil {
			o, err := outcome.Parse([]byte(c.State.Terminated.Message))
			if err != nil {
				t.Fatalf("container %s of %s says no outcome: %v", c.Name, pod.Name, err)
			}
			return o
		}
	}
	return o
}
