package module

import (
	"math"
	"testing"
)

// The codes are those of section 5.3.1 of the .xz file format.
func TestXzDictionaryFollowsTheFormat(t *testing.T) {
	for code, want := range map[byte]int64{0: 4 << 10, 1: 6 << 10, 2: 8 << 10, 38: 2 << 30, 39: 3 << 30, 40: math.MaxUint32} {
		if got := xzDictionary(code); got != want {
			t.Errorf("code %d: %d bytes, want %d", code, got, want)
		}
	}
	for size, want := range map[int64]byte{1: 0, 4 << 10: 0, 4<<10 + 1: 1, 3<<30 + 1: 40, math.MaxUint32: 40} {
		if got := narrowest(size); got != want {
			t.Errorf("%d bytes: code %d, want %d", size, got, want)
		}
	}
}
