package probe

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
)

// group is a Group with the nodes on which it can be tried, best first.
type group struct {
	result     Result
	candidates []string
}

func (g *group) fail(f Failure) { g.result.Failed = append(g.result.Failed, f) }

// groups sorts the nodes, keeps every group for the report, and returns those
// that can be tried.
func (r *runner) groups() []*group {
	type key struct{ kernel, arch, zone string }
	at := map[key]*group{}
	by := map[*group][]Node{}
	for _, n := range r.Nodes {
		k := key{n.Kernel, n.Arch, n.Zone}
		if at[k] == nil {
			at[k] = &group{result: Result{Group: Group{Kernel: n.Kernel, Arch: n.Arch, Zone: n.Zone}}}
			r.known = append(r.known, at[k])
		}
		at[k].result.Nodes++
		by[at[k]] = append(by[at[k]], n)
	}
	slices.SortFunc(r.known, func(a, b *group) int {
		x, y := a.result, b.result
		return cmp.Or(cmp.Compare(x.Kernel, y.Kernel), cmp.Compare(x.Arch, y.Arch), cmp.Compare(x.Zone, y.Zone))
	})
	var usable []*group
	for _, g := range r.known {
		if g.choose(by[g]); len(g.candidates) > 0 {
			usable = append(usable, g)
		}
	}
	return usable
}

// choose takes the first nodes that are ready and let the agent in, those that
// are not cordoned before the others.
func (g *group) choose(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(number(a.Cordoned), number(b.Cordoned)), cmp.Compare(a.Name, b.Name))
	})
	var unusable []Failure
	for _, n := range nodes {
		switch {
		case n.Taint != "":
			unusable = append(unusable, Failure{n.Name, reasonTaint, "the agent does not tolerate its taint " + n.Taint})
		case !n.Ready:
			unusable = append(unusable, Failure{n.Name, reasonNotReady, "the node is not ready"})
		case len(g.candidates) < attempts:
			g.candidates = append(g.candidates, n.Name)
		}
	}
	if len(g.candidates) == 0 && len(unusable) > 0 {
		g.fail(unusable[0])
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// finish hands out the results in the order of the groups.
func (r *runner) finish() {
	for _, g := range r.known {
		r.report.Results = append(r.report.Results, g.result)
	}
}

// newID tells the Jobs of one run from those of others.
func newID() string { return strings.ToLower(rand.Text()[:8]) }
