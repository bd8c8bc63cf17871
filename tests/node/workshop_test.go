package node_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// workshop is what builds fetch from: the source, and modules that were compiled
// here from it. To compile takes an emulated node minutes.
type workshop struct {
	// url is the server's as nodes see it; sum is the sha256 of its source.tar.gz.
	url, sum string

	mu      sync.Mutex
	modules map[string][]byte
	fetched map[string]int
	// closed keeps who asks for a module waiting until it is closed; nil keeps
	// nobody.
	closed chan struct{}
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	archive := sourceArchive(t)
	sum := sha256.Sum256(archive)
	w := &workshop{sum: hex.EncodeToString(sum[:]), modules: map[string][]byte{}, fetched: map[string]int{}}
	files := http.NewServeMux()
	files.HandleFunc("/source.tar.gz", func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(archive) })
	files.HandleFunc("/{kernel}/pf_ring.ko", w.give)
	server := httptest.NewServer(files)
	t.Cleanup(func() {
		w.open()
		server.Close()
	})
	w.url = "http://" + node.Reachable(strings.TrimPrefix(server.URL, "http://"))
	return w
}

func (w *workshop) give(out http.ResponseWriter, r *http.Request) {
	kernel := r.PathValue("kernel")
	w.mu.Lock()
	w.fetched[kernel]++
	closed, ko := w.closed, w.modules[kernel]
	w.mu.Unlock()
	if closed != nil {
		select {
		case <-closed:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = out.Write(ko)
}

// has compiles for kernels, or finds what an earlier run compiled.
func (w *workshop) has(t *testing.T, kernels ...vm.Kernel) {
	t.Helper()
	for _, k := range kernels {
		ko := vm.Module(t, k, vm.Variant{Version: version})
		w.mu.Lock()
		w.modules[k.Release] = ko
		w.mu.Unlock()
	}
}

// shut has all builds from now on wait until open.
func (w *workshop) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = make(chan struct{})
}

func (w *workshop) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		close(w.closed)
		w.closed = nil
	}
}

// asked is how often a build has asked for a kernel's module.
func (w *workshop) asked(kernel string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetched[kernel]
}

// script is supply.builder.script, as a value of --set.
func (w *workshop) script() string {
	return `wget -q -O "$PFRING_OUT" ` + w.url + `/$KERNEL_FULL_VERSION/pf_ring.ko`
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
	b.registry.Push(t, "builder:1", append(busyboxFiles(t, "sh", "tar", "gzip"), layer.File{Name: "tmp/.keep", Mode: 0o644}), "/bin/sh")
}

// busyboxFiles are busybox and its names that builds need, and further ones.
func busyboxFiles(t *testing.T, more ...string) []layer.File {
	t.Helper()
	busybox, err := os.ReadFile(filepath.Join(vm.Packages(t, "busybox-static"), "bin", "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	files := []layer.File{{Name: "bin/busybox", Mode: 0o755, Data: busybox}}
	for _, name := range append(more, "basename", "base64", "cat", "chmod", "cp", "cut", "dirname", "find", "grep", "ls", "mkdir", "mktemp", "mv", "printf",
		"rm", "sed", "sha256sum", "sleep", "sort", "tr", "wc", "wget") {
		files = append(files, layer.File{Name: "bin/" + name, Mode: 0o777, Link: "busybox"})
	}
	return files
}

// writeSupplied writes values without a module repository, and a builder that
// fetches from the workshop.
func (b *bed) writeSupplied(t *testing.T, w *workshop) {
	t.Helper()
	b.writeBuilder(t, w, "builder:1", "script: '"+w.script()+"'")
}

// writeBuilder writes values with that builder image and a further line below
// supply.builder.
func (b *bed) writeBuilder(t *testing.T, w *workshop, image, line string) {
	t.Helper()
	b.values = filepath.Join(t.TempDir(), "values.yaml")
	docker, agent, controller := "", "", ""
	if !b.imported {
		docker = "docker: {registry: " + b.registry.Nodes + "/kubeshark}"
		agent, controller = "agent: {image: {tag: "+node.AgentTag+"}}", "image: {tag: "+node.AgentTag+"}"
	}
	text := fmt.Sprintf(`tap:
  %s
  kernelModule:
    %s
    supply:
      %s
      builder:
        images: {debian: "%s/%s"}
        sourceURL: %s/source.tar.gz
        sourceSHA256: %s
        resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 768Mi}}
        %s
`, docker, agent, controller, b.registry.Nodes, image, w.url, w.sum, line)
	if err := os.WriteFile(b.values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// makefile makes the stand-in build as PF_RING does, by make in its folder.
const makefile = `ifneq ($(KERNELRELEASE),)
obj-m := pf_ring.o
ccflags-y := -DRING_VERSION='"` + version + `"'
else
all:
	$(MAKE) -C $(KERNEL_SRC) M=$(CURDIR) modules
endif
`

// sourceEnv names the kernel/ folder of PF_RING's source, to build from that
// instead of the stand-in.
const sourceEnv = "PFRING_TEST_SOURCE"

// sourceArchive is the stand-in's source in the shape of PF_RING's archive, or
// PF_RING's own.
func sourceArchive(t *testing.T) []byte {
	t.Helper()
	dir, own := os.Getenv(sourceEnv), map[string]string{}
	if dir == "" {
		root, err := toolbin.Root()
		if err != nil {
			t.Fatal(err)
		}
		dir, own = filepath.Join(root, "tests", "vm", "testdata", "pf_ring"), map[string]string{"Makefile": makefile}
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
		if text, replaced := own[name]; replaced {
			data = []byte(text)
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
