package waiting

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilenceOfASecondIsExplained(t *testing.T) {
	for name, test := range map[string]struct {
		terminal bool
		wait     time.Duration
		want     string
	}{
		"a quick answer":             {false, 900 * time.Millisecond, ""},
		"a slow answer":              {false, 3500 * time.Millisecond, "Waiting for the API server …\n"},
		"a quick one, on a terminal": {true, 900 * time.Millisecond, ""},
		"a slow one, on a terminal":  {true, 1500 * time.Millisecond, "\r\x1b[KWaiting for the API server …\r\x1b[K"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			ctx, n := With(t.Context(), &out, test.terminal)
			end := Begin(ctx, "the API\x1b server")
			time.Sleep(test.wait)
			end()
			n.Stop()
			time.Sleep(time.Minute)
			if got := out.String(); got != test.want {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		})
	}
}

// Many short waits in a row are as silent as a long one.
func TestShortWaitsAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		ctx, n := With(t.Context(), &out, false)
		for range 4 {
			end := Begin(ctx, "a")
			time.Sleep(400 * time.Millisecond)
			end()
		}
		n.Stop()
		if out.String() != "Waiting for a …\n" {
			t.Errorf("%q", out.String())
		}
	})
}

func TestNobodyNeedsToBeTold(*testing.T) {
	Begin(context.Background(), "a")()
}
