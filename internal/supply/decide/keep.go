package decide

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// keep tells the states of kernels that nobody wants any more, and drops those
// whose time is over.
func (d *decision) keep() {
	for key := range d.have {
		if d.wanted[key] {
			continue
		}
		old := d.last(key)
		seen := old.LastSeen
		if seen.IsZero() || seen.After(d.Now) { // a clock was set back
			seen = d.Now
		}
		if end := seen.Add(d.Keep); !d.Now.Before(end) {
			d.drop(key)
			continue
		} else {
			d.wake(end)
		}
		e := d.newest(key)
		k := supply.KernelStatus{
			Kernel: key.Kernel, Arch: key.Arch, OSImage: old.OSImage, State: supply.Built, Since: d.Now, LastSeen: seen, Version: e.Version, Size: e.Size,
		}
		if old.State == supply.Built && old.Version == k.Version {
			k.Since = old.Since
		}
		d.Kernels = append(d.Kernels, k)
	}
}

func (d *decision) newest(key Key) module.Entry {
	return slices.MaxFunc(d.have[key], func(a, b module.Entry) int { return module.CompareVersions(a.Version, b.Version) })
}

// drop gives up all modules of a kernel.
func (d *decision) drop(key Key) {
	d.Drop = append(d.Drop, d.have[key]...)
	delete(d.have, key)
}

// room counts what the store still takes. Where it takes too little, modules that
// are only kept go before their time, the longest unused first.
func (d *decision) room() {
	if d.Room == 0 {
		return
	}
	lacking := 0
	for _, w := range d.Wants {
		if len(d.have[w.Key]) == 0 {
			lacking++
		}
	}
	count := func() int {
		n := 0
		for _, list := range d.have {
			n += len(list)
		}
		return n
	}
	var kept []supply.KernelStatus
	for _, k := range d.Kernels {
		if !d.wanted[Key{k.Kernel, k.Arch}] {
			kept = append(kept, k)
		}
	}
	slices.SortFunc(kept, func(a, b supply.KernelStatus) int {
		return cmp.Or(a.LastSeen.Compare(b.LastSeen), Key{a.Kernel, a.Arch}.Compare(Key{b.Kernel, b.Arch}))
	})
	for _, k := range kept {
		if count()+lacking <= d.Room {
			break
		}
		key := Key{k.Kernel, k.Arch}
		d.drop(key)
		d.Kernels = slices.DeleteFunc(d.Kernels, func(x supply.KernelStatus) bool { return Key{x.Kernel, x.Arch} == key })
	}
	d.free = d.Room - count() - len(d.Building)
}

// list chooses one module for each kernel. While builds of another version are
// under way, kernels that have an older one keep it, so that all change at once.
func (d *decision) list() {
	versions := map[Key]string{}
	pending := false
	for _, k := range d.Kernels {
		key := Key{k.Kernel, k.Arch}
		versions[key] = k.Version
		if d.wanted[key] && len(d.have[key]) > 0 && (k.State == supply.Queued || k.State == supply.Building) {
			pending = true
		}
	}
	published := map[Key]string{}
	for _, e := range d.Published {
		published[Key{e.KernelRelease, e.Arch}] = e.Version
	}
	for _, key := range slices.SortedFunc(maps.Keys(d.have), Key.Compare) {
		chosen := d.entry(key, versions[key])
		if before := d.entry(key, published[key]); before != nil && (chosen == nil || pending) {
			chosen = before
		}
		if chosen == nil {
			e := d.newest(key)
			chosen = &e
		}
		d.List = append(d.List, *chosen)
		for _, e := range d.have[key] {
			if e.Version != chosen.Version && (!pending || e.Version != versions[key]) {
				d.Drop = append(d.Drop, e)
			}
		}
	}
}

// The pause after a first failed try, and the longest.
const firstPause, mostPause = time.Minute, 12 * time.Hour

// Pause is how long to wait after a number of failed tries.
func Pause(tries int) time.Duration {
	pause := firstPause
	for range tries - 1 {
		if pause *= 2; pause >= mostPause {
			return mostPause
		}
	}
	return pause
}
