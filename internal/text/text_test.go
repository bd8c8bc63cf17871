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

func TestPrintableReplacesWhatControlsATerminal(t *testing.T) {
	for s, want := range map[string]string{
		"6.1.0-18-amd64": "6.1.0-18-amd64", "grün": "grün", "a\x1b]0;x\x07b": "a?]0;x?b", "a\r\nb\tc": "a??b?c", "\xff": "?", "\u202e": "?",
	} {
		if got := Printable(s, '?'); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
