package web

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestDelayDoublesUpToABoundAndIsRandom(t *testing.T) {
	c := &Client{backoff: 100 * time.Millisecond}
	for failed, most := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 60: maxBackoff} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := c.delay(failed)
			if d < most/2 || d > most {
				t.Fatalf("after %d: %s, want %s to %s", failed, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d: only %d different waits of 50", failed, len(seen))
		}
	}
}

// Nodes that a server refuses because too many ask at once spread over eleven seconds
// first; the deadline leaves room for another attempt, and nobody at a terminal waits
// so long.
func TestNodesThatAreTooManySpreadOut(t *testing.T) {
	const first = 250 * time.Millisecond
	soon, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	for name, test := range map[string]struct {
		ctx     context.Context
		person  bool
		refused int
		most    time.Duration
	}{
		"first": {t.Context(), false, 1, 11 * time.Second}, "second": {t.Context(), false, 2, 2 * time.Second},
		"third": {t.Context(), false, 3, 4 * time.Second}, "eighth": {t.Context(), false, 8, maxBackoff},
		"deadline": {soon, false, 1, 3 * time.Second}, "person": {t.Context(), true, 1, first},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{backoff: first, unknownHostFinal: test.person}
			seen := map[time.Duration]bool{}
			for range 200 {
				d := c.spread(test.ctx, test.refused)
				if d <= 0 || d > test.most {
					t.Fatalf("%s, want at most %s", d, test.most)
				}
				seen[d] = true
			}
			if len(seen) < 100 {
				t.Errorf("only %d different waits of 200", len(seen))
			}
		})
	}
	for body, want := range map[string]bool{"<Error><Code>SlowDown</Code></Error>": true, "": false} {
		if tooMany(http.StatusServiceUnavailable, []byte(body)) != want {
			t.Errorf("503 with %q", body)
		}
	}
	if !tooMany(http.StatusTooManyRequests, nil) || tooMany(http.StatusInternalServerError, []byte("SlowDown")) {
		t.Error("by status")
	}
}

func TestAPauseThatOutlastsTheDeadlineIsNotBegun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if sleep(ctx, 2*time.Hour) {
		t.Error("slept past the deadline")
	}
	if ctx.Err() != nil {
		t.Error("waited for the deadline instead of returning at once")
	}
}
