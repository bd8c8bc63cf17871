package text

import "testing"

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 2: "2 nodes"} {
		if got := Count(n, "node"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "no nodes", 1: "1 node", 2: "2 nodes"} {
		if got := CountOrNo(n, "node"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestYesNo(t *testing.T) {
	if YesNo(true) != "yes" || YesNo(false) != "no" {
		t.Error(YesNo(true), YesNo(false))
	}
}
