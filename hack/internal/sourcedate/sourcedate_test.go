package sourcedate

import (
	"testing"
	"time"
)

func TestSourceDate(t *testing.T) {
	if got, err := parse("1700000000"); err != nil || !got.Equal(time.Unix(1700000000, 0)) {
		t.Error(got, err)
	}
	if _, err := parse("today"); err == nil {
		t.Error("a word was taken for a number")
	}
}
