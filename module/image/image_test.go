package image_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func modules(t *testing.T, list ...moduletest.KO) []image.Module {
	t.Helper()
	var out []image.Module
	for _, k := range list {
		m, err := image.Check(k.Bytes(), "pf_ring")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// start runs a registry in this process; its host is on the loopback.
func start(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	var h = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func access(t *testing.T, o image.RemoteOptions) *image.Remote {
	t.Helper()
	if o.Patience == 0 {
		o.Patience = 2 * time.Second // what fails here fails for good
	}
	r, err := image.NewRemote(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func target(t *testing.T, text string) image.Target {
	t.Helper()
	out, err := image.ParseTarget(text, access(t, image.RemoteOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// files lists an image's files with their modes.
func files(t *testing.T, image v1.Image) []string {
	t.Helper()
	r := mutate.Extract(image)
	defer r.Close() // a pipe of our own
	var out []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s: owner %d:%d, time %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		out = append(out, fmt.Sprintf("%04o %s", h.Mode, h.Name))
	}
}

func TestAnImageHoldsWhatModprobeReadsAndIsTheSameEachTime(t *testing.T) {
	list := modules(t, moduletest.KO{})
	img, err := image.Build(t.Context(), list, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := "opt/lib/modules/" + moduletest.Kernel + "/"
	want := []string{"0755 opt", "0755 opt/lib", "0755 opt/lib/modules", "0755 " + strings.TrimSuffix(dir, "/")}
	for _, name := range []string{"modules.alias", "modules.alias.bin", "modules.builtin.alias.bin", "modules.builtin.bin", "modules.dep", "modules.dep.bin",
		"modules.softdep", "modules.symbols", "modules.symbols.bin", "pf_ring.ko"} {
		want = append(want, "0644 "+dir+name)
	}
	slices.Sort(want)
	if got := files(t, img.Image); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	// Fixed here, so that a change of any byte on any machine is seen.
	const fixed = "sha256:02b5c3b869f1ead69b0d87e2da30f3e12968e513ed1881acc668a6c5bb8082ae"
	if digest.String() != fixed {
		t.Errorf("digest %s, was %s: if that is meant to be, tell users that images change", digest, fixed)
	}
}

func TestTwoArchitecturesBecomeAnIndexThatTheAgentReads(t *testing.T) {
	host := start(t, nil)
	list := modules(t, moduletest.KO{Kernel: "6.1.0-18"}, moduletest.KO{Kernel: "6.1.0-18", Arch: "arm64"}, moduletest.KO{Kernel: "6.12.1+"})
	each, err := image.BuildEach(t.Context(), list, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	written, err := target(t, host+"/pf/ring").Write(t.Context(), each)
	if err != nil || len(written) != 3 {
		t.Fatal(written, err)
	}
	source, err := module.OpenSource(module.SourceOptions{URL: "oci://" + host + "/pf/ring"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		got, err := module.Get(t.Context(), source, module.Request{Kernel: m.Info.KernelRelease, Arch: m.Info.Arch, Verify: outcome.VerifiedNone})
		if err != nil || string(got.Data) != string(m.Data) {
			t.Errorf("%s %s: %v", m.Info.KernelRelease, m.Info.Arch, err)
		}
	}
	// KMM leaves out the + at the end.
	if !strings.Contains(strings.Join(written, " "), "/pf/ring:6.12.1@") {
		t.Error(written)
	}
}

func TestOneImageForAllKernels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	img, err := image.Build(t.Context(), modules(t, moduletest.KO{Kernel: "6.1.0-18"}, moduletest.KO{Kernel: "6.1.0-19"}), image.Options{DirName: "/", Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(files(t, img.Image), "\n"); !strings.Contains(got, " lib/modules/6.1.0-18/pf_ring.ko") || !strings.Contains(got, " lib/modules/6.1.0-19/modules.dep.bin") {
		t.Error(got)
	}
	config, err := img.Image.ConfigFile()
	if err != nil || config.Config.Labels["a"] != "b" || config.Config.Labels["com.kubeshark.pfring.kernel-releases"] != "6.1.0-18 6.1.0-19" {
		t.Errorf("%v %v", config, err)
	}
	for range 2 { // the second replaces the first
		if _, err := target(t, "oci:"+dir+":all").Write(t.Context(), []image.Named{{Tag: "all", Image: img}}); err != nil {
			t.Fatal(err)
		}
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil || strings.Count(string(index), "ref.name") != 1 {
		t.Errorf("%s %v", index, err)
	}
}

func TestWhatCannotBePackedIsRefusedWithEveryFault(t *testing.T) {
	good := moduletest.KO{}.Bytes()
	for name, c := range map[string]struct {
		files map[string][]byte
		says  []string
	}{
		"another module":   {map[string][]byte{"x.ko": moduletest.KO{Name: "zram"}.Bytes()}, []string{"x.ko", `"zram"`}},
		"no module, cut":   {map[string][]byte{"x.ko": []byte("<html>"), "y.ko": good[:len(good)/2]}, []string{"x.ko", "y.ko"}},
		"twice":            {map[string][]byte{"x.ko": good, "y.ko": moduletest.KO{Padding: 9}.Bytes()}, []string{"x.ko", "y.ko", "leave one out"}},
		"wrong folder":     {map[string][]byte{"amd64/x.ko": moduletest.KO{Arch: "arm64"}.Bytes()}, []string{"in the folder amd64", "for arm64"}},
		"wrong name":       {map[string][]byte{"pf-ring-5.4.0.ko": good}, []string{"named for kernel 5.4.0", moduletest.Kernel}},
		"slash in release": {map[string][]byte{"x.ko": moduletest.KO{Kernel: "../../etc"}.Bytes()}, []string{"x.ko", "cannot be a folder"}},
		"no kernel":        {map[string][]byte{"x.ko": moduletest.KO{Kernel: "-", Flags: "-"}.Bytes()}, []string{"x.ko", "kernel"}},
		"nothing at all":   {map[string][]byte{"README": []byte("x")}, []string{"no kernel module"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			moduletest.WriteFiles(t, dir, c.files)
			_, err := image.Read([]string{dir}, "pf_ring")
			for _, s := range c.says {
				if err == nil || !strings.Contains(err.Error(), s) {
					t.Errorf("no %q in: %v", s, err)
				}
			}
		})
	}
}

func TestUnusualFilesArePackedOrNamed(t *testing.T) {
	for _, f := range moduletest.UnusualFiles(t) {
		dir := t.TempDir()
		moduletest.WriteFiles(t, dir, map[string][]byte{"pf_ring.ko.zst": f.Data})
		_, err := image.Read([]string{dir}, "pf_ring")
		f.Check(t, "pack", err)
	}
}

func TestTheHighestVersionIsPacked(t *testing.T) {
	dir := t.TempDir()
	r := moduletest.NewRepository(t).Add(moduletest.KO{Version: "8.9.0"}, "zst").Add(moduletest.KO{Version: "8.10.0"}, "xz").Add(moduletest.KO{Version: "8.8.0"}, "gz")
	r.Write(dir)
	list, err := image.Read([]string{dir}, "pf_ring")
	if err != nil || len(list) != 1 || list[0].Info.Version != "8.10.0" {
		t.Errorf("%v %v", list, err)
	}
}

func TestTwoKernelsOfOneTagAreAnError(t *testing.T) {
	_, err := image.BuildEach(t.Context(), modules(t, moduletest.KO{Kernel: "6.1.0"}, moduletest.KO{Kernel: "6.1.0+"}), image.Options{})
	if err == nil || !strings.Contains(err.Error(), "6.1.0 and 6.1.0+") {
		t.Error(err)
	}
}

// A push that fails on the way must leave the tag where it was.
func TestTagsMoveLast(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"full": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/uploads/") {
				w.WriteHeader(http.StatusInsufficientStorage)
				return true
			}
			return false
		},
		"dropped in mid-blob": func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch || r.Method == http.MethodPut {
				_, _ = io.CopyN(io.Discard, r.Body, 100)
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"forbidden": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Bool
			var tagged atomic.Int32
			host := start(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if bad.Load() && refuse(w, r) {
						return
					}
					if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v") {
						tagged.Add(1)
					}
					h.ServeHTTP(w, r)
				})
			})
			push := func(k moduletest.KO) error {
				img, err := image.Build(t.Context(), modules(t, k), image.Options{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = target(t, host+"/a:v").Write(t.Context(), []image.Named{{Tag: "v", Image: img}})
				return err
			}
			if err := push(moduletest.KO{}); err != nil || tagged.Load() != 1 {
				t.Fatal(err, tagged.Load())
			}
			bad.Store(true)
			err := push(moduletest.KO{Version: "9.0.0", Padding: 1 << 16})
			if err == nil || !strings.Contains(err.Error(), "no tag was changed") || tagged.Load() != 1 {
				t.Errorf("tagged %d times: %v", tagged.Load(), err)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	for text, want := range map[string]string{
		"oci:dir": "", "oci:dir:v1": "v1", "docker-archive:f.tar": "", "docker-archive:f.tar:name": "", "docker-archive:f.tar:name:v": "v",
		"localhost:5000/a": "", "localhost:5000/a:v": "v", "oci://reg.example.com/a/b:v": "v", "reg.example.com/a:latest": "latest",
	} {
		if got := target(t, text).Tag(); got != want {
			t.Errorf("%s: tag %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "oci:", "docker-archive:", "UPPER/Case", "a b", "reg/x@sha256:" + strings.Repeat("0", 64)} {
		if _, err := image.ParseTarget(text, access(t, image.RemoteOptions{})); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestADockerArchiveHasOneArchitecture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	img, err := image.Build(t.Context(), modules(t, moduletest.KO{}, moduletest.KO{Arch: "arm64"}), image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = target(t, "docker-archive:"+file).Write(t.Context(), []image.Named{{Tag: "v", Image: img}})
	if err == nil || !strings.Contains(err.Error(), "amd64 and arm64") {
		t.Error(err)
	}
	left, err := filepath.Glob(file + "*")
	if err != nil || len(left) > 0 {
		t.Errorf("%q is left (%v)", left, err)
	}
}
