package node_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// supplyEnv, when set, has the test of the supply run: an emulated node that also
// runs the controller and builds is slow.
const supplyEnv = "PFRING_TEST_SUPPLY"

// TestTheClusterSuppliesItself installs the chart into an empty cluster without
// a module repository: a Job builds, the controller signs and serves, and the
// agent that fell back is started again, by nobody's hand.
func TestTheClusterSuppliesItself(t *testing.T) {
	if os.Getenv(supplyEnv) == "" {
		t.Skip("runs controller and builds on an emulated node, for minutes: make e2e-supply")
	}
	b := newBed(t)
	kernel := vm.Get(t, vm.Stable)
	b.pushController(t)
	b.pushBuilder(t)
	b.writeSupplied(t, kernel)
	// The controller reads the build's log, so the API server must reach the kubelet.
	n := node.Start(t, b.cluster, b.registry, "127.0.0.2", kernel, nil)
	t.Cleanup(func() {
		if t.Failed() {
			b.showController(t)
		}
	})

	began := time.Now()
	if err := b.install(t.Context(), "install"); err != nil {
		t.Fatal(err)
	}
	installed := time.Now()
	if !n.Loaded(t, "pf_ring") {
		// --wait waits for pods, which are ready without a module: capture is never held up.
		t.Logf("helm --wait returned after %.1f s, with the module still to come", installed.Sub(began).Seconds())
	}
	b.timeline(t, n, began)
	got := b.says(t, n, outcome.Loaded)
	if got.Verified != outcome.VerifiedSignature || got.Source != supply.NamesOf(release).ServiceURL(namespace) {
		t.Errorf("%+v", got)
	}
	if info := n.Read(t, "/proc/net/pf_ring/info"); !strings.Contains(info, version) {
		t.Errorf("/proc/net/pf_ring/info says:\n%s", info)
	}
	t.Logf("pfring status:\n%s", b.onCluster(t, "status").out)

	b.uninstallSupplied(t)
	remove(t, n)
	b.failsToBuild(t, n)
	b.uninstallSupplied(t)
}

// failsToBuild installs with a build that cannot go well: the node stays on
// libpcap, and status says why.
func (b *bed) failsToBuild(t *testing.T, n *node.Node) {
	t.Helper()
	if err := b.install(t.Context(), "install", "supply.builder.script=echo 'no headers for this kernel'; exit 1"); err != nil {
		t.Fatal(err)
	}
	var got rollout.Node
	poll(t, "status to say that the build failed", func() bool {
		var report rollout.Report
		r := b.onCluster(t, "status", "-o", "json")
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Nodes) != 1 {
			return false
		}
		got = report.Nodes[0]
		return got.State == rollout.BuildFailed
	})
	if n.Loaded(t, "pf_ring") || !strings.Contains(got.Message+strings.Join(got.Log, "\n"), "no headers for this kernel") || got.Remedy == "" {
		t.Errorf("%+v", got)
	}
	t.Logf("pfring status:\n%s", b.onCluster(t, "status").out)
}

// uninstallSupplied uninstalls; what the controller has made goes with it.
func (b *bed) uninstallSupplied(t *testing.T) {
	t.Helper()
	if err := b.runHelm(t.Context(), "uninstall", release, "--wait", "--timeout", patience.String()); err != nil {
		t.Fatal(err)
	}
	b.nothingIsLeft(t)
	own := metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release}
	roles, err := b.cluster.Client.RbacV1().ClusterRoles().List(t.Context(), own)
	if err != nil || len(roles.Items) > 0 {
		t.Errorf("%v, %d ClusterRoles are left", err, len(roles.Items))
	}
}

