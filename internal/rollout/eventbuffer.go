package rollout

import (
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// eventBuffer gathers the events of a watch while its reader is busy. The API server
// ends the watch of a client that does not keep up, and judging thousands of
// nodes takes longer than it has patience for.
type eventBuffer struct {
	// some has an element when there is something to take.
	some chan struct{}

	mu    sync.Mutex
	list  []watch.Event
	ended bool
}

// bufferEvents reads until the channel is closed.
func bufferEvents(events <-chan watch.Event) *eventBuffer {
	d := &eventBuffer{some: make(chan struct{}, 1)}
	go func() {
		for event := range events {
			d.add(func() { d.list = append(d.list, event) })
		}
		d.add(func() { d.ended = true })
	}()
	return d
}

func (d *eventBuffer) add(change func()) {
	d.mu.Lock()
	change()
	d.mu.Unlock()
	select {
	case d.some <- struct{}{}:
	default: // It is known already.
	}
}

// take returns what has come since, and whether the watch has ended after it.
func (d *eventBuffer) take() (list []watch.Event, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, d.list = d.list, nil
	return list, d.ended
}
