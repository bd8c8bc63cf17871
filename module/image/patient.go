package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubeshark/kubeshark-pfring/internal/retry"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

const (
	// DefaultIdle is how long a registry may stay silent in the middle of a
	// request, as for reading from sources.
	DefaultIdle = 15 * time.Second
	// DefaultPatience is how long a registry may fail in a row.
	DefaultPatience = 2 * time.Minute

	firstPause, longestPause = 250 * time.Millisecond, 8 * time.Second
	// maxRefusal bounds what is read of an answer that says no, in bytes.
	maxRefusal = 64 << 10
)

// patient is a transport to registries that neither waits without end nor gives
// up at once: a request that stalls is ended, one that failed for a reason that
// may pass is tried again, when the registry says so or after a pause that
// doubles, until nothing has succeeded for a while. Every wait ends with the
// request's context.
type patient struct {
	inner          http.RoundTripper
	idle, patience time.Duration
	// notify is called with each failure after which it tries again.
	notify func(string)
	// sent counts the bytes of bodies that were sent.
	sent atomic.Int64
}

// errStalled is why a request was ended that nothing came of.
var errStalled = errors.New("the registry stopped responding")

// errAgain marks a failed part of an upload: the upload begins again.
type errAgain struct{ error }

func (e errAgain) Unwrap() error { return e.error }

// errGaveUp is a failure that was tried again for long enough.
type errGaveUp struct {
	host  string
	tries int
	cause error
	// asked is how long the registry wants to be left alone; 0 if it did not say.
	asked time.Duration
}

func (e *errGaveUp) Error() string {
	if e.asked > 0 {
		return fmt.Sprintf("%s asks to wait %s, longer than --request-timeout: %v", e.host, e.asked.Round(time.Second), e.cause)
	}
	if e.tries == 1 {
		return fmt.Sprintf("%s: %v", e.host, e.cause)
	}
	return fmt.Sprintf("%s: %v (%d tries)", e.host, e.cause, e.tries)
}

func (e *errGaveUp) Unwrap() error { return e.cause }

// Registry is the host that was asked, for those who put network errors into words.
func (e *errGaveUp) Registry() string { return e.host }

// errOnTheWay is a failure on the way to a registry that would be the same next time.
type errOnTheWay struct {
	host string
	error
}

func (e errOnTheWay) Unwrap() error { return e.error }

// Registry is the host that was asked.
func (e errOnTheWay) Registry() string { return e.host }

// trouble is how long one operation, such as the push of an image, has met
// failures only.
type trouble struct {
	mu    sync.Mutex
	since time.Time
	tries int
}

type troubleKey struct{}

// patiently gives an operation of several requests one patience for all.
func patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, troubleKey{}, &trouble{})
}

func troubleOf(ctx context.Context) *trouble {
	if t, ok := ctx.Value(troubleKey{}).(*trouble); ok {
		return t
	}
	return &trouble{}
}

// failed counts a failure of a request that began at start. It returns how often
// and for how long there has been no success.
func (t *trouble) failed(start time.Time) (tries int, lasted time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tries == 0 {
		t.since = start
	}
	t.tries++
	return t.tries, time.Since(t.since)
}

func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries = 0
}

// RoundTrip sends a request until there is an answer that counts.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	t := troubleOf(r.Context())
	for {
		start := time.Now()
		response, err := p.attempt(r)
		asked, cause := p.failure(response, err)
		switch {
		case r.Context().Err() != nil:
			return response, err
		case cause == nil:
			if err != nil {
				return nil, errOnTheWay{r.URL.Host, err}
			}
			// That there is no blob, or that one may be sent, is not progress yet.
			if r.Method != http.MethodHead && r.Method != http.MethodPost {
				t.over()
			}
			return response, nil
		}
		if err := p.pause(r, t, start, cause, asked); err != nil {
			return nil, err
		}
		if ofUpload(r) {
			// The body, or the end of it, may have arrived: the upload begins again, by
			// asking whether the blob is there.
			return nil, errAgain{cause}
		}
		rewound, ok := retry.Rewind(r)
		if !ok {
			return nil, cause
		}
		r = rewound
	}
}

