package images_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// deb returns a package of the system's Debian archive for an architecture,
// downloaded now or by an earlier run. Nothing is installed.
func deb(t testing.TB, name, arch string) string {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		missing(t, "takes "+name+" from Debian's archive: run it on Debian, such as in a container debian:12")
	}
	cache, err := toolbin.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "debs-"+arch)
	if err := os.MkdirAll(filepath.Join(dir, "state", "lists", "partial"), 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if found := newest(t, dir, name); found != "" {
		return found
	}
	state := filepath.Join(dir, "state")
	options := []string{
		"-o", "Dir::State::Lists=" + filepath.Join(state, "lists"), "-o", "Dir::Cache=" + state, "-o", "Dir::State::status=/dev/null",
		"-o", "APT::Architecture=" + arch, "-o", "APT::Architectures=" + arch, "-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none",
	}
	for _, args := range [][]string{{"update"}, {"download", name}} {
		cmd := exec.Command("apt-get", append(options[:len(options):len(options)], args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apt-get %s: %v\n%s", args, err, out)
		}
	}
	return newest(t, dir, name)
}

func newest(t testing.TB, dir, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// missing skips, or fails where all must run.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// needArchive skips a test that takes programs from Debian's archive.
func needArchive(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes programs from Debian's archive; run without -short")
	}
}

// distribution starts Debian's docker-registry, the registry that most others
// come from, on the loopback, and returns its host.
func distribution(t testing.TB) string { return distributionIn(t, "") }

// distributionIn keeps its data in a folder; "" is one of its own.
func distributionIn(t testing.TB, data string) string {
	t.Helper()
	needArchive(t)
	dir := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "-x", deb(t, "docker-registry", "amd64"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if data == "" {
		data = filepath.Join(dir, "data")
	}
	host := freePort(t)
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %q}\n", data, host)
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "usr", "bin", "docker-registry"), "serve", file)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) && cmd.ProcessState.ExitCode() > 0 {
			t.Errorf("docker-registry: %v\n%s", err, log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.Get("http://" + host + "/v2/")
		if err == nil {
			if err := r.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return host
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker-registry does not answer: %v", err)
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it was only to find a port
	return l.Addr().String()
}
