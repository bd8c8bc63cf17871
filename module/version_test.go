package module_test

import (
	"testing"

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
