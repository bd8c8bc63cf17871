package repository_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

func ko(t *testing.T, version, kernel, format string) []byte {
	t.Helper()
	data, _ := moduletest.Compress(t, moduletest.KO{Name: "pf_ring", Version: version, Kernel: kernel, Arch: "amd64"}.Bytes(), format)
	return data
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	moduletest.WriteFiles(t, dir, files)
}

func update(t *testing.T, dir string) repository.Change {
	t.Helper()
	c, err := repository.Update(t.Context(), dir, repository.Options{Now: now, Lifetime: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUpdateListsWhatIsThereAndCountsTheSerial(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"b/pf_ring.ko.zst": ko(t, "8.9.0", "6.1.0-2", "zst"), "a/pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw"), "README": []byte("x")})
	c := update(t, dir)
	if len(c.Added) != 2 || c.Index.Serial != 1 || c.Index.Modules[0].KernelRelease != "6.1.0-1" || c.Index.Modules[1].Path != "b/pf_ring.ko.zst" {
		t.Errorf("%+v", c)
	}
	if !c.Index.Expires.Equal(now.Add(24 * time.Hour)) {
		t.Error(c.Index.Expires)
	}
	if c = update(t, dir); changes(c) > 0 || c.Index.Serial != 2 {
		t.Errorf("unchanged: %+v", c)
	}
	if err := os.Remove(filepath.Join(dir, "a/pf_ring.ko")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"b/pf_ring.ko.zst": ko(t, "8.9.1", "6.1.0-2", "zst"), "c/pf_ring.ko.xz": ko(t, "8.9.0", "6.1.0-3", "xz")})
	c = update(t, dir)
	if strings.Join(c.Added, "")+"|"+strings.Join(c.Replaced, "")+"|"+strings.Join(c.Removed, "") != "c/pf_ring.ko.xz|b/pf_ring.ko.zst|a/pf_ring.ko" {
		t.Errorf("%+v", c)
	}
}

func TestUpdateRefusesWhatANodeCouldNotLoadAndWritesNothing(t *testing.T) {
	good := ko(t, "8.9.0", "6.1.0-1", "raw")
	for name, c := range map[string]struct {
		files map[string][]byte
		says  []string
	}{
		"another module": {map[string][]byte{"x.ko": moduletest.KO{Name: "zram", Kernel: "6.1.0-1", Arch: "amd64"}.Bytes()}, []string{"x.ko", `"zram"`}},
		"no module":      {map[string][]byte{"x.ko": []byte("<html>")}, []string{"x.ko"}},
		"cut":            {map[string][]byte{"x.ko": good[:len(good)/2]}, []string{"x.ko"}},
		"twice":          {map[string][]byte{"x.ko": good, "y.ko": good}, []string{"x.ko", "y.ko", "remove one"}},
		"two faults":     {map[string][]byte{"x.ko": []byte("a"), "y.ko": []byte("b")}, []string{"x.ko", "y.ko"}},
		"broken index":   {map[string][]byte{"index.json": []byte("{")}, []string{"index.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			_, err := repository.Update(t.Context(), dir, repository.Options{Now: now})
			for _, s := range c.says {
				if err == nil || !strings.Contains(err.Error(), s) {
					t.Errorf("no %s in: %v", s, err)
				}
			}
			if _, e := os.Stat(filepath.Join(dir, module.IndexName)); e == nil && c.files[module.IndexName] == nil {
				t.Error("an index was written")
			}
		})
	}
}

// The index says of a file what a node would say of it.
func TestUnusualFilesAreIndexedOrNamed(t *testing.T) {
	for _, f := range moduletest.UnusualFiles(t) {
		for _, o := range []repository.Options{{Now: now}, {Now: now, Shrink: repository.Shrink{Strip: true, Compress: true}}} {
			dir := t.TempDir()
			write(t, dir, map[string][]byte{"pf_ring.ko": f.Data})
			_, err := repository.Update(t.Context(), dir, o)
			f.Check(t, "index", err)
		}
	}
}

