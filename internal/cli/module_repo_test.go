package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

func TestARepositoryIsIndexedAndSignedOrLeftAsItWas(t *testing.T) {
	dir, key := t.TempDir(), filepath.Join(t.TempDir(), "pfring.key")
	moduletest.WriteFiles(t, dir, map[string][]byte{"pf_ring.ko": moduletest.KO{}.Bytes()})
	run := func(code int, says string, args ...string) {
		t.Helper()
		out, errOut, got := execute(t, "", append([]string{"module"}, args...)...)
		if got != code || !strings.Contains(out+errOut, says) {
			t.Errorf("%v: code %d, want %d and %q\n%s%s", args, got, code, says, out, errOut)
		}
	}
	index := func() string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, module.IndexName))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	run(0, "RW", "keygen", key, "--no-password")
	run(0, "serial 1 signed", "index", dir, "--key", key)
	before := index()
	run(2, "secret key", "index", dir, "--key", filepath.Join(dir, "pf_ring.ko"))
	run(2, "secret key", "sign", dir, "--key", filepath.Join(dir, "pf_ring.ko"))
	run(2, "no such file", "index", dir, "--key", key+".nowhere")
	if index() != before {
		t.Error("an index was written that cannot be signed")
	}
	run(0, "not signed", "index", dir)
	run(0, "serial 2 signed", "sign", dir, "--key", key)
	run(2, "no such file", "index", filepath.Join(dir, "nowhere"))
	run(2, "no such file", "sign", t.TempDir(), "--key", key)
	run(1, "no kernel module", "index", t.TempDir())
	moduletest.WriteFiles(t, dir, map[string][]byte{"second/pf_ring.ko": moduletest.KO{}.Bytes()})
	run(1, "second/pf_ring.ko", "index", dir)
}
