package repository_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

func TestUpdateCompressesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	signed := moduletest.KO{Kernel: "6.1.0-2", Signature: []byte("signature")}.Bytes()
	write(t, dir, map[string][]byte{
		"a/pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw"), "b/pf_ring.ko": signed, "c/pf_ring.ko.xz": ko(t, "8.9.0", "6.1.0-3", "xz"),
		"d/pf_ring.ko.zst": ko(t, "8.9.0", "6.1.0-4", "zst"),
	})
	before, err := os.ReadFile(filepath.Join(dir, "d/pf_ring.ko.zst"))
	if err != nil {
		t.Fatal(err)
	}
	o := repository.Options{Now: now, Shrink: repository.Shrink{Strip: true, Compress: true}}
	c, err := repository.Update(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"a/pf_ring.ko.zst", "b/pf_ring.ko.zst", "c/pf_ring.ko.zst", "d/pf_ring.ko.zst"} {
		e := c.Index.Modules[i]
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || e.Path != path || e.Compression != module.FormatZst || e.Size != int64(len(data)) {
			t.Errorf("%+v: %v", e, err)
		}
		plain, _, err := module.Decompress(data, module.DefaultMaxSize)
		if err != nil || (path == "b/pf_ring.ko.zst") != (string(plain) == string(signed)) {
			t.Errorf("%s: %d bytes, %v", path, len(plain), err)
		}
		if path == "d/pf_ring.ko.zst" && string(data) != string(before) {
			t.Error("a file was written again that is as it should be")
		}
	}
	for _, gone := range []string{"a/pf_ring.ko", "b/pf_ring.ko", "c/pf_ring.ko.xz"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", gone, err)
		}
	}
	if again, err := repository.Update(t.Context(), dir, o); err != nil || changes(again) > 0 {
		t.Errorf("the second time: %+v, %v", again, err)
	}
}

