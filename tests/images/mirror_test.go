package images_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

// get asks a source as the agent does, with the signature required.
func get(t *testing.T, url, key, kernel, arch string) error {
	t.Helper()
	source, err := module.OpenSource(module.SourceOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	_, err = module.Get(t.Context(), source, module.Request{Kernel: kernel, Arch: arch, PublicKeys: []string{key}})
	return err
}

func signedRepository(t *testing.T) (dir, key string) {
	t.Helper()
	dir = t.TempDir()
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: "6.1.0-18", Padding: 100_000}, "zst").
		Add(moduletest.KO{Kernel: "6.1.0-18", Arch: "arm64"}, "xz").Add(moduletest.KO{Kernel: "6.1.0-19"}, "raw").Sign()
	r.Write(dir)
	return dir, r.PublicKey
}

// From a folder to a tarball, carried over, to a registry, to a folder again:
// nodes accept the copy in each place with the publisher's key.
func TestARepositoryTravelsToASiteWithoutEgress(t *testing.T) {
	host := distribution(t)
	dir, key := signedRepository(t)
	stick := filepath.Join(t.TempDir(), "stick.tar")
	mustRun(t, "module", "mirror", dir, stick, "--public-key", key)
	first, err := os.ReadFile(stick)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, "module", "mirror", dir, stick, "--public-key", key)
	if again, err := os.ReadFile(stick); err != nil || string(again) != string(first) {
		t.Errorf("the second tarball is not the same (%v)", err)
	}
	url := "oci://" + host + "/site/pf-ring"
	out := mustRun(t, "module", "mirror", stick, url, "--public-key", key)
	if !strings.Contains(out, "url: "+url+"\n") || !strings.Contains(out, "- "+key) {
		t.Errorf("values: %s", out)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	mustRun(t, "module", "mirror", url, copied, "--public-key", key)
	for _, where := range []string{url, "file://" + copied} {
		for _, want := range [][2]string{{"6.1.0-18", "amd64"}, {"6.1.0-18", "arm64"}, {"6.1.0-19", "amd64"}} {
			if err := get(t, where, key, want[0], want[1]); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	_, said, err := pfring(t, "module", "mirror", stick, url, "--public-key", key)
	if err != nil || !strings.Contains(said, "3 modules, 0 new, 0.0 MB") {
		t.Errorf("again: %v %s", err, said)
	}
}

func TestAFolderIsPushedToARegistry(t *testing.T) {
	host := distribution(t)
	dir, key := signedRepository(t)
	url := "oci://" + host + "/pf-ring"
	mustRun(t, "module", "push", dir, url)
	if err := get(t, url, key, "6.1.0-18", "arm64"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "modules/amd64/6.1.0-19/8.9.0/pf_ring.ko"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := "oci://" + host + "/other"
	if _, _, err := pfring(t, "module", "push", dir, other); err == nil || !strings.Contains(err.Error(), "modules/amd64/6.1.0-19/8.9.0/pf_ring.ko") {
		t.Errorf("a changed module was pushed: %v", err)
	}
	if err := get(t, other, key, "6.1.0-18", "arm64"); err == nil {
		t.Error("the tag moved although a module was refused")
	}
}

func TestOnlyWhatTheNodesNeedIsCopiedAndSignedAnew(t *testing.T) {
	dir, key := signedRepository(t)
	own := filepath.Join(t.TempDir(), "own.key")
	public, err := repository.NewKey(own, "")
	if err != nil {
		t.Fatal(err)
	}
	nodes := filepath.Join(t.TempDir(), "nodes")
	if err := os.WriteFile(nodes, []byte("6.1.0-19 amd64\n5.4.0 amd64\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	out, said, err := pfring(t, "module", "mirror", dir, copied, "--public-key", key, "--nodes-from", nodes, "--key", own)
	if err != nil || !strings.Contains(out, "- "+public) || !strings.Contains(said, "no module for kernel 5.4.0 amd64") {
		t.Fatal(err, out, said)
	}
	if err := get(t, "file://"+copied, public, "6.1.0-19", "amd64"); err != nil {
		t.Error(err)
	}
	if err := get(t, "file://"+copied, public, "6.1.0-18", "amd64"); err == nil || !strings.Contains(err.Error(), "6.1.0-18") {
		t.Error(err)
	}
	data, err := os.ReadFile(filepath.Join(copied, module.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	index, err := module.ParseIndex(data)
	if err != nil || len(index.Modules) != 1 || index.Serial < time.Now().Unix()-60 {
		t.Errorf("%v %+v", err, index)
	}
	if _, _, err := pfring(t, "module", "mirror", dir, copied, "--public-key", key, "--kernel", "1.2.3"); err == nil || !strings.Contains(err.Error(), "none of the requested modules") {
		t.Error(err)
	}
}

func TestAForgedSourceIsNotMirrored(t *testing.T) {
	dir, _ := signedRepository(t)
	_, key := signedRepository(t)
	copied := filepath.Join(t.TempDir(), "copy")
	if _, _, err := pfring(t, "module", "mirror", dir, copied, "--public-key", key); err == nil {
		t.Error("an index of another key was taken")
	}
	if _, err := os.Stat(filepath.Join(copied, module.IndexName)); err == nil {
		t.Error("an index was written")
	}
}
