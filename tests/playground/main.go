// Command playground runs a Kubernetes control plane with simulated nodes and a
// signed module repository on loopback, for people who have no cluster at hand,
// and prints what to try. `make playground` starts it; Ctrl-C ends it and leaves
// nothing behind. Nodes and kernels exist in the API alone: no module is loaded
// anywhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func main() {
	nodes := flag.Int("nodes", 40, "simulated nodes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *nodes, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(2)
	}
}

// run starts everything, tells what there is, and ends with ctx.
func run(ctx context.Context, nodes int, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "pfring-playground-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := fmt.Fprintln(out, "Starting a control plane; the first time it is built, which takes minutes …"); err != nil {
		return err
	}
	cluster, err := kube.Launch(ctx, dir)
	if err != nil {
		return err
	}
	defer cluster.Stop()
	repository, err := serveRepository(cluster, filepath.Join(dir, "repository"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, repository.close()) }()
	if err := addNodes(ctx, cluster, nodes); err != nil {
		return err
	}
	if err := cluster.AddDefinitions(ctx); err != nil {
		return err
	}
	if err := trust(ctx, cluster); err != nil {
		return err
	}
	agent, err := toolbin.Agent(dir)
	if err != nil {
		return err
	}
	kubelet, err := cluster.RunKubelet(ctx, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		return handle(ctx, cluster, agent, pod, node)
	})
	if err != nil {
		return err
	}
	pfring, err := toolbin.Pfring(dir)
	if err != nil {
		return err
	}
	if err := welcome(out, dir, pfring, cluster, repository, nodes); err != nil {
		return err
	}
	<-ctx.Done()
	kubelet.Wait()
	_, err = fmt.Fprintln(out, "\nStopped.")
	return err
}

// caConfigMap holds the certificate authority of the repository.
const caConfigMap = "modules-ca"

// trust gives the agent's pods the repository's authority, as values name it.
func trust(ctx context.Context, cluster *kube.Cluster) error {
	text, err := os.ReadFile(cluster.CA.CertFile())
	if err != nil {
		return fmt.Errorf("reading the authority: %w", err)
	}
	_, err = cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: caConfigMap}, Data: map[string]string{"ca.crt": string(text)},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("making the ConfigMap %s: %w", caConfigMap, err)
	}
	return nil
}

// welcome prints what there is and what to try.
func welcome(out io.Writer, dir, pfring string, cluster *kube.Cluster, r *served, nodes int) error {
	values := filepath.Join(dir, "values.yaml")
	text := fmt.Sprintf("tap:\n  kernelModule:\n    source:\n      url: %s\n      publicKeys: [%s]\n      caBundle: {configMap: %s}\n", r.url, r.key, caConfigMap)
	if err := os.WriteFile(values, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing values: %w", err)
	}
	_, err := fmt.Fprintf(out, `
A cluster with %d simulated nodes and %d kernels, and a module repository that has %d of
them. KMM and cert-manager are there by their API alone. Nodes are simulated: whatever
values you install, each reports the result for this repository. In another terminal:

  export KUBECONFIG=%s
  alias pfring=%s

  pfring compatibility -f %[6]s --ca-file %[7]s
  pfring prereq check -n default -f %[6]s --ca-file %[7]s --probe
  pfring plan -f %[6]s --ca-file %[7]s
  pfring render -n default %[6]s | kubectl apply -n default -f -
  pfring status -n default

Ctrl-C stops it and removes all of it.
`, nodes, len(kernels()), len(inRepository()), cluster.Kubeconfig, pfring, values, cluster.CA.CertFile())
	return err
}
