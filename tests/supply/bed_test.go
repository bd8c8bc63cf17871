// Package supply_test runs the supply controller on a real control plane whose
// nodes are simulated: builds print what the test says, and agents fetch for
// real what the controller serves.
package supply_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/controller"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/child"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

const (
	release = "pfring"
	debian  = "Debian GNU/Linux 12 (bookworm)"
	// home is the label of all nodes of a bed, also of those that the DaemonSet is not
	// for.
	home = "home"
	// asController has the test program be a controller, so that one can be killed.
	asController = "PFRING_TEST_CONTROLLER"
)

var (
	cluster *kube.Cluster
	kubelet *kube.Kubelet
	pods    handlers
)

func TestMain(m *testing.M) {
	if text := os.Getenv(asController); text != "" {
		os.Exit(controllerProcess(text))
	}
	// The tests wait for controllers and kubelets far more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(kube.Main(m, func(ctx context.Context, c *kube.Cluster) error {
		var err error
		cluster = c
		kubelet, err = c.RunKubelet(ctx, pods.handle)
		return err
	}))
}

// clock is a controller's, which can be put forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// forward puts the clock forward and has the controller look at everything.
func (c *clock) forward(t *testing.T, b *bed, by time.Duration) {
	t.Helper()
	c.mu.Lock()
	c.ahead += by
	c.mu.Unlock()
	touch(t, b)
}

// handlers decide about pods, by namespace.
type handlers struct {
	mu sync.Mutex
	by map[string]kube.Handler
}

func (h *handlers) handle(pod *corev1.Pod, node *corev1.Node) kube.Result {
	h.mu.Lock()
	handler := h.by[pod.Namespace]
	h.mu.Unlock()
	if handler == nil {
		return kube.Result{Hold: true}
	}
	return handler(pod, node)
}

func (h *handlers) set(namespace string, handler kube.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[string]kube.Handler{}
	}
	h.by[namespace] = handler
}

// bed is a release in a namespace of its own.
type bed struct {
	namespace string
	now       func() time.Time
	names     supply.Names
	logs      *kube.Logs
	serve     string
	config    string
	// storeDir and remote are where the controller finds its store, and reads where
	// agents find what it has stored; without a URL they ask the controller.
	storeDir string
	remote   store.Dirs
	reads    module.SourceOptions

	// deployment owns what the controller that start has started makes; "" is nobody.
	deployment string
	// patience bounds the wait for a status; 0 is three minutes.
	patience time.Duration
	// out is what the controller that start has started last has logged.
	out *lockedBuffer

	mu     sync.Mutex
	build  func(pod *corev1.Pod, kernel string) (log string, result kube.Result)
	builds map[string]int
	// release is the Helm release; "" is the constant of that name.
	release string
	// daemonSet is the agent's; "" is RELEASE-agent.
	daemonSet string
	// prefix begins the names of what the controller makes; "" is RELEASE-pfring.
	prefix string
	// identity is the controller's in its Lease; "" is one of its own for each.
	identity string
	// kill ends the controller that spawn has started, by SIGKILL.
	kill func()
}

