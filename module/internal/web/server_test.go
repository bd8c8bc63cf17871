package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
)

// file is what the servers here have.
var file = bytes.Repeat([]byte("0123456789abcdef"), 40_000)

// server answers with handle, which gets the number of the request from 1.
func server(t *testing.T, handle func(n int, w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(int(n.Add(1)), w, r) }))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, change func(*Options)) *Client {
	t.Helper()
	o := Options{Backoff: time.Millisecond, idle: 300 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *Client, address string) (*Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return getWithin(ctx, t, c, address)
}

func getWithin(ctx context.Context, t *testing.T, c *Client, address string) (*Response, error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return c.Fetch(ctx, Request{What: "fetch the file", URL: u, Max: int64(len(file))})
}

// cut sends part of the body and breaks the connection.
func cut(w http.ResponseWriter, part []byte, length int) {
	w.Header().Set("Content-Length", strconv.Itoa(length))
	_, _ = w.Write(part)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// silent sends a part and then nothing until the client leaves.
func silent(w http.ResponseWriter, r *http.Request, part []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(part)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// serve is a good server with ranges.
func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(file))
}

func typed(t *testing.T, err error) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *fault.Error: %v", err)
	}
	return e
}
