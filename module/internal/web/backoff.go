package web

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// maxBackoff is the longest wait between two attempts that a server does not
// ask for.
const maxBackoff = 8 * time.Second

// delay is how long to wait after so many failed attempts: it doubles, and half
// of it is random, so that the nodes of a cluster spread out.
func (c *Client) delay(failed int) time.Duration {
	d := min(c.backoff<<min(failed-1, 16), maxBackoff)
	return d/2 + rand.N(d/2+1) //nolint:gosec // spreading out needs no secret
}

// spread is how long to wait after a server, so many times in a row, refused because
// too many ask at once. Usually the cluster's other nodes do, which began together, so
// the first wait spreads them over 44 times the first backoff (11 s): doubling from a
// short wait, 1,000 nodes before a server that takes 300 requests a second are
// refused five times each. What is refused again finds room soon after. A person
// who waits does not come with a thousand others.
func (c *Client) spread(ctx context.Context, refused int) time.Duration {
	if c.unknownHostFinal {
		return c.delay(refused)
	}
	window := 44 * c.backoff
	if refused > 1 {
		window = min(c.backoff<<min(refused+1, 16), maxBackoff)
	}
	if end, ok := ctx.Deadline(); ok {
		window = min(window, max(0, time.Until(end)/2))
	}
	return window/20 + rand.N(window-window/20+1) //nolint:gosec // spreading out needs no secret
}

// tooMany tells whether a server refuses because too many ask at once: by its status,
// or by the code of S3.
func tooMany(status int, body []byte) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && bytes.Contains(body, []byte("SlowDown"))
}

// RetryAfter reads what a server asks to wait, in seconds or as a date: at most an
// hour. A date counts from the time that the server itself tells, if it does: the
// clock of a machine that has just started may be far off.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(seconds, 3600))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), time.Hour))
}

// sleep waits for d. It returns false at once when ctx would end before: the
// error so far says more than that time was over.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
