package web

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// served fits the window that a client opens without being asked.
var served = file[:50_000]

// A server that is being stopped says GOAWAY and may close the connection in the
// middle of a file: the rest comes over the next one.
func TestAFileGoesOnAfterGoAway(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { goingAway(t, conn, connections.Add(1)) },
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	response, err := get(t, client(t, func(o *Options) { o.CAFile = bundle(t, s) }), s.URL+"/file")
	if err != nil {
		t.Fatal(err)
	}
	if string(response.Body) != string(served) || connections.Load() != 3 {
		t.Errorf("%d bytes over %d connections", len(response.Body), connections.Load())
	}
}

// goingAway serves one request of a connection: a piece of the file, then GOAWAY
// and the end. The third connection serves the rest.
func goingAway(t *testing.T, conn net.Conn, n int64) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := conn.Read(preface); err != nil {
		t.Error(err)
		return
	}
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(); err != nil {
		t.Error(err)
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return // the client has left
		}
		request, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		from, status := 0, "200"
		for _, h := range request.Fields {
			if text, ok := strings.CutPrefix(h.Value, "bytes="); ok && h.Name == "range" {
				from, _ = strconv.Atoi(strings.TrimSuffix(text, "-"))
				status = "206"
			}
		}
		end := from + 10_000
		if n == 3 {
			end = len(served)
		}
		var header strings.Builder
		h := hpack.NewEncoder(&header)
		for _, field := range [][2]string{
			{":status", status}, {"etag", `"one"`}, {"content-length", strconv.Itoa(len(served) - from)},
			{"content-range", "bytes " + strconv.Itoa(from) + "-" + strconv.Itoa(len(served)-1) + "/" + strconv.Itoa(len(served))},
		} {
			_ = h.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into memory
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: request.StreamID, BlockFragment: []byte(header.String()), EndHeaders: true})
		for at := from; at < end; at += 10_000 {
			_ = f.WriteData(request.StreamID, n == 3 && at+10_000 >= end, served[at:min(at+10_000, end)])
		}
		if n < 3 {
			_ = f.WriteGoAway(request.StreamID, http2.ErrCodeNo, nil)
			return
		}
	}
}
