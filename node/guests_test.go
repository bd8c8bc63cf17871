package node

import (
	"io"
	"net"
	"net/http"
	"testing"
)

func TestConnectionsThatSomebodyHoldsOpenDoNotKeepProbesOut(t *testing.T) {
	m := newMachine(t)
	w := newWatch(t, m, m.host().blank("n1"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(t.Context(), l, ServerOptions{}) }()
	var held []net.Conn
	for range 4 * maxGuests {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nX: "); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%d %v", resp.StatusCode, err)
	}
	// The first ones were let go, so reading from them ends.
	if _, err := io.ReadAll(held[0]); err != nil {
		t.Log(err) // or by a reset
	}
	for _, c := range held {
		_ = c.Close()
	}
}
