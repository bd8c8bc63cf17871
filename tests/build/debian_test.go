package build_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// needDebian skips a test where no Debian can be put into a folder and run
// there.
func needDebian(t *testing.T) {
	t.Helper()
	vm.Need(t)
	why := ""
	if _, err := exec.LookPath("debootstrap"); err != nil {
		why = "needs Debian's debootstrap: run hack/install-test-deps.sh as root"
	} else if out, err := exec.Command("unshare", "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		why = "runs a script in a Debian of its own, for which it must be root: " + strings.TrimSpace(string(out))
	}
	switch {
	case why != "" && os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1":
		t.Fatal(why)
	case why != "":
		t.Skip(why)
	}
}

// bareDebian is a Debian as small as its official image, made now or by an
// earlier run, packed. It takes its packages from where this system does.
func bareDebian(t *testing.T) string {
	t.Helper()
	archive, err := packDebian()
	if err != nil {
		t.Fatalf("making a Debian: %v", err)
	}
	return archive
}

func packDebian() (_ string, err error) {
	cache, err := toolbin.CacheDir()
	if err != nil {
		return "", err
	}
	archive := filepath.Join(cache, "debian-bookworm.tar")
	unlock, err := lockedfile.MutexAt(archive + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	dir, err := os.MkdirTemp("", "pfring-debian")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	archives, err := command("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) main", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	var sources strings.Builder
	mirror := ""
	for line := range strings.Lines(archives) {
		fields := strings.Fields(line)
		if len(fields) != 4 || !strings.HasPrefix(fields[2], "bookworm") || strings.Contains(sources.String(), line) {
			continue
		}
		sources.WriteString(line)
		if fields[2] == "bookworm" {
			mirror = fields[1]
		}
	}
	if _, err := command("debootstrap", "--variant=minbase", "bookworm", dir, mirror); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "etc", "apt", "sources.list"), []byte(sources.String()), 0o644); err != nil {
		return "", err
	}
	if _, err := command("tar", "-cf", archive+".new", "-C", dir, "--exclude=./dev/*", "--exclude=./proc/*", "."); err != nil {
		return "", err
	}
	return archive, os.Rename(archive+".new", archive)
}

func command(name string, args ...string) (string, error) {
	var errOut strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%q: %w\n%s%s", cmd.Args, err, out, errOut.String())
	}
	return string(out), nil
}

// container unpacks a fresh Debian, as an image is for each container.
func container(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if _, err := command("tar", "-xf", bareDebian(t), "-C", root); err != nil {
		t.Fatal(err)
	}
	resolve, err := os.ReadFile("/etc/resolv.conf")
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "etc", "resolv.conf"), resolve, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// enter is what runs first, in mount and PID namespaces of its own: it gives the
// folder the devices and what a Job mounts, and goes into it. $1 is the folder
// and $2 the node's /usr or nothing.
const enter = `set -e
mount --make-rprivate /
mkdir -p "$1/dev" "$1/proc" "$1/work"
mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
if [ -n "$2" ]; then
  mkdir -p "$1/host/usr"
  mount --bind "$2" "$1/host/usr"
  mount -o remount,bind,ro "$1/host/usr"
fi
root=$1
shift 2
exec chroot "$root" "$@"`

// runsIn runs a pod's own command in a Debian, with its own environment, as far
// as a process can: no image is pulled, and the network is this machine's. usr
// is the node's /usr. lines sees all that is printed.
func runsIn(root, usr string, lines io.Writer) behavior {
	return func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
		c := pod.Spec.Containers[0]
		mounted := ""
		for _, m := range c.VolumeMounts {
			if m.MountPath == "/host/usr" {
				mounted = usr
			}
		}
		args := append([]string{"--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", enter, "enter", root, mounted}, c.Command...)
		cmd := exec.CommandContext(ctx, "unshare", args...)
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
		for _, e := range c.Env {
			cmd.Env = append(cmd.Env, e.Name+"="+env(pod, e.Name))
		}
		both := io.MultiWriter(log, lines)
		cmd.Stdout, cmd.Stderr = both, both
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return end{exit: int32(exit.ExitCode()), reason: "Error"}
		}
		if err != nil {
			fmt.Fprintln(log, err)
			return end{exit: 128, reason: "Error"}
		}
		return end{}
	}
}

// buffer is a bytes.Buffer that a process writes and a test reads.
type buffer struct{ bytes.Buffer }
