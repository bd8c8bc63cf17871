package main

import (
	"runtime"
	"runtime/debug"
)

const (
	// freely is the heap below which collecting garbage is not worth its time:
	// most commands live for some milliseconds and end before they reach it.
	freely = 40 << 20
	// mostGC and leastGC bound the growth between two collections, in per cent.
	mostGC, leastGC = 400, 100
)

// tuneGC lets the heap grow to a fixed size before garbage is collected in
// earnest, and by Go's usual rule beyond it, so that large clusters do not cost
// memory in proportion to what passes through.
func tuneGC() {
	debug.SetGCPercent(mostGC)
	afterGC()
}

// sentinel is garbage from the start: its finalizer runs after each collection.
type sentinel struct{ _ [16]byte }

func afterGC() {
	runtime.SetFinalizer(&sentinel{}, func(*sentinel) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		debug.SetGCPercent(percent(m.HeapAlloc))
		afterGC()
	})
}

// percent is the growth that is allowed over a live heap, in bytes.
func percent(live uint64) int {
	if live == 0 || live >= freely {
		return leastGC
	}
	return int(min(mostGC, max(leastGC, (freely-live)*100/live))) // #nosec G115 -- at most mostGC
}
