package decide

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// Situation is what is known at a time.
type Situation struct {
	Now time.Time
	// Version is supply.pfringVersion, HostHeaders supply.builder.hostHeaders.
	Version     string
	HostHeaders bool
	Parallel    int
	Keep        time.Duration
	// Room is how many modules the store takes, 0 for no bound.
	Room  int
	Wants []Want
	// Have are the modules in the store, Published those that the index lists.
	Have, Published []module.Entry
	// Sourced tells whether the source of the values has a module.
	Sourced func(Key) bool
	// Waiting is true while the source of the values has not answered yet.
	Waiting bool
	// Building are the kernels whose builds run, Ending those whose Jobs are about
	// to be gone.
	Building, Ending map[Key]bool
	// Last is what was written before.
	Last *supply.Status
	// Inputs is a digest of what a build is made from.
	Inputs func(t build.Target, version string) string
}

// Build is one to begin.
type Build struct {
	Target  build.Target
	Version string
	// Try counts from 1.
	Try    int
	Inputs string
}

// Plan is what to do.
type Plan struct {
	// Kernels are the new states; those that are building have no step yet.
	Kernels []supply.KernelStatus
	Begin   []Build
	// List is what the index has to list, Drop what the store need not keep.
	List, Drop []module.Entry
	// Next is when the answer changes by itself; zero if it does not.
	Next time.Time
}

// Decide says what to do.
func Decide(s Situation) Plan {
	d := decision{Situation: s, have: map[Key][]module.Entry{}, wanted: map[Key]bool{}}
	for _, e := range s.Have {
		key := Key{e.KernelRelease, e.Arch}
		d.have[key] = append(d.have[key], e)
	}
	for _, w := range s.Wants {
		d.wanted[w.Key] = true
	}
	d.keep()
	d.room()
	var queue []candidate
	for _, w := range s.Wants {
		k, c := d.kernel(w)
		d.Kernels = append(d.Kernels, k)
		if c != nil {
			queue = append(queue, *c)
		}
	}
	d.begin(queue)
	slices.SortFunc(d.Kernels, func(a, b supply.KernelStatus) int { return Key{a.Kernel, a.Arch}.Compare(Key{b.Kernel, b.Arch}) })
	d.list()
	return d.Plan
}

type decision struct {
	Situation
	Plan
	have   map[Key][]module.Entry
	wanted map[Key]bool
	free   int
}

// candidate is a build that may begin.
type candidate struct {
	Build
	nodes int
	bare  bool
}

// wake makes sure that the answer is asked for again.
func (d *decision) wake(at time.Time) {
	if !at.IsZero() && (d.Next.IsZero() || at.Before(d.Next)) {
		d.Next = at
	}
}

// last is the state that was written before, or a fresh one.
func (d *decision) last(key Key) supply.KernelStatus {
	if d.Last != nil {
		if k := d.Last.Find(key.Kernel, key.Arch); k != nil {
			return *k
		}
	}
	return supply.KernelStatus{Kernel: key.Kernel, Arch: key.Arch}
}

// entry is the module of a version that the store has.
func (d *decision) entry(key Key, version string) *module.Entry {
	for i, e := range d.have[key] {
		if e.Version == version {
			return &d.have[key][i]
		}
	}
	return nil
}

