package kube

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Cluster is a running control plane.
type Cluster struct {
	// URL is the API server's, on loopback.
	URL string
	// CA has signed every certificate here and signs more.
	CA *Authority
	// Kubeconfig is the path of an administrator's, and Config the same for client-go, without limits on its requests.
	Kubeconfig string
	Config     *rest.Config
	Client     kubernetes.Interface
	Dynamic    dynamic.Interface

	dir       string
	processes []*process
}

// Start runs a control plane for one test and stops it at the test's end.
func Start(t testing.TB) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs a control plane; run without -short")
	}
	cluster, err := Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	return cluster
}

// Main runs a package's tests with one control plane that they share, and
// returns the exit code for os.Exit. prepare gets the cluster before the first
// test, with a context that ends after the last one. With -short it runs none of
// them: a control plane is more than Go.
func Main(m *testing.M, prepare func(context.Context, *Cluster) error) int {
	flag.Parse() // which m.Run would do, too late for Short
	if testing.Short() {
		fmt.Println("-short: needs a control plane; run without -short")
		return 0
	}
	dir, err := os.MkdirTemp("", "pfring-kube-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code, err := runIn(dir, m, prepare)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

func runIn(dir string, m *testing.M, prepare func(context.Context, *Cluster) error) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cluster, err := Launch(ctx, dir)
	if err != nil {
		cancel()
		return 1, err
	}
	defer cluster.Stop()
	defer cancel()
	if err := prepare(ctx, cluster); err != nil {
		return 1, fmt.Errorf("preparing the cluster: %w", err)
	}
	return m.Run(), nil
}

// Launch runs a control plane that keeps its files in dir, and returns when it
// is ready to take pods. The first call on a machine builds it, for minutes.
func Launch(ctx context.Context, dir string) (*Cluster, error) {
	program, err := toolbin.ControlPlane()
	if err != nil {
		return nil, err
	}
	var failures []error
	// Somebody else may take a port between our choosing it and the component's listening on it.
	for attempt := range 3 {
		cluster := &Cluster{dir: filepath.Join(dir, fmt.Sprintf("attempt-%d", attempt))}
		if err = cluster.start(ctx, program); err == nil {
			return cluster, nil
		}
		cluster.Stop()
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("starting the control plane: %w", errors.Join(failures...))
}

// Stop ends the control plane. Its files stay for whoever owns the folder.
func (c *Cluster) Stop() {
	for _, p := range slices.Backward(c.processes) {
		p.stop()
	}
	c.processes = nil
}

func (c *Cluster) start(ctx context.Context, program string) (err error) {
	if err := os.MkdirAll(c.dir, 0o750); err != nil {
		return fmt.Errorf("making the cluster's folder: %w", err)
	}
	if c.CA, err = newAuthority(c.dir); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer := loopbackURL("http", ports[0]), loopbackURL("http", ports[1])
	c.URL = loopbackURL("https", ports[2])
	if err := c.run(program, "etcd", etcdFlags(client, peer)); err != nil {
		return err
	}
	if err := c.startAPIServer(program, client, ports[2]); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if err := c.waitFor(ctx, "the API server to be ready", c.apiReady); err != nil {
		return err
	}
	if err := c.startControllers(program); err != nil {
		return err
	}
	return c.waitFor(ctx, "the ServiceAccount default", c.hasServiceAccount)
}

func (c *Cluster) connect() (err error) {
	if c.Kubeconfig, err = c.WriteKubeconfig("admin", admin); err != nil {
		return err
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c.Config.QPS = -1
	// Built-in kinds travel as protobuf, which thousands of nodes make worth it.
	typed := rest.CopyConfig(c.Config)
	typed.ContentType, typed.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	if c.Client, err = kubernetes.NewForConfig(typed); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if c.Dynamic, err = dynamic.NewForConfig(c.Config); err != nil {
		return fmt.Errorf("making a dynamic client: %w", err)
	}
	return nil
}
