package text_test

import (
	"slices"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

func TestNamesAreSortedAsAPersonDoes(t *testing.T) {
	want := []string{"", "a", "a01", "a1", "a2", "a10", "a10b", "b", "node-2", "node-10", "node-18446744073709551616"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, text.Natural)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
