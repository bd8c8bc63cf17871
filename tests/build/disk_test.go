package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// smallDisk is a file system of 256 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("pfring-test", dir, "tmpfs", 0, "size=256k"); err != nil {
		if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skipf("mounts a small file system, for which it must be root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	disk := smallDisk(t)
	logOf := func(ko moduletest.KO) string {
		pod := &corev1.Pod{}
		pod.Spec.Containers = []corev1.Container{{Env: []corev1.EnvVar{{Name: "PFRING_MARK", Value: "pfring:"}}}}
		log := newLog()
		log.onFirstByte = func() {}
		deliver(pod, log, ko.Bytes(), 0)
		name := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(name, log.data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	small, large := moduletest.KO{Kernel: "6.1.0-18-amd64"}, moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 600 << 10}
	pfring(t.Context(), "default", "module", "build", "--from-log", logOf(small), "-o", disk, "--repository", disk+"/repo").want(t, 0, "serial 1, 1 module")
	pfring(t.Context(), "default", "module", "build", "--from-log", logOf(large), "-o", disk).want(t, 2, "no space left on device", disk)
	pfring(t.Context(), "default", "module", "build", "--from-log", logOf(large), "--repository", disk+"/repo").want(t, 2, "no space left on device")
	for _, path := range []string{"amd64/pf-ring-6.1.0-18-amd64.ko.zst", "repo/modules/amd64/6.1.0-18-amd64/pf_ring.ko.zst"} {
		got, err := os.ReadFile(filepath.Join(disk, path))
		if err == nil {
			got, _, err = module.Decompress(got, module.DefaultMaxSize)
		}
		if err != nil || !bytes.Equal(got, small.Bytes()) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	index, err := os.ReadFile(filepath.Join(disk, "repo", "index.json"))
	if err != nil || !strings.Contains(string(index), `"serial": 1`) {
		t.Errorf("%s %v", index, err)
	}
}
