// Package retry has what all clients need to send a request to a server once more.
// When to do so and how often is their own business. It imports only the standard
// library.
package retry

import (
	"net/http"
	"strconv"
	"time"
)

// maxAfter bounds what a server may ask to wait.
const maxAfter = time.Hour

// After is how long the header Retry-After asks to wait, in seconds or until a date,
// but never longer than an hour; false if it does not ask. A date counts from the time
// that the server itself tells, if it does: the clock of a machine that has just
// started may be far off.
func After(h http.Header, now time.Time) (time.Duration, bool) {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int(maxAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), maxAfter)), true
}

// Rewind returns r with its body from the beginning, to be sent again; false if the
// body cannot be read twice. r itself is not changed.
func Rewind(r *http.Request) (*http.Request, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, false
	}
	r = r.Clone(r.Context())
	r.Body = body
	return r, true
}
