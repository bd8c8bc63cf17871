package kube_test

import (
	"context"
	"fmt"
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

// launchEnv, when set, makes this test program start a cluster in the folder that it names, say so, and hang.
const launchEnv = "PFRING_TEST_LAUNCH_AND_HANG"

func launchAndHang(dir string) {
	cluster, err := kube.Launch(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready", cluster.URL)
	select {}
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
