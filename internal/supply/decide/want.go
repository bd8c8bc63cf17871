// Package decide says what the supply controller has to do: which kernels need a
// module, which builds to begin, what to list in the index and what to drop.
//
// It is given everything as values, the time included, and does nothing itself.
package decide

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// Key is a kernel release and a GOARCH name.
type Key struct{ Kernel, Arch string }

// Compare orders keys as the status does.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kernel, o.Kernel), cmp.Compare(k.Arch, o.Arch))
}

// Want is a kernel to have a module for.
type Want struct {
	Key
	// Nodes counts the nodes that run it, 0 for one that only the values name.
	Nodes int
	// Example is a node that runs the system that most of them run; for a kernel
	// that only the values name, one of the system it is taken to be of.
	Example cluster.Node
	// Ready are some nodes of that system that take pods.
	Ready []string
	// Unclear says why no system is known for it; "" if one is.
	Unclear string
}

// maxReady bounds the nodes that a build may choose from.
const maxReady = 8

// Wants are the kernels of nodes that are to have PF_RING, and those of listed,
// sorted.
func Wants(nodes []cluster.Node, listed []string) []Want {
	groups := map[Key][]*cluster.Node{}
	for i := range nodes {
		n := &nodes[i]
		if n.Kernel == "" || n.Arch == "" || n.Excluded || n.OS != "" && n.OS != "linux" {
			continue
		}
		key := Key{n.Kernel, n.Arch}
		groups[key] = append(groups[key], n)
	}
	var wants []Want
	for key, group := range groups {
		w := Want{Key: key, Nodes: len(group)}
		w.system(group)
		wants = append(wants, w)
	}
	for _, release := range listed {
		wants = append(wants, fromValues(release, nodes, groups)...)
	}
	slices.SortFunc(wants, func(a, b Want) int { return a.Compare(b.Key) })
	return slices.CompactFunc(wants, func(a, b Want) bool { return a.Key == b.Key })
}

// system picks the system that most nodes of a group run.
func (w *Want) system(group []*cluster.Node) {
	byImage := map[string][]*cluster.Node{}
	for _, n := range group {
		byImage[n.OSImage] = append(byImage[n.OSImage], n)
	}
	images := slices.SortedFunc(maps.Keys(byImage), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(byImage[b]), len(byImage[a])), cmp.Compare(a, b))
	})
	most := byImage[images[0]]
	w.Example = *slices.MinFunc(most, func(a, b *cluster.Node) int { return cmp.Compare(a.Name, b.Name) })
	for _, n := range most {
		if n.Ready && !n.Cordoned {
			w.Ready = append(w.Ready, n.Name)
		}
	}
	slices.Sort(w.Ready)
	w.Ready = slices.Clone(w.Ready[:min(len(w.Ready), maxReady)])
}

// fromValues is a kernel of the values: for each architecture that it can be of,
// the system of the nodes whose kernels are named as it is.
func fromValues(release string, nodes []cluster.Node, groups map[Key][]*cluster.Node) []Want {
	archs := map[string]bool{}
	if arch := build.GuessArch(release); arch != "" {
		archs[arch] = true
	} else {
		for key := range groups {
			archs[key.Arch] = true
		}
	}
	var wants []Want
	for _, arch := range slices.Sorted(maps.Keys(archs)) {
		key := Key{release, arch}
		if groups[key] != nil {
			continue // nodes tell more
		}
		w := Want{Key: key}
		w.guess(nodes)
		wants = append(wants, w)
	}
	return wants
}

// guess takes the system of nodes of the architecture: of those whose kernel has
// a name of the same form, or of all if they agree.
func (w *Want) guess(nodes []cluster.Node) {
	same, all := map[string]*cluster.Node{}, map[string]*cluster.Node{}
	for i := range nodes {
		n := &nodes[i]
		if n.Arch != w.Arch || n.Excluded {
			continue
		}
		all[n.OSImage] = n
		if form(n.Kernel) == form(w.Kernel) {
			same[n.OSImage] = n
		}
	}
	found := same
	if len(found) == 0 {
		found = all
	}
	images := slices.Sorted(maps.Keys(found))
	switch {
	case len(images) == 0:
		w.Unclear = "no node of architecture " + w.Arch + " shows which system the kernel belongs to"
	case len(images) > 1 && len(same) == 0:
		w.Unclear = "nodes of architecture " + w.Arch + " run " + strings.Join(images, ", ") + ", and none has a kernel release of this form"
	default:
		w.Example = *found[images[len(images)-1]]
	}
}

// form is a kernel release without its numbers: 6.1.0-18-cloud-amd64 and
// 6.1.0-44-cloud-amd64 have the same.
func form(release string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, strings.ReplaceAll(strings.ReplaceAll(release, "x86_64", "x"), "aarch64", "a"))
}
