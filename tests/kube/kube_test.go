package kube_test

import (
	"context"
	"os"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// cluster is the control plane that the tests of this package share.
var cluster *kube.Cluster

func TestMain(m *testing.M) {
	if dir := os.Getenv(launchEnv); dir != "" {
		launchAndHang(dir)
	}
	os.Exit(kube.Main(m, func(_ context.Context, c *kube.Cluster) error {
		cluster = c
		return nil
	}))
}

func TestTheControlPlaneReportsThePinnedVersion(t *testing.T) {
	version, err := cluster.Client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != toolbin.KubernetesVersion {
		t.Errorf("it reports %s, tests/controlplane pins %s", version.GitVersion, toolbin.KubernetesVersion)
	}
}
