package main

import "testing"

func TestTheHeapGrowsFreelyOnlyToAFixedSize(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1 << 20: 400, 8 << 20: 400, 10 << 20: 300, 20 << 20: 100, 30 << 20: 100, 40 << 20: 100, 1 << 40: 100} {
		if got := percent(live); got != want {
			t.Errorf("%d bytes: %d %%, want %d", live, got, want)
		}
	}
}
