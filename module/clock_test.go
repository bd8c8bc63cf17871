package module_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A clock that is behind takes an index with a warning; one that is ahead of an index's
// end refuses it. Both say that it may be the clock, and what it says.
func TestAClockThatIsWrongIsNamed(t *testing.T) {
	r, now := repository(t, nil), time.Now()
	at := func(off time.Duration) (warnings string, err error) {
		q := request(r)
		q.Now = func() time.Time { return now.Add(off) }
		v, err := get(t, r.Files, q)
		if err != nil {
			return "", err
		}
		return strings.Join(v.Warnings, "\n"), nil
	}
	for _, off := range []time.Duration{-25 * time.Hour, -10 * 365 * 24 * time.Hour} {
		if said, err := at(off); err != nil || !strings.Contains(said, "in the future by this machine's clock") {
			t.Errorf("%s behind: %q, %v", -off, said, err)
		}
	}
	if said, err := at(25 * time.Hour); err != nil || said != "" {
		t.Errorf("a day ahead: %q, %v", said, err)
	}
	ahead := 3 * 365 * 24 * time.Hour
	_, err := at(ahead)
	says := now.Add(ahead).UTC().Format(time.RFC3339)
	if reason(err) != outcome.IndexExpired || !strings.Contains(err.Error(), "this machine's clock says "+says) {
		t.Errorf("three years ahead: %v", err)
	}
}
