package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
)

// attempts is how often in a row a request is tried without progress; with the
// default backoff that takes about twenty seconds. The context's deadline ends it
// earlier.
const attempts = 8

// Progress is how many bytes an attempt must add to what has come before, and how
// many must come in each idle time, to count. At less, the smallest module (some
// 60 KB) would take longer than a load may: a server that sends a byte with each
// resumption, or a byte a second, is no better than one that is silent.
const Progress = 4 << 10

// maxAsked is the longest wait that a server may ask for.
const maxAsked = time.Minute

// Request is one file to fetch.
type Request struct {
	// What is to be done, for messages: "fetch index.json".
	What   string
	Method string // "" is GET
	URL    *url.URL
	Header http.Header
	Body   []byte
	// Max is how many bytes the answer may have.
	Max int64
	// Given says that a server gave the address, which must not lead to where
	// clouds tell machines their secrets.
	Given bool
	// To takes the body as it comes; nil keeps it for Response.Body.
	To stream.Sink
	// Sign adds credentials to each attempt; nil adds none.
	Sign func(context.Context, *http.Request) error
	// Refused looks first at an answer other than 2xx, of which body is the
	// beginning. It may fix the request and ask for another try, which it gets
	// once, or return an error; false and nil leave it to the client.
	Refused func(ctx context.Context, r *http.Response, body []byte) (again bool, err error)
}

// Response is an answer with status 2xx.
type Response struct {
	Header http.Header
	// Body is nil where the Request has a sink for it.
	Body []byte
}

// fetching is one run of Fetch.
type fetching struct {
	*Client
	Request
	buffer stream.Buffer // where the body goes unless the request has a sink
	got    int64         // bytes of the body so far
	header http.Header
	// validator identifies the file whose beginning has come: an ETag or a date
	// of change. Without one nothing is resumed.
	validator string
	fixedOnce bool
	encoded   string        // Content-Encoding of the last answer
	wait      time.Duration // what the server asked for
	tooMany   bool          // it refused because too many ask at once
}

// Fetch returns the answer to r. It fails with *fault.Error: fault.ErrNotFound
// in the chain for a 404.
func (c *Client) Fetch(ctx context.Context, r Request) (*Response, error) {
	f := &fetching{Client: c, Request: r}
	if f.To == nil {
		f.To = &f.buffer
	}
	var before *fault.Error
	var farthest int64 // that an attempt has come; one that starts over is behind it
	for failed := 0; ; {
		f.wait, f.tooMany = 0, false
		err := f.attempt(ctx)
		if err == nil {
			return &Response{Header: f.header, Body: f.buffer.Bytes()}, nil
		}
		if errors.Is(err, errFixed) {
			continue
		}
		failed++
		advanced := f.got-farthest >= Progress
		if advanced {
			failed = 1
		}
		farthest = max(farthest, f.got)
		e, retry := f.explain(ctx, err)
		if before != nil && errors.Is(e.Err, context.DeadlineExceeded) && !advanced {
			// Time was over in one more attempt: what the earlier ones met says more,
			// and says the same wherever in the backoff time ends.
			return nil, before
		}
		if !retry || failed >= attempts {
			return nil, e
		}
		before = e
		if f.wait > maxAsked {
			return nil, e
		}
		wait := max(c.delay(failed), f.wait)
		if f.tooMany && f.wait == 0 {
			wait = c.spread(ctx, failed)
		}
		c.log.Info("trying again", "error", e.Why, "where", e.Where, "attempt", failed, "wait", wait, "bytes", f.got)
		if !sleep(ctx, wait) {
			return nil, e
		}
	}
}

// errFixed asks for an attempt that does not count.
var errFixed = errors.New("fixed")

// attempt makes one request and appends its body to what there is. The pulse is
// that of the exchange alone: getting credentials takes its own time.
func (f *fetching) attempt(ctx context.Context) error {
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := newPulse(f.idle, cancel)
	defer p.stop()
	r, err := f.request(watched, p)
	if err != nil {
		return err
	}
	if f.Sign != nil {
		if err := f.Sign(ctx, r); err != nil {
			return err
		}
	}
	p.start()
	err = f.exchange(r, p)
	p.stop()
	if cause := context.Cause(watched); err != nil && isStalled(cause) {
		return cause
	}
	if s := (*statusError)(nil); errors.As(err, &s) {
		return f.refused(ctx, s)
	}
	return err
}

func (f *fetching) exchange(r *http.Request, p *pulse) error {
	response, err := f.http.Do(r)
	if err != nil {
		// The message of *url.Error holds the whole address, which may have a
		// signature in its query.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer response.Body.Close()
	p.start()
	if response.StatusCode >= 300 || response.StatusCode < 200 {
		return refusal(response)
	}
	return f.read(response, p)
}

func (f *fetching) request(ctx context.Context, p *pulse) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, f.Method, f.URL.String(), bytes.NewReader(f.Body))
	if err != nil {
		return nil, err
	}
	if len(f.Body) > 0 {
		// A body that goes out piece by piece is not silence.
		r.Body = struct {
			io.Reader
			io.Closer
		}{&watched{r.Body, p}, r.Body}
	}
	for name, values := range f.Header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", f.userAgent)
	if r.Header.Get("Accept-Encoding") == "" {
		// Digests are those of the stored bytes: without this a proxy may compress them.
		r.Header.Set("Accept-Encoding", "identity")
	}
	if f.Given {
		if err := f.guard(r); err != nil {
			return nil, err
		}
	}
	if f.validator != "" && f.got > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", f.got))
		r.Header.Set("If-Range", f.validator)
	} else {
		f.startOver()
	}
	return r, nil
}

// startOver drops what has come of the body.
func (f *fetching) startOver() {
	if f.got > 0 {
		f.To.Reset()
		f.got = 0
	}
}