// newBed makes a DaemonSet as the chart does, and nodes with these kernels.
func newBed(t *testing.T, level string, kernels ...string) *bed {
	t.Helper()
	b := emptyBed(t, level, kernels...)
	ds := daemonSet(b.namespace)
	if _, err := cluster.Client.AppsV1().DaemonSets(b.namespace).Create(t.Context(), ds, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// emptyBed makes the nodes alone.
func emptyBed(t *testing.T, level string, kernels ...string) *bed {
	t.Helper()
	b := &bed{namespace: cluster.Namespace(t, level), names: supply.NamesOf(release), logs: kube.ServeLogs(t), serve: freePort(t), config: "{}", builds: map[string]int{}}
	b.build = good
	// A build may go to any node, and its log is lost with the node of another test.
	cluster.KeepOnNodes(t, b.namespace, home, b.namespace)
	pods.set(b.namespace, b.handle)
	t.Cleanup(func() { pods.set(b.namespace, nil) })
	b.addNodes(t, "n", kernels...)
	return b
}

func (b *bed) addNodes(t *testing.T, prefix string, kernels ...string) {
	t.Helper()
	names, err := cluster.AddNodes(t.Context(), len(kernels), kube.Node{
		Prefix: prefix + "-" + b.namespace, Kernel: func(i int) string { return kernels[i] }, OSImage: debian, Logs: b.logs,
		Labels: map[string]string{"bed": b.namespace, home: b.namespace},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, name := range names {
			if err := cluster.RemoveNodes(context.Background(), name); err != nil && !apierrors.IsNotFound(errors.Unwrap(err)) {
				t.Error(err)
			}
		}
	})
}

func daemonSet(namespace string) *appsv1.DaemonSet {
	labels := map[string]string{"app.kubernetes.io/name": "kubeshark-pfring", "app.kubernetes.io/instance": release, "app.kubernetes.io/component": "agent"}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: release + "-agent", Namespace: namespace, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				NodeSelector:   map[string]string{"bed": namespace},
				InitContainers: []corev1.Container{{Name: "load", Image: "agent"}}, Containers: []corev1.Container{{Name: "run", Image: "agent"}},
				SecurityContext: restrictedPod(),
			}},
		},
	}
}

func restrictedPod() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
}

// handle is what happens to a pod: builds do as the test says, agents fetch.
func (b *bed) handle(pod *corev1.Pod, node *corev1.Node) kube.Result {
	if pod.Labels["app.kubernetes.io/component"] == "agent" {
		return kube.Result{Outcome: b.fetch(node)}
	}
	kernel := env(pod, "KERNEL_FULL_VERSION")
	if kernel == "" {
		return kube.Result{} // the chart's controller; the one of the test acts
	}
	b.mu.Lock()
	build := b.build
	b.mu.Unlock()
	log, result := build(pod, kernel)
	if !result.Hold && result.Waiting == nil {
		b.mu.Lock()
		b.builds[pod.Name]++
		b.mu.Unlock()
	}
	if !result.Hold && result.Waiting == nil || result.Running {
		b.logs.Set(pod, log)
	}
	return result
}

// fell is the outcome of an agent that goes on without.
func fell(reason outcome.Reason) outcome.Outcome {
	return outcome.Outcome{Backend: outcome.Libpcap, Reason: reason, Message: "test"}
}

// fetch does what an agent does: it finds, fetches and verifies the module.
func (b *bed) fetch(node *corev1.Node) outcome.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cm, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Get(ctx, b.names.Public, metav1.GetOptions{})
	if err != nil {
		return fell(outcome.SourceUnsigned)
	}
	return b.fetchTrusting(node, cm.Data)
}

// fetchTrusting is fetch with keys and CAs as they were published at some time.
func (b *bed) fetchTrusting(node *corev1.Node, public map[string]string) outcome.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "agent-")
	if err != nil {
		return fell(outcome.Internal)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, []byte(public[supply.CAKey]), 0o600); err != nil {
		return fell(outcome.Internal)
	}
	from := b.reads
	if from.URL == "" {
		from = module.SourceOptions{URL: "https://" + b.serve, CAFile: ca}
	}
	source, err := module.OpenSource(from)
	if err != nil {
		return fell(outcome.Internal)
	}
	info := node.Status.NodeInfo
	v, err := module.Get(ctx, source, module.Request{Kernel: info.KernelVersion, Arch: info.Architecture, PublicKeys: strings.Fields(public[supply.PublicKeysKey])})
	var e *module.Error
	switch {
	case errors.As(err, &e):
		return fell(e.Reason)
	case err != nil:
		return fell(outcome.Internal)
	}
	return outcome.Outcome{Backend: outcome.PFRing, Reason: outcome.Loaded, Module: outcome.Module{Version: v.Info.Version, SHA256: v.SHA256, Verified: v.Proof}}
}

