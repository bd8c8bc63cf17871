package compatibility

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

// Finding is one cause that keeps nodes from the module.
type Finding struct {
	Reason, Message, Remedy, Source string
	Supported                       Supported
	Nodes                           int
	// Example is one of the nodes.
	Example string
	// first is the kernel of the first node.
	first string
	// Kernels are those that the cause is reported for, Message that of the first; Also
	// names the others, or is "".
	Kernels []string
	Also    string
}

// Failing is the report with those nodes and kernels alone that do not have what they
// need. Its counts are those of all.
func (r Report) Failing() Report {
	r.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), func(n NodeResult) bool { return n.Supported.Good() || n.Supported == Excluded })
	r.Kernels = slices.DeleteFunc(slices.Clone(r.Kernels), func(k KernelResult) bool { return k.good() == k.Counted() })
	return r
}

// named is how many kernels a finding names beside the first.
const named = 5

// Findings are what keeps nodes from the module, each cause once, those of most
// nodes first. What differs in nothing but the kernel is one cause.
func (r Report) Findings() []Finding {
	type cause struct{ reason, message, remedy string }
	at := map[cause]int{}
	var list []Finding
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Supported == Yes || n.Supported == Excluded || n.Supported == WillBeBuilt {
			continue
		}
		k := cause{n.Reason, n.anonymous(n.Message), n.anonymous(n.Remedy)}
		place, ok := at[k]
		if !ok {
			place = len(list)
			at[k] = place
			list = append(list, Finding{Reason: n.Reason, Message: n.Message, Remedy: n.Remedy, Source: n.Source, Supported: n.Supported, Example: n.Node, first: n.Kernel})
		}
		f := &list[place]
		f.Nodes++
		if k.message != n.Message && !slices.Contains(f.Kernels, n.Kernel) {
			f.Kernels = append(f.Kernels, n.Kernel)
		}
	}
	for i := range list {
		list[i].sum()
	}
	slices.SortStableFunc(list, func(a, b Finding) int { return b.Nodes - a.Nodes })
	return list
}

// anonymous is a text without what differs from kernel to kernel.
func (n *NodeResult) anonymous(s string) string {
	for _, part := range []string{n.Image, n.Kernel, n.Node} {
		if part != "" {
			s = strings.ReplaceAll(s, part, "\x00")
		}
	}
	return s
}

// sum words what holds for several kernels.
func (f *Finding) sum() {
	if len(f.Kernels) < 2 {
		return
	}
	slices.SortFunc(f.Kernels, text.Natural)
	var others []string
	for _, k := range f.Kernels {
		if k != f.first && !strings.Contains(f.Message, k) {
			others = append(others, k)
		}
	}
	f.Also = "The same for " + strings.Join(others[:min(named, len(others))], ", ")
	if more := len(others) - named; more > 0 {
		f.Also += fmt.Sprintf(" and %d more", more)
	}
	f.Also += "."
	for _, k := range f.Kernels {
		// A command for one kernel does it for all when the kernel is left out.
		f.Remedy = verdict.AnyKernel(f.Remedy, k)
	}
}
