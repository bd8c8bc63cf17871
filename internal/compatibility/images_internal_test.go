package compatibility

import (
	"errors"
	"testing"
	"time"
)

// Whoever watches sees that the registry is back.
func TestARegistryThatWasAwayIsAskedAgainLater(t *testing.T) {
	images, err := NewImages(ImagesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	images.now = func() time.Time { return now }
	at, away := reach{registry: "registry.example.com"}, errors.New("away")
	images.setAway(at, away)
	for after, want := range map[time.Duration]error{0: away, awayFor - 1: away, awayFor: nil} {
		now = time.Unix(1e9, 0).Add(after)
		if got := images.isAway(at); got != want { //nolint:errorlint // the very one
			t.Errorf("after %s: %v, want %v", after, got, want)
		}
	}
}
