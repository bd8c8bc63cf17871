package node

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
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

// knocking is a listener with a connection for each call.
type knocking struct {
	net.Listener
	came []net.Conn
}

func (k *knocking) Accept() (net.Conn, error) {
	c := k.came[0]
	k.came = k.came[1:]
	return c, nil
}

func TestTheOldestGuestLeavesForTheNewest(t *testing.T) {
	var ours, theirs []net.Conn
	for range 4 {
		a, b := net.Pipe()
		ours, theirs = append(ours, a), append(theirs, b)
	}
	g := &guests{Listener: &knocking{came: ours}, most: 2}
	accept := func() net.Conn {
		c, err := g.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	closed := func(c net.Conn) bool {
		if c.SetReadDeadline(time.Unix(1, 0)) != nil {
			return true
		}
		_, err := c.Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	accept()
	second := accept()
	if closed(theirs[0]) {
		t.Error("a guest was let go while there was room")
	}
	accept()
	if !closed(theirs[0]) || closed(theirs[1]) || closed(theirs[2]) {
		t.Error("the oldest is not the one that was let go")
	}
	// One that leaves by itself makes room.
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	accept()
	if closed(theirs[2]) || closed(theirs[3]) || g.open.Len() != 2 {
		t.Errorf("%d guests are left", g.open.Len())
	}
}
