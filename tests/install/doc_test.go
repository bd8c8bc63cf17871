// Package install_test installs the chart by Helm's own library on a real
// control plane with simulated nodes: what --wait waits for, upgrades,
// rollbacks and uninstalls, where pods are scheduled, and what Pod Security
// admission and KMM's resource definitions say.
package install_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// shared is what the tests of this package have in common. They run in
// parallel, each in a namespace and on nodes of its own.
var shared struct {
	*kube.Cluster
	answers answers
	// mapper knows the API server's resources, Module included.
	mapper meta.RESTMapper
}

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(ctx context.Context, cluster *kube.Cluster) error {
		shared.Cluster = cluster
		// The tests wait more than they work, so the number of processors is not a measure.
		if err := flag.Set("test.parallel", "8"); err != nil {
			return err
		}
		if err := installModuleCRD(ctx); err != nil {
			return err
		}
		var err error
		if shared.mapper, err = discover(ctx); err != nil {
			return err
		}
		_, err = cluster.RunKubelet(ctx, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
			return shared.answers.of(pod, node)
		})
		return err
	}))
}

// loadChart reads the embedded chart.
func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	root, err := fs.Sub(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	var files []*loader.BufferedFile
	if err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files = append(files, &loader.BufferedFile{Name: path, Data: data})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// modes are the two ways of loading, with the name of each one's init container.
var modes = map[string]string{"auto": "load", "kmm": "wait"}

// nodeCounts are the sizes of cluster that the main tests run on.
var nodeCounts = []int{1, 50}

func title(mode string, nodes int) string { return fmt.Sprintf("%s on %d", mode, nodes) }