// ofUpload tells whether a request sends a blob or ends the sending of one.
func ofUpload(r *http.Request) bool {
	return r.Method == http.MethodPatch || (r.Method == http.MethodPut && r.URL.Query().Has("digest"))
}

// pause waits before another try. It returns an error when there is none.
func (p *patient) pause(r *http.Request, t *trouble, start time.Time, cause error, asked time.Duration) error {
	tries, lasted := t.failed(start)
	pause := min(firstPause<<min(tries-1, 10), longestPause)
	pause = max(asked, pause/2+rand.N(pause/2)) //nolint:gosec // spreading out needs no secret
	gaveUp := &errGaveUp{host: r.URL.Host, tries: tries, cause: cause}
	if lasted+pause > p.patience {
		if asked > 0 && asked > p.patience-lasted {
			gaveUp.asked = asked
		}
		return gaveUp
	}
	if p.notify != nil {
		p.notify(fmt.Sprintf("%s: %v; trying again in %s", r.URL.Host, cause, pause.Round(100*time.Millisecond)))
	}
	return wait.For(r.Context(), pause)
}

// failure tells why another try may help; nil is an answer that counts, or a
// failure that would be the same next time.
func (p *patient) failure(response *http.Response, err error) (asked time.Duration, cause error) {
	if err != nil {
		if !transient(err) {
			err = nil
		}
		return 0, err
	}
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 499, 522:
	case http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable:
		// Of an upload that was begun.
		if response.Request == nil || !ofUpload(response.Request) {
			return 0, nil
		}
	default:
		return 0, nil
	}
	asked, _ = retry.After(response.Header, time.Now())
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	_ = response.Body.Close() // only read
	response.Body = io.NopCloser(bytes.NewReader(body))
	cause = transport.CheckError(response)
	response.Body = io.NopCloser(bytes.NewReader(body))
	if full(cause) || (response.StatusCode < http.StatusInternalServerError && response.StatusCode != http.StatusTooManyRequests &&
		response.StatusCode != http.StatusRequestTimeout && !uploadUnknown(cause)) {
		return 0, nil // a registry without room will have none in a minute
	}
	return asked, cause
}

// attempt sends a request and ends it when nothing moves for too long.
func (p *patient) attempt(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	alarm := time.AfterFunc(p.idle, func() { cancel(fmt.Errorf("%w for %s", errStalled, p.idle)) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &moving{ReadCloser: r.Body, moved: func(n int) {
			alarm.Reset(p.idle)
			p.sent.Add(int64(n))
		}}
	}
	response, err := p.inner.RoundTrip(r)
	alarm.Stop()
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	response.Body = &guarded{ReadCloser: response.Body, alarm: alarm, idle: p.idle, left: p.idle, ctx: ctx, cancel: cancel}
	return response, nil
}

// moving tells of each piece of a body that was taken to be sent.
type moving struct {
	io.ReadCloser
	moved func(int)
}

func (m *moving) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	m.moved(n)
	return n, err
}

// guarded is an answer's body. No idle time is spent on waiting for fewer bytes
// than web.Progress; what the reader does between two reads takes its own time.
type guarded struct {
	io.ReadCloser
	alarm  *time.Timer
	idle   time.Duration
	left   time.Duration   // of the idle time
	came   int             // since it began
	ctx    context.Context // its cause is why a read failed
	cancel context.CancelCauseFunc
}

func (g *guarded) Read(b []byte) (int, error) {
	g.alarm.Reset(g.left)
	start := time.Now()
	n, err := g.ReadCloser.Read(b)
	g.alarm.Stop()
	g.left -= time.Since(start)
	if g.came += n; g.came >= web.Progress {
		g.came, g.left = 0, g.idle
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := context.Cause(g.ctx); errors.Is(cause, errStalled) {
			err = cause
		}
	}
	return n, err
}

func (g *guarded) Close() error {
	err := g.ReadCloser.Close()
	g.alarm.Stop()
	g.cancel(nil)
	return err
}
