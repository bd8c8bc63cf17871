package bench_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// own is the import path that the packages of this project begin with.
const own = "github.com/kubeshark/kubeshark-pfring/"

// mostAllocs is how many allocations a package of this project may make before
// main begins: every command pays for them. Tables are worth a few; regular
// expressions and documents belong behind their first use.
const mostAllocs = 120

var initLine = regexp.MustCompile(`(?m)^init (\S+) @[0-9.]+ ms, ([0-9.]+) ms clock, [0-9]+ bytes, ([0-9]+) allocs$`)

func TestPackagesDoLittleBeforeMain(t *testing.T) {
	pfring, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), pfring, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cannot run pfring: %v\n%s", err, out)
	}
	found := initLine.FindAllStringSubmatch(string(out), -1)
	if len(found) == 0 {
		t.Fatalf("no trace of initialization in:\n%s", out)
	}
	for _, m := range found {
		name, allocs := m[1], m[3]
		if ms, _ := strconv.ParseFloat(m[2], 64); ms > 0.3 {
			t.Logf("%s takes %s ms before main", name, m[2])
		}
		if n, _ := strconv.Atoi(allocs); strings.HasPrefix(name, own) && n > mostAllocs {
			t.Errorf("%s allocates %d times before main, want at most %d", name, n, mostAllocs)
		}
	}
}
