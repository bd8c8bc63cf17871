package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/watch"
)

func TestABusyReaderKeepsNoEventWaitingAndLosesNone(t *testing.T) {
	const many = 10000
	events := make(chan watch.Event)
	d := bufferEvents(events)
	for range many { // Nobody takes meanwhile, and nothing blocks.
		events <- watch.Event{Type: watch.Modified}
	}
	close(events)
	got := 0
	for ended := false; !ended; {
		<-d.some
		var list []watch.Event
		list, ended = d.take()
		got += len(list)
	}
	if got != many {
		t.Errorf("%d events of %d", got, many)
	}
}
