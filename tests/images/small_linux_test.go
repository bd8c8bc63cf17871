package images_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// small is an empty file system with room for so many KiB.
func small(t testing.TB, kib string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+kib+"k"); err != nil {
		missing(t, "fills a small tmpfs, and may not mount one ("+err.Error()+"): run it as root")
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
