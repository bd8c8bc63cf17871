package images_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// next is the kernel of a node that was upgraded.
const next = "6.1.0-19-amd64"

// large does not fit into the small file systems below, little does.
var (
	little = moduletest.KO{Kernel: kernel, Padding: 100 << 10}
	large  = moduletest.KO{Kernel: kernel, Version: "8.10.0", Padding: 2 << 20}
)

// largeFor is large, built for another kernel.
func largeFor(release string) []byte {
	ko := large
	ko.Kernel = release
	return ko.Bytes()
}

// refused runs a command that must fail for want of room, and say so.
func refused(t *testing.T, args ...string) {
	t.Helper()
	_, _, err := pfring(t, args...)
	if err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("pfring %s: %v", strings.Join(args[:2], " "), err)
	}
}

// same holds a file, and that nothing else came into its folder.
func same(t *testing.T, path string, want []byte, folder []string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes and had %d (%v)", path, len(got), len(want), err)
	}
	if left := names(t, filepath.Dir(path)); !slices.Equal(left, folder) {
		t.Errorf("in the folder is %q, was %q", left, folder)
	}
}

func TestAFullDiskLosesNothingOfAnImage(t *testing.T) {
	dir := small(t, "1024")
	for _, kind := range []string{"oci:" + dir + "/layout", "docker-archive:" + dir + "/image.tar"} {
		mustRun(t, "module", "pack", save(t, little), "-o", kind, "--base", "scratch")
	}
	index, archive := read(t, dir+"/layout/index.json"), read(t, dir+"/image.tar")
	for range 2 { // what the first leaves must not help the second to a broken image
		refused(t, "module", "pack", save(t, large), "-o", "oci:"+dir+"/layout", "--base", "scratch")
		refused(t, "module", "pack", save(t, large), "-o", "docker-archive:"+dir+"/image.tar", "--base", "scratch")
	}
	same(t, dir+"/image.tar", archive, []string{"image.tar", "layout"})
	same(t, dir+"/layout/index.json", index, []string{"blobs", "index.json", "oci-layout"})
	list, err := layout.ImageIndexFromPath(dir + "/layout")
	if err == nil {
		err = validate.Index(list)
	}
	if err != nil {
		t.Errorf("the layout: %v", err)
	}
}

func TestAFullDiskLosesNothingOfARepository(t *testing.T) {
	dir := small(t, "1024")
	m := moduletest.NewRepository(t).AddFile(kernel, "amd64", "8.9.0", little.Bytes(), "raw").Sign()
	before := t.TempDir()
	m.Write(before)
	mustRun(t, "module", "mirror", before, dir+"/folder", "--public-key", m.PublicKey)
	mustRun(t, "module", "mirror", before, dir+"/bundle.tar", "--public-key", m.PublicKey)
	tarball := read(t, dir+"/bundle.tar")
	m.AddFile(next, "amd64", large.Version, largeFor(next), "raw").Sign()
	after := t.TempDir()
	m.Write(after)
	refused(t, "module", "mirror", after, dir+"/folder", "--public-key", m.PublicKey)
	refused(t, "module", "mirror", after, dir+"/bundle.tar", "--public-key", m.PublicKey)
	if err := get(t, "file://"+dir+"/folder", m.PublicKey, kernel, "amd64"); err != nil {
		t.Errorf("the old folder: %v", err)
	}
	same(t, dir+"/folder/index.json", read(t, before+"/index.json"), []string{"index.json", "index.json.minisig", "modules"})
	if got := read(t, dir+"/bundle.tar"); !bytes.Equal(got, tarball) {
		t.Error("the tarball is another")
	}
}

func TestAFullDiskLeavesAModuleUnsignedAndAnIndexOld(t *testing.T) {
	dir := small(t, "320")
	ko := filepath.Join(dir, "pf_ring.ko")
	if err := os.WriteFile(ko, moduletest.KO{Kernel: kernel, Padding: 200 << 10}.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	before, key := read(t, ko), keyAndCertificate(t)
	refused(t, "module", "sign-kernel", ko, "--key", key, "--cert", key)
	same(t, ko, before, []string{"pf_ring.ko"})

	mustRun(t, "module", "index", dir)
	index := read(t, dir+"/"+module.IndexName)
	free := filepath.Join(dir, "filler")
	for size := 1 << 20; size > 0; size /= 2 { // to the last page
		f, err := os.OpenFile(free, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(make([]byte, size))
		_ = f.Close()
	}
	refused(t, "module", "index", dir)
	if got := read(t, dir+"/"+module.IndexName); !bytes.Equal(got, index) {
		t.Errorf("the index is\n%s", got)
	}
}

// A real registry whose disk is full: the old image stays under its tag, and so
// does the old index of a repository.
func TestAFullRegistryKeepsWhatItHas(t *testing.T) {
	host := distributionIn(t, small(t, "1536"))
	ref, url := host+"/a/pf-ring-module", "oci://"+host+"/b"
	was := strings.TrimSpace(mustRun(t, "module", "pack", save(t, little), "-o", ref, "--base", "scratch"))
	m := moduletest.NewRepository(t).AddFile(kernel, "amd64", "8.9.0", little.Bytes(), "raw").Sign()
	push := func() error {
		dir := t.TempDir()
		m.Write(dir)
		_, _, err := pfring(t, "module", "push", dir, url)
		return err
	}
	if err := push(); err != nil {
		t.Fatal(err)
	}
	_, _, err := pfring(t, "module", "pack", save(t, large), "-o", ref, "--base", "scratch")
	if err == nil || !strings.Contains(err.Error(), "no tag was changed") || !strings.Contains(err.Error(), "the registry is full") {
		t.Errorf("pack: %v", err)
	}
	if digest, err := crane.Digest(ref + ":" + kernel); err != nil || !strings.HasSuffix(was, digest) {
		t.Errorf("the tag has %s, had %s (%v)", digest, was, err)
	}
	m.AddFile(next, "amd64", large.Version, largeFor(next), "raw").Sign()
	if err := push(); err == nil || !strings.Contains(err.Error(), "the registry is full") {
		t.Errorf("push: %v", err)
	}
	if err := get(t, url, m.PublicKey, kernel, "amd64"); err != nil {
		t.Errorf("the old repository: %v", err)
	}
}