// Two builds of one kernel release are listed beside each other where uname -v tells
// them apart, and stay so.
func TestTwoBuildsOfAReleaseAreToldApartByTheKernelVersion(t *testing.T) {
	dir, headers := t.TempDir(), t.TempDir()
	write(t, dir, map[string][]byte{
		"hwe/pf_ring.ko": moduletest.KO{Kernel: "6.1.0-1", Padding: 9000}.Bytes(), "pf_ring.ko": moduletest.KO{Kernel: "6.1.0-1", Padding: 5000}.Bytes(),
	})
	const own, hwe = "#58-Ubuntu SMP", "#58~20.04.1-Ubuntu SMP"
	if _, err := repository.ReadKernelVersion(headers); err == nil || !strings.Contains(err.Error(), "uname -v") {
		t.Errorf("folder without headers: %v", err)
	}
	write(t, headers, map[string][]byte{"include/generated/compile.h": []byte("#define UTS_MACHINE \"x86_64\"\n#define UTS_VERSION \"" + hwe + "\"\n")})
	read, err := repository.ReadKernelVersion(headers)
	if err != nil || read != hwe {
		t.Fatalf("%q, %v", read, err)
	}
	o := repository.Options{Now: now}
	for _, given := range []map[string]string{nil, {"other.ko": own}} {
		o.KernelVersions = given
		if _, err := repository.Update(t.Context(), dir, o); err == nil {
			t.Errorf("%v: nobody says how they differ", given)
		}
	}
	o.KernelVersions = map[string]string{"hwe/pf_ring.ko": read, "pf_ring.ko": own}
	for range 3 {
		c, err := repository.Update(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range c.Index.Modules {
			got[e.KernelVersion] = e.Path
		}
		if len(got) != 2 || !strings.HasPrefix(got[hwe], "hwe/") || strings.HasPrefix(got[own], "hwe/") {
			t.Errorf("%v", got)
		}
		// From then on the index knows, also what happens to the files.
		o.KernelVersions, o.Shrink = nil, repository.Shrink{Strip: true, Compress: true}
	}
}

// A run that is killed after it has made a module smaller, and before it has removed
// what that was made of, leaves both.
func TestTheSameModuleInTwoFormsIsListedOnce(t *testing.T) {
	for name, shrink := range map[string]repository.Shrink{"compressing": {Compress: true}, "compressing and stripping": {Strip: true, Compress: true}, "neither": {}} {
		dir := t.TempDir()
		raw := moduletest.KO{Kernel: "6.1.0-1", Padding: 9000}.Bytes()
		small, _ := moduletest.Compress(t, raw, module.FormatZst)
		write(t, dir, map[string][]byte{"pf_ring.ko": raw, "pf_ring.ko.zst": small})
		c, err := repository.Update(t.Context(), dir, repository.Options{Now: now, Shrink: shrink})
		if err != nil || len(c.Index.Modules) != 1 || c.Index.Modules[0].Path != "pf_ring.ko.zst" {
			t.Fatalf("%s: %+v, %v", name, c.Index, err)
		}
		_, err = os.Stat(filepath.Join(dir, "pf_ring.ko"))
		if removed := errors.Is(err, fs.ErrNotExist); removed == shrink.Nothing() || (len(c.Warnings) > 0) != shrink.Nothing() {
			t.Errorf("%s: removed: %v, warnings: %q", name, removed, c.Warnings)
		}
	}
}

func TestTwoFilesDoNotBecomeOne(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"pf_ring.ko": ko(t, "8.9.0", "6.1.0-1", "raw"), "pf_ring.ko.xz": ko(t, "8.8.0", "6.1.0-1", "xz")})
	_, err := repository.Update(t.Context(), dir, repository.Options{Now: now, Shrink: repository.Shrink{Compress: true}})
	if err == nil || !strings.Contains(err.Error(), "rename one of them") {
		t.Errorf("err = %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
}

// symvers is a Module.symvers with the checksums that moduletest gives.
func symvers(symbols ...string) string {
	var b strings.Builder
	for i, s := range symbols {
		fmt.Fprintf(&b, "0x%08x\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n", i+1, s)
	}
	return b.String()
}

func TestSymversProveWhatAModuleFits(t *testing.T) {
	dir, headers := t.TempDir(), t.TempDir()
	needs := []string{"module_layout", "printk", "skb_clone"}
	versioned := moduletest.KO{Kernel: "5.10.1-1", Symbols: needs}.Bytes()
	write(t, dir, map[string][]byte{"with.ko": versioned, "without.ko": moduletest.KO{Kernel: "5.10.1-2"}.Bytes()})
	files := map[string][]byte{
		"same":    []byte(symvers("module_layout", "printk", "skb_clone", "more")),
		"other":   []byte(strings.ReplaceAll(symvers(needs...), "0x00000003", "0x0000000f")),
		"fewer":   []byte(symvers("module_layout", "printk")),
		"none":    []byte(symvers("printk")),
		"not one": []byte("<html>\n"),
	}
	packed, _ := moduletest.Compress(t, files["same"], "gz")
	files["packed"] = packed
	write(t, headers, files)
	var list []repository.Symvers
	for _, release := range []string{"same", "other", "fewer", "packed"} {
		s, err := repository.ReadSymvers(release, filepath.Join(headers, release))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	for name, want := range map[string]string{"none": "MODVERSIONS", "not one": "line 1", "missing": "no such file"} {
		if _, err := repository.ReadSymvers("x", filepath.Join(headers, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
	if _, err := repository.ReadSymvers("x", "/dev/zero"); err == nil {
		t.Error("a device was read")
	}
	check := func(o repository.Options, want string) repository.Change {
		t.Helper()
		c, err := repository.Update(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range c.Index.Modules[0].Fits {
			got = append(got, f.KernelRelease+" by "+f.Proof)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("fits %q, want %q", got, want)
		}
		if len(c.Index.Modules[1].Fits) > 0 {
			t.Errorf("a module without checksums fits %v", c.Index.Modules[1].Fits)
		}
		return c
	}
	c := check(repository.Options{Now: now, Symvers: list}, "packed by symvers, same by symvers")
	why := map[string]string{}
	for _, p := range c.Proofs {
		if p.Path == "with.ko" {
			why[p.Release] = p.Why
		}
	}
	if why["same"] != "" || !strings.Contains(why["other"], "checksum of skb_clone") || !strings.Contains(why["fewer"], "does not export skb_clone") {
		t.Errorf("%q", why)
	}
	// What was proved stays, also when the file is compressed, until it is disproved
	// or the file is another one.
	check(repository.Options{Now: now, Shrink: repository.Shrink{Compress: true}}, "packed by symvers, same by symvers")
	list[1].Release = "same"
	check(repository.Options{Now: now, Symvers: list[1:2]}, "packed by symvers")
	write(t, dir, map[string][]byte{"with.ko.zst": moduletest.KO{Kernel: "5.10.1-1", Symbols: needs, Padding: 100}.Bytes()})
	check(repository.Options{Now: now}, "")
}

func FuzzParseSymvers(f *testing.F) {
	f.Add([]byte(symvers("module_layout", "printk")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := repository.ParseSymvers("x", data); err == nil && s.CRCs["module_layout"] == 0 {
			t.Error("without the layout of modules")
		}
	})
}