func TestASignedRepositoryVerifies(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"pf_ring.ko.gz": ko(t, "8.9.0", "6.1.0-1", "gz")})
	if _, err := repository.Update(t.Context(), dir, repository.Options{Now: time.Now(), Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	passwords := []string{""}
	if !testing.Short() { // deriving a key from a password is slow on purpose
		passwords = append(passwords, "secret")
	}
	for _, password := range passwords {
		path := filepath.Join(t.TempDir(), "key")
		public, err := repository.NewKey(path, password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := repository.NewKey(path, ""); err == nil {
			t.Error("an existing key was replaced")
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		key, err := repository.ReadKey(path, func() (string, error) { return password, nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := repository.Sign(t.Context(), dir, key, time.Now()); err != nil {
			t.Fatal(err)
		}
		source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
		if err != nil {
			t.Fatal(err)
		}
		v, err := module.Get(t.Context(), source, module.Request{Kernel: "6.1.0-1", Arch: "amd64", PublicKeys: []string{public}})
		if err != nil || v.Proof != outcome.VerifiedSignature {
			t.Errorf("password %q: %+v, %v", password, v, err)
		}
		minisignTool(t, dir, path+".pub")
	}
}

// The original tool must agree, where it is installed.
func minisignTool(t *testing.T, dir, public string) {
	t.Helper()
	tool, err := exec.LookPath("minisign")
	if err != nil {
		t.Log("minisign is not installed (Debian: apt-get install minisign): its own verdict is not asked")
		return
	}
	if out, err := exec.Command(tool, "-Vm", filepath.Join(dir, module.IndexName), "-p", public).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnExpiredIndexIsNotSigned(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw")})
	update(t, dir)
	path := filepath.Join(t.TempDir(), "key")
	if _, err := repository.NewKey(path, ""); err != nil {
		t.Fatal(err)
	}
	key, err := repository.ReadKey(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Sign(t.Context(), dir, key, now.Add(48*time.Hour)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Error(err)
	}
}

func TestAWrongPasswordIsSaidPlainly(t *testing.T) {
	if testing.Short() {
		t.Skip("deriving a key from a password is slow on purpose: run without -short")
	}
	path := filepath.Join(t.TempDir(), "key")
	if _, err := repository.NewKey(path, "right"); err != nil {
		t.Fatal(err)
	}
	if _, err := repository.ReadKey(path, func() (string, error) { return "wrong", nil }); err == nil || !strings.Contains(err.Error(), "password is wrong") {
		t.Error(err)
	}
}

func TestUpdatesAtOnceHaveSerialsOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw")})
	const writers = 6
	serials := make(chan int64, writers)
	for range writers {
		go func() {
			c, err := repository.Update(t.Context(), dir, repository.Options{Now: now})
			if err != nil {
				t.Error(err)
				serials <- 0
				return
			}
			serials <- c.Index.Serial
		}()
	}
	seen := map[int64]bool{}
	for range writers {
		seen[<-serials] = true
	}
	for n := range int64(writers) {
		if !seen[n+1] {
			t.Errorf("serials are %v, want 1 to %d", seen, writers)
			break
		}
	}
}

func TestUpdateWithoutAKeyRemovesTheOldSignature(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{
		"pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw"), module.SignatureName: []byte("of an older index"), ".index.json.99.tmp": []byte("{"),
	})
	c := update(t, dir)
	if !c.Unsigned {
		t.Error("nobody says that the signature was removed")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left over by a killed writer: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, module.SignatureName)); !os.IsNotExist(err) {
		t.Errorf("the old signature: %v", err)
	}
	if c = update(t, dir); c.Unsigned {
		t.Error("a signature was removed that was not there")
	}
}

func TestUpdateTellsOfFilesThatAreNamedForAnotherKernel(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{
		"pf-ring-4.15.0-52-generic.ko": ko(t, "8.9.0", "4.15.0-39-generic", "raw"), "6.1.0-1/pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw"),
	})
	c := update(t, dir)
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "named for kernel 4.15.0-52-generic and was built for 4.15.0-39-generic") {
		t.Errorf("%q", c.Warnings)
	}
}

// changes counts the modules that an update changed.
func changes(c repository.Change) int { return len(c.Added) + len(c.Replaced) + len(c.Removed) }
