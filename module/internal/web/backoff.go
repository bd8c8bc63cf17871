package web

import (
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

// retryAfter reads what a server asks to wait, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(seconds, 3600))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), time.Hour))
	}
	return 0
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
