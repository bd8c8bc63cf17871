package module_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"

	"github.com/kubeshark/kubeshark-pfring/module"
)

func TestCompareVersionsGoesByNumbers(t *testing.T) {
	ascending := []string{"", "8.9-rc1", "8.9", "8.9.0-beta", "8.9.0-rc1", "8.9.0", "8.9.0.1", "8.9.1", "8.10.0", "8.100.0", "18446744073709551616.0", "18446744073709551617.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := module.CompareVersions(a, b); got != want {
				t.Errorf("%q and %q: %d, want %d", a, b, got, want)
			}
		}
	}
	if module.CompareVersions("v8.09.0", "8.9.0") != 0 {
		t.Error("a leading v or zero made a difference")
	}
}

func FuzzBuilds(f *testing.F) {
	for _, text := range []string{"", "#1 SMP Debian 6.1.192-2 (2026-11-16)", "#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC", " Debian ", "6.6.31+ SMP preempt_rt mod_unload"} {
		f.Add(text, "#1 SMP")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !module.SameBuild(a, a) || module.SameBuild(a, b) != module.SameBuild(b, a) {
			t.Errorf("%q and %q", a, b)
		}
		if module.ValidKernelVersion(a) && (a == "" || len(a) > 64) {
			t.Errorf("%q is valid", a)
		}
		x := index(entry(func(e *module.Entry) { e.KernelVersion = a; e.Vermagic = b }))
		got, err := x.FindFor(module.Wanted{Kernel: moduletest.Kernel, KernelVersion: b, Arch: "amd64"})
		if fits := a == "" || b == "" || module.SameBuild(a, b); (err == nil) != fits || fits && got.KernelVersion != a {
			t.Errorf("built for %q, runs %q: %v", a, b, err)
		}
	})
}
