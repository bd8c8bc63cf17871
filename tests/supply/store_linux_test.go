package supply_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestAFullVolumeIsSaidWithItsRemedy(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	b.config, b.storeDir = "supply: {store: {type: persistentVolumeClaim}}", smallDisk(t, "160k")
	b.becomes(func(pod *corev1.Pod, kernel string) (string, kube.Result) {
		ko := moduletest.KO{Kernel: kernel, Padding: 40 << 10}
		if kernel == "6.1.0-19-amd64" {
			ko.Padding = 400 << 10
		}
		return printed(pod, ko.Bytes()), kube.Result{}
	})
	b.start(t, b.account(t))
	s := b.status(t, "the volume to be full", func(s *supply.Status) bool { return count(s, supply.Failed) == 1 && count(s, supply.Built) == 1 })
	if k := s.Find("6.1.0-19-amd64", "amd64"); k.Reason != supply.StoreFull || !strings.Contains(k.Message, "volume") || !strings.Contains(k.Remedy, "PersistentVolumeClaim") {
		t.Errorf("%+v", k)
	}
	b.loaded(t, 1)
}

// smallDisk is a file system of that size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("pfring-test", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skipf("mounts a small file system, for which it must be root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
