package web

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterReadsSecondsAndDates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "99999999": time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// A node whose clock is a year off waits as long as the server means.
func TestADateToRetryAfterIsOfTheServersClock(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := http.Header{"Date": {date.Format(http.TimeFormat)}, "Retry-After": {date.Add(7 * time.Second).Format(http.TimeFormat)}}
	for _, off := range []time.Duration{0, -365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		if got := RetryAfter(h, date.Add(off)); got != 7*time.Second {
			t.Errorf("a clock that is off by %s: %s", off, got)
		}
	}
}

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

// Whatever a server asks for, it is a time from now to an hour.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "1", "-1", "3601", "-9223372036854775807", "-4611686018427387905", "99999999999999999999", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		f.Add(value)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if d := RetryAfter(http.Header{"Retry-After": {value}}, now); d < 0 || d > time.Hour {
			t.Errorf("%q is %s", value, d)
		}
	})
}
