package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
)

// errRange means that a server sent a part of the file that was not asked for.
var errRange = errors.New("the server sent a part (206) that does not continue what was there")

// read appends the body of a 200 or 206 to what there is, if it continues it.
func (f *fetching) read(r *http.Response, p *pulse) error {
	if !f.continues(r) {
		f.startOver()
	}
	if r.StatusCode == http.StatusPartialContent && f.got == 0 {
		f.validator = ""
		return errRange
	}
	f.validator, f.header = validator(r.Header), r.Header
	if f.Method == http.MethodHead {
		return nil // its length is the file's, which does not come
	}
	f.encoded = r.Header.Get("Content-Encoding")
	if total := f.got + r.ContentLength; r.ContentLength > 0 && total > f.Max {
		return f.tooLarge(total)
	}
	// As a whole, so that a module of some MB is not copied again and again; the
	// byte more is for finding its end without growing.
	f.buffer.Grow(f.room(r.ContentLength))
	body := &watched{io.LimitReader(r.Body, f.Max+1-f.got), p}
	n, err := io.Copy(f.To, body)
	if f.got += n; err != nil {
		return err
	}
	if f.got > f.Max {
		return f.tooLarge(-1)
	}
	return nil
}

// room is how many bytes to make room for: what the server announces.
func (f *fetching) room(announced int64) int64 {
	if f.To != stream.Sink(&f.buffer) || announced <= 0 {
		return 0
	}
	return announced + 1
}

// continues tells whether r is the rest of the file of which body is the
// beginning. Not every server knows If-Range, so the validators are compared.
func (f *fetching) continues(r *http.Response) bool {
	var from int64
	n, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &from)
	return r.StatusCode == http.StatusPartialContent && err == nil && n == 1 && from == f.got && validator(r.Header) == f.validator
}

func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" {
		if tag[0] == '"' {
			return tag
		}
		return "" // a weak one says nothing about bytes
	}
	return h.Get("Last-Modified")
}

func (f *fetching) tooLarge(size int64) error {
	why := fmt.Sprintf("it has more than %d bytes", f.Max)
	if size > 0 {
		why = fmt.Sprintf("it has %d bytes, the limit is %d", size, f.Max)
	}
	if f.encoded != "" && f.encoded != "identity" {
		why += fmt.Sprintf("; it came with Content-Encoding: %.20s, as from a proxy that compresses", f.encoded)
	}
	return fault.TooLarge(f.What, Where(f.URL), why)
}
