package node

import (
	"container/list"
	"net"
	"sync"
)

// maxGuests is how many connections the agent serves at once. Each may take some
// 40 KB, and Prometheus and kubelet need one each.
const maxGuests = 64

// guests is a listener that lets the longest connected guest go when there are
// too many: whoever holds connections open, or opens any number of them, takes
// no memory and does not keep kubelet's probes out.
type guests struct {
	net.Listener
	most int

	mu   sync.Mutex
	open list.List // of *guest, the oldest first
}

type guest struct {
	net.Conn
	leave func()
}

// Accept implements net.Listener.
func (g *guests) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open.Len() >= g.most {
		// The server finds it closed, and takes leave of it by itself.
		_ = g.open.Remove(g.open.Front()).(*guest).Conn.Close() // the oldest has had its time; nobody reads it any more
	}
	came := &guest{Conn: c}
	place := g.open.PushBack(came)
	came.leave = sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open.Remove(place) // nothing if it was let go
	})
	return came, nil
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
