package module

import (
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ownMemory is what the program itself takes, in bytes.
const ownMemory = 8 << 20

// WorkingMemory is how many bytes Get may hold at once in a container with this
// limit on its memory: three quarters of it, as the collector frees late and the
// kernel counts buffers of the network too, less what the program itself takes.
func WorkingMemory(limit int64) int64 { return max(ownMemory, limit/4*3-ownMemory) }

// limitFor is the limit on a container's memory, in whole steps of 16 MiB, in
// which Get may hold so many bytes.
func limitFor(working int64) int64 {
	const step = 16 << 20
	return ((working+ownMemory)/3*4 + step) / step * step
}

// unsized bounds a file whose size is not known before, in bytes: it and a
// buffer that has grown too small are held together for a moment.
func (r Request) unsized() int64 {
	if r.Memory > 0 {
		return min(r.MaxSize, r.Memory/2)
	}
	return r.MaxSize
}

// tooLargeFor is the error about something that takes so many bytes; when it is
// the container's memory that bounds them, it says how much there must be.
func tooLargeFor(r Request, what, why string, needs int64) error {
	e := &Error{Reason: outcome.TooLarge, What: what, Why: why}
	if r.Memory > 0 && needs > r.Memory && needs <= 2*DefaultMaxSize {
		e.Do = raiseMemory(needs)
	}
	return e
}

func raiseMemory(needs int64) string {
	return fmt.Sprintf("Strip the module's debug sections, or set tap.kernelModule.agent.resources.limits.memory to %dMi or more.", limitFor(needs)>>20)
}
