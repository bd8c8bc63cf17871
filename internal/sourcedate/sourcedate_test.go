package sourcedate

import (
	"testing"
	"time"
)

func TestSourceDate(t *testing.T) {
	if got, err := parse("1700000000", Epoch()); err != nil || !got.Equal(time.Unix(1700000000, 0)) {
		t.Error(got, err)
	}
	if _, err := parse("today", Epoch()); err == nil {
		t.Error("a word was taken for a number")
	}
	if got, err := parse("", time.Time{}); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
}
