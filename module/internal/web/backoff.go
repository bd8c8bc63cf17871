package web

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
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

// sleep waits for d. It returns false at once when ctx would end before: the
// error so far says more than that time was over.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	return wait.For(ctx, d) == nil
}