// timeline waits until the node has PF_RING, and logs when the controller said
// what.
func (b *bed) timeline(t *testing.T, n *node.Node, began time.Time) {
	t.Helper()
	last := ""
	poll(t, "PF_RING on the node", func() bool {
		state := "no status yet"
		status, err := supply.ReadStatus(t.Context(), b.cluster.Client.CoreV1().ConfigMaps(namespace), release)
		if err == nil && status != nil {
			state = "no kernel yet"
			if k := status.Find(n.Kernel.Release, "amd64"); k != nil {
				state = strings.TrimSpace(fmt.Sprintf("%s %s %s %s", k.State, k.Step, k.Reason, k.Message))
			}
		}
		if state != last {
			t.Logf("%6.1f s: %s", time.Since(began).Seconds(), state)
			last = state
		}
		// Asking the machine costs its one processor time.
		time.Sleep(3 * time.Second)
		loaded := n.Loaded(t, "pf_ring")
		if loaded {
			t.Logf("%6.1f s: loaded", time.Since(began).Seconds())
		}
		return loaded
	})
	jobs, err := b.cluster.Client.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs.Items {
		t.Logf("Job %s: made %s, ended %v", j.Name, j.CreationTimestamp.Sub(began), j.Status.CompletionTime)
	}
}

// showController logs what the controller has logged.
func (b *bed) showController(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // that of the test is over
	defer cancel()
	pods := b.cluster.Client.CoreV1().Pods(namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
	if err != nil {
		t.Log(err)
		return
	}
	for _, p := range list.Items {
		text, err := pods.GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
		t.Logf("the log of %s, %v:\n%s", p.Name, err, text)
	}
}

// pushController pushes the controller's image.
func (b *bed) pushController(t *testing.T) {
	t.Helper()
	b.registry.Push(t, "kubeshark/pfring-controller:"+node.AgentTag,
		[]layer.File{{Name: "pfring-controller", Mode: 0o755, Data: vm.Program(t, "./cmd/pfring-controller")}}, "/pfring-controller")
}

// pushBuilder pushes an image with a shell and the tools that deliver a module.
func (b *bed) pushBuilder(t *testing.T) {
	t.Helper()
	busybox, err := os.ReadFile(filepath.Join(vm.Packages(t, "busybox-static"), "bin", "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	files := []layer.File{{Name: "bin/busybox", Mode: 0o755, Data: busybox}, {Name: "tmp/.keep", Mode: 0o644}}
	for _, name := range []string{
		"sh", "basename", "base64", "cat", "chmod", "cp", "cut", "dirname", "find", "grep", "gzip", "ls", "mkdir", "mktemp", "mv", "printf",
		"rm", "sed", "sha256sum", "sleep", "sort", "tar", "tr", "wc", "wget",
	} {
		files = append(files, layer.File{Name: "bin/" + name, Mode: 0o777, Link: "busybox"})
	}
	b.registry.Push(t, "builder:1", files, "/bin/sh")
}

// writeSupplied writes values without a source. Compiling would take the
// emulated node many minutes, so the module is compiled here, from the same
// archive, and what runs in the Job fetches it.
func (b *bed) writeSupplied(t *testing.T, kernel vm.Kernel) {
	t.Helper()
	archive := sourceArchive(t)
	files := http.NewServeMux()
	files.HandleFunc("/source.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	ko := vm.Module(t, kernel, vm.Variant{Version: version})
	files.HandleFunc("/"+kernel.Release+"/pf_ring.ko", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ko) })
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	reachable := "http://" + node.Reachable(strings.TrimPrefix(server.URL, "http://"))
	sum := sha256.Sum256(archive)
	b.values = filepath.Join(t.TempDir(), "values.yaml")
	text := fmt.Sprintf(`tap:
  docker: {registry: %[1]s/kubeshark}
  kernelModule:
    agent: {image: {tag: %[2]s}}
    supply:
      image: {tag: %[2]s}
      builder:
        images: {debian: "%[1]s/builder:1"}
        sourceURL: %[3]s/source.tar.gz
        sourceSHA256: %[4]s
        script: |
          wget -q -O "$PFRING_OUT" %[3]s/$KERNEL_FULL_VERSION/pf_ring.ko
        resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 512Mi}}
`, b.registry.Nodes, node.AgentTag, reachable, hex.EncodeToString(sum[:]))
	if err := os.WriteFile(b.values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sourceArchive is the stand-in's source in the shape of PF_RING's archive, or
// the kernel/ folder at PFRING_TEST_SOURCE.
func sourceArchive(t *testing.T) []byte {
	t.Helper()
	dir := os.Getenv("PFRING_TEST_SOURCE")
	if dir == "" {
		root, err := toolbin.Root()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "tests", "vm", "testdata", "pf_ring")
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: "PF_RING-test/kernel/" + filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
