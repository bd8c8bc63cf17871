package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Seen is what a probe saw of the nodes that share kernel and architecture.
type Seen struct {
	Kernel, Arch string
	Nodes        int
	// TakesNone is why the kernel takes no module, or "".
	TakesNone string
	// Signed is yes where the kernel takes only signed modules, else no or
	// unknown.
	Signed string
	// Source and Registry are why the nodes do not reach the module repository,
	// or the registry of the images, and "" when they do or were not asked.
	Source, Registry string
	// AskedSource says that the repository was asked.
	AskedSource bool
	// CutOff says that nothing answers from there, unlike a refusal or a
	// certificate that is not trusted, which a setting fixes.
	CutOff bool
}

// FromProbe sums a probe's report up by kernel and architecture. The worst that
// one zone saw counts.
func FromProbe(r *probe.Report) []Seen {
	var list []Seen
	for _, g := range r.Results {
		if g.Report == nil {
			continue
		}
		i := slices.IndexFunc(list, func(s Seen) bool { return s.Kernel == g.Kernel && s.Arch == g.Arch })
		if i < 0 {
			i = len(list)
			list = append(list, Seen{Kernel: g.Kernel, Arch: g.Arch, Signed: g.Report.Host.NeedsSignature(), CutOff: true})
		}
		list[i].add(g)
	}
	return list
}

func (s *Seen) add(g probe.Result) {
	s.Nodes += g.Nodes
	h := g.Report.Host
	switch {
	case h.Modules == outcome.No:
		s.TakesNone = "its kernel does not support modules"
	case h.ModulesDisabled == outcome.Yes:
		s.TakesNone = "kernel.modules_disabled is 1 there"
	}
	if need := h.NeedsSignature(); s.Signed != outcome.Yes && need != outcome.No {
		s.Signed = need
	}
	reached := false
	for _, t := range g.Report.Targets {
		why := ""
		if !t.OK {
			why = fmt.Sprintf("%s (%s, seen on %s)", t.Message, t.Reason, g.Node)
		}
		switch t.Kind {
		case outcome.TargetSource:
			s.AskedSource = true
			s.Source = cmp.Or(s.Source, why)
			reached = reached || t.OK || t.Reason != outcome.SourceUnreachable && t.Reason != outcome.SourceTimeout
		case outcome.TargetRegistry:
			s.Registry = cmp.Or(s.Registry, why)
		}
	}
	s.CutOff = s.CutOff && s.AskedSource && !reached
}

// seen is what a probe saw of a kernel; nil without a probe of it.
func (d *decision) seen(release, arch string) *Seen {
	for i := range d.Seen {
		if d.Seen[i].Kernel == release && d.Seen[i].Arch == arch {
			return &d.Seen[i]
		}
	}
	return nil
}

// apply takes what the probe saw into the kernels and facts, before anything is
// decided.
func (d *decision) apply() {
	cut := len(d.Seen) > 0
	for i := range d.kernels {
		k := &d.kernels[i]
		s := d.seen(k.release, k.arch)
		if s == nil {
			continue
		}
		k.signs, k.unreached = s.Signed, s.Source
		if s.TakesNone != "" {
			k.forbidden, k.forbids = k.nodes, strings.ToUpper(s.TakesNone[:1])+s.TakesNone[1:]+"."
		}
	}
	for _, s := range d.Seen {
		cut = cut && s.CutOff
	}
	if cut && !d.NoEgress {
		d.NoEgress = true
		d.addReason("No node that was probed reaches %s: %s.", cmp.Or(d.Report.Source, "the source"), strings.TrimSuffix(d.Seen[0].Source, "."))
	}
}

// stepsSeen are what has to be done for what the probe saw.
func (d *decision) stepsSeen() {
	var sign, cut []string
	why := ""
	for _, k := range d.kernels {
		if k.takes() == 0 {
			continue
		}
		if k.signs == outcome.Yes && (d.plan.Way != Auto || !k.signed) {
			sign = append(sign, k.release+" ("+k.arch+")")
		}
		if k.unreached != "" && d.plan.Way == Auto {
			cut = append(cut, k.release+" ("+k.arch+")")
			why = cmp.Or(why, k.unreached)
		}
	}
	if len(sign) > 0 {
		d.first(Step{
			What:    "Sign the modules for these kernels, which accept only signed modules, with a key that is enrolled on their machines: " + some(sign),
			Command: "pfring module sign-kernel pf_ring.ko --key MOK.key --cert MOK.crt",
		})
	}
	if len(cut) > 0 {
		d.first(Step{What: fmt.Sprintf("Let the nodes with these kernels reach the module repository, or set source.proxy: %s. They report: %s", some(cut), why)})
	}
	if d.plan.Mode == "kmm" {
		for _, s := range d.Seen {
			if s.Registry != "" {
				d.first(Step{What: "Let the nodes reach the registry of the images. They report: " + s.Registry})
				break
			}
		}
	}
}