func env(pod *corev1.Pod, name string) string {
	for _, e := range pod.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// good prints what a build prints that goes well.
func good(pod *corev1.Pod, kernel string) (string, kube.Result) {
	return printed(pod, moduletest.KO{Kernel: kernel, Padding: 40 << 10}.Bytes()), kube.Result{}
}

// printed is a log with a module in it.
func printed(pod *corev1.Pod, ko []byte) string {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(ko)
	_ = zip.Close()
	mark := env(pod, "PFRING_MARK")
	return fmt.Sprintf("%[1]s step packages\n%[1]s step compile\n%[1]s step deliver\n%[1]s module %[2]d %[3]x\n%[4]s\n%[1]s end\n",
		mark, packed.Len(), sha256.Sum256(ko), strings.Join(chunks(base64.StdEncoding.EncodeToString(packed.Bytes())), "\n"))
}

func chunks(s string) []string {
	var out []string
	for ; len(s) > 76; s = s[76:] {
		out = append(out, s[:76])
	}
	return append(out, s)
}

// bad prints why a build gave up.
func bad(step, why string) func(*corev1.Pod, string) (string, kube.Result) {
	return func(pod *corev1.Pod, _ string) (string, kube.Result) {
		mark := env(pod, "PFRING_MARK")
		return fmt.Sprintf("%[1]s step %[2]s\nE: something is wrong\n%[1]s fail %[3]s\n", mark, step, why), kube.Result{ExitCode: 1}
	}
}

func (b *bed) becomes(build func(*corev1.Pod, string) (string, kube.Result)) {
	b.mu.Lock()
	b.build = build
	b.mu.Unlock()
	kubelet.Resync()
}

// built tells how many pods have built.
func (b *bed) built() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.builds)
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + port
}

// process is how a controller is told what to run.
type process struct {
	now                                                                 func() time.Time
	Namespace, Kubeconfig, Config, Serve, Metrics, Deployment, Identity string
	StoreDir, NamePrefix, Release, DaemonSet                            string
	Remote                                                              store.Dirs
	// Lease is that of the leader; 0 is the controller's own, which a slow machine
	// does not lose.
	Lease time.Duration
}

func (p process) run(ctx context.Context, config *rest.Config, log *slog.Logger) error {
	settings, err := supply.ParseConfig([]byte(p.Config))
	if err != nil {
		return err
	}
	name := cmp.Or(p.Release, release)
	return controller.Run(ctx, controller.Options{
		Config: settings, Release: name, Namespace: p.Namespace, DaemonSet: cmp.Or(p.DaemonSet, name+"-agent"), Deployment: p.Deployment,
		MetricsAddress: p.Metrics, ServeAddress: p.Serve, Version: "test", REST: config, Log: log, LeaseDuration: p.Lease, Now: p.now,
		StoreDir: p.StoreDir, Remote: p.Remote, Identity: p.Identity, NamePrefix: p.NamePrefix,
	})
}

// controllerProcess is the controller as a process of its own.
func controllerProcess(text string) int {
	var p process
	err := json.Unmarshal([]byte(text), &p)
	debug.SetMemoryLimit(56 << 20) // as cmd/pfring-controller does
	if err == nil {
		var config *rest.Config
		if config, err = clientcmd.BuildConfigFromFlags("", p.Kubeconfig); err == nil {
			err = p.run(context.Background(), config, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// account is a client with exactly the rights that the chart gives, or fewer.
func (b *bed) account(t *testing.T, without ...string) *rest.Config {
	t.Helper()
	settings, err := supply.ParseConfig([]byte(b.config))
	if err != nil {
		t.Fatal(err)
	}
	rules := slices.DeleteFunc(supply.RoleRules(b.names, release+"-agent", settings), func(r rbacv1.PolicyRule) bool {
		return slices.ContainsFunc(without, func(resource string) bool { return slices.Contains(r.Resources, resource) })
	})
	api, ctx := cluster.Client.RbacV1(), t.Context()
	name := "controller-" + b.namespace + b.prefix
	_, roleErr := api.Roles(b.namespace).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
	_, clusterErr := api.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: supply.ClusterRules()}, metav1.CreateOptions{})
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "controller", Namespace: b.namespace}}
	_, bindErr := api.RoleBindings(b.namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: name}}, metav1.CreateOptions{})
	_, clusterBindErr := api.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: name}}, metav1.CreateOptions{})
	if err := errors.Join(roleErr, clusterErr, bindErr, clusterBindErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(api.ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{}), api.ClusterRoleBindings().Delete(context.Background(), name, metav1.DeleteOptions{}))
		if err != nil {
			t.Error(err)
		}
	})
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + b.namespace + ":controller"
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + b.namespace, "system:authenticated"}
	return config
}