// kernel tells the state of a kernel, and the build that it waits for.
func (d *decision) kernel(w Want) (supply.KernelStatus, *candidate) {
	old := d.last(w.Key)
	k := supply.KernelStatus{Kernel: w.Kernel, Arch: w.Arch, OSImage: w.Example.OSImage, Nodes: w.Nodes}
	fit := d.fit(w.Kernel)
	k.Version = fit.Version
	become := func(state supply.State) supply.KernelStatus {
		k.State, k.Since = state, d.Now
		if old.State == state && old.Version == k.Version {
			k.Since = old.Since
		}
		return k
	}
	if e := d.entry(w.Key, fit.Version); e != nil {
		k.Size = e.Size
		return become(supply.Built), nil
	}
	if d.Sourced != nil && d.Sourced(w.Key) {
		k.Version = ""
		return become(supply.Sourced), nil
	}
	recipe, err := d.recipe(w)
	if err != nil {
		k.Reason, k.Message = supply.NoRecipe, err.Error()
		return become(supply.Unsupported), nil
	}
	target := build.Target{Kernel: w.Kernel, Arch: w.Arch, Nodes: w.Ready, OSImage: w.Example.OSImage, Recipe: recipe}
	inputs := d.Inputs(target, fit.Version)
	if old.Inputs != inputs {
		old = supply.KernelStatus{State: old.State, Since: old.Since, Version: old.Version}
	}
	k.Inputs, k.Tries = inputs, old.Tries
	if d.Building[w.Key] {
		k.Job = old.Job
		return become(supply.Building), nil
	}
	if d.Waiting {
		k.Message = "waiting for the module repository of the values to answer"
		return become(supply.Queued), nil
	}
	if old.Tries > 0 {
		k.Reason, k.Message, k.Remedy, k.Log, k.NextTry = old.Reason, old.Message, old.Remedy, old.Log, old.NextTry
	}
	if state := d.holdBack(w, old, &k); state != "" {
		return become(state), nil
	}
	d.free--
	k.Reason, k.Message, k.Remedy, k.Log = "", "", "", nil
	if !fit.Known {
		k.Message = fit.Why + "; it is tried once"
	}
	return become(supply.Queued), &candidate{Build{target, fit.Version, old.Tries + 1, inputs}, w.Nodes, len(d.have[w.Key]) == 0}
}

// holdBack returns the state of a kernel whose build does not begin now and says in k
// why; "" lets it begin.
func (d *decision) holdBack(w Want, old supply.KernelStatus, k *supply.KernelStatus) supply.State {
	switch {
	case len(w.Ready) == 0 && d.HostHeaders:
		k.Reason, k.Message = supply.NoNode, "no node with this kernel accepts pods, and the headers must come from a node (supply.builder.hostHeaders)"
		return supply.Queued
	case old.Tries > 0 && old.NextTry.IsZero():
		return supply.Failed // it is not tried again as it is
	case d.Now.Before(old.NextTry) && old.NextTry.Sub(d.Now) <= mostPause: // a longer pause is of a clock that was set back
		d.wake(old.NextTry)
		return supply.Failed
	case d.Room > 0 && d.free <= 0 && len(d.have[w.Key]) == 0:
		k.Reason = supply.StoreFull
		k.Message = fmt.Sprintf("the store holds %d modules and is full", d.Room)
		k.Remedy = "Set supply.store.type to persistentVolumeClaim or url, or lower supply.keep."
		return supply.Failed
	case d.Ending[w.Key]:
		return supply.Queued
	}
	return ""
}

// fit is the version of PF_RING for a kernel.
func (d *decision) fit(kernel string) build.Fit {
	if d.Version != "" {
		return build.FitOf(d.Version, kernel)
	}
	return build.VersionFor(kernel)
}

// recipe finds how to build for a kernel, or says why it is not built.
func (d *decision) recipe(w Want) (build.Recipe, error) {
	platform := w.Example.Platform.Describe()
	switch {
	case !build.ValidRelease(w.Kernel):
		return build.Recipe{}, fmt.Errorf("invalid kernel release %q: a module cannot be named after it", w.Kernel)
	case platform.Policy == cluster.Never:
		return build.Recipe{}, fmt.Errorf("modules cannot be loaded on %s. %s %s", platform.Name, platform.Why, platform.Remedy)
	case w.Unclear != "":
		return build.Recipe{}, errors.New(w.Unclear)
	}
	return build.RecipeForNode(w.Example)
}

// begin chooses from the queue: fewer tries first, then kernels without any
// module, then by the number of nodes.
func (d *decision) begin(queue []candidate) {
	slices.SortStableFunc(queue, func(a, b candidate) int {
		bare := func(c candidate) int {
			if c.bare {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Try, b.Try), cmp.Compare(bare(a), bare(b)), cmp.Compare(b.nodes, a.nodes))
	})
	slots := max(0, max(d.Parallel, 1)-len(d.Building))
	for _, c := range queue[:min(len(queue), slots)] {
		d.Begin = append(d.Begin, c.Build)
	}
}