// start runs a controller in this process until the test ends, or stop is called.
func (b *bed) start(t *testing.T, config *rest.Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	out := &lockedBuffer{}
	b.out = out
	go func() {
		done <- process{now: b.now, Release: b.release, DaemonSet: b.daemonSet, Namespace: b.namespace, Deployment: b.deployment, Config: b.config, Serve: b.serve, Metrics: "127.0.0.1:0", StoreDir: b.storeDir, Remote: b.remote, NamePrefix: b.prefix}.run(ctx, config, slog.New(slog.NewTextHandler(out, nil)))
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the controller: %v", err)
		}
		if t.Failed() {
			t.Logf("the controller:\n%s", out)
		}
	})
	t.Cleanup(stop)
	return stop
}

// spawn runs a controller as a process that can be killed.
func (b *bed) spawn(t testing.TB, kubeconfig string) (pid int) {
	t.Helper()
	text, err := json.Marshal(process{Namespace: b.namespace, Kubeconfig: kubeconfig, Config: b.config, Serve: b.serve, Metrics: "127.0.0.1:0", StoreDir: b.storeDir, Remote: b.remote, Identity: b.identity, Lease: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this test program
	cmd.Env = append(os.Environ(), asController+"="+string(text))
	cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		cmd.Stderr = nil
	}
	done, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	b.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	t.Cleanup(b.kill)
	return cmd.Process.Pid
}

// status waits until the status is as done wants it.
func (b *bed) status(t testing.TB, what string, done func(*supply.Status) bool) *supply.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(b.patience, 3*time.Minute))
	defer cancel()
	var last *supply.Status
	err := kube.Poll(ctx, what, func(ctx context.Context) (bool, error) {
		s, err := supply.ReadStatus(ctx, cluster.Client.CoreV1().ConfigMaps(b.namespace), b.names)
		if apierrors.IsNotFound(err) || err == nil && s == nil {
			return false, nil
		}
		last = s
		return err == nil && done(s), err
	})
	if err != nil {
		text, _ := json.MarshalIndent(last, "", " ")
		t.Fatalf("%v\n%s", err, text)
	}
	return last
}

func allOf(state supply.State, n int) func(*supply.Status) bool {
	return func(s *supply.Status) bool {
		return len(s.Kernels) == n && !slices.ContainsFunc(s.Kernels, func(k supply.KernelStatus) bool { return k.State != state })
	}
}

// loaded waits until the agent of each node has loaded.
func (b *bed) loaded(t *testing.T, nodes int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var last []string
	err := kube.Poll(ctx, fmt.Sprintf("%d agents to have loaded", nodes), func(ctx context.Context) (bool, error) {
		list, err := cluster.Client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=agent"})
		if err != nil {
			return false, err
		}
		good := 0
		last = nil
		for _, p := range list.Items {
			for _, c := range p.Status.InitContainerStatuses {
				if c.State.Terminated != nil {
					o, _ := outcome.Parse([]byte(c.State.Terminated.Message))
					last = append(last, p.Spec.NodeName+" "+string(o.Reason))
					if o.Backend == outcome.PFRing {
						good++
					}
				}
			}
		}
		return good == nodes, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, last)
	}
}

// lockedBuffer is written to by several.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// kernelsOf names n kernels.
func kernelsOf(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("6.1.0-%d-amd64", i+1)
	}
	return list
}

// sum is the sha256 of data, in hex.
func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
