package plan

import (
	"cmp"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// KernelPlan is how one kernel gets its module.
type KernelPlan struct {
	Kernel string `json:"kernelVersion"`
	Arch   string `json:"architecture"`
	Nodes  int    `json:"nodes"`
	// By is repository, supply, image, build, or libpcap for none; "as now" is what
	// the values at hand have.
	By    string `json:"by"`
	Image string `json:"image,omitempty"`
	// Missing is true when the module or image has to be made first.
	Missing bool `json:"missing"`
	// Supported is what its nodes are promised before any step is done: yes,
	// will-be-built, unknown or no.
	Supported compatibility.Supported `json:"supported"`
	// Signed is what a probe saw: yes where the kernel takes only modules signed
	// by a key it trusts, no, or unknown.
	Signed string `json:"needsSignature,omitempty"`
	Why    string `json:"why,omitempty"`

	// good is how many nodes are promised a module.
	good int
	// unfit: the module is there and lacks a signature.
	unfit bool
	// scripted: no recipe builds for it.
	scripted bool
	// todo is what to do about a module that is missing, where it is not simply to be
	// built.
	todo string
	// unserved: KMM can load nothing on this kernel release.
	unserved bool
}

// Where a kernel's module comes from.
const (
	byRepository = "repository"
	bySupply     = "supply"
	byKept       = "as now"
	byImage      = "image"
	byBuild      = "build"
	byLibpcap    = "libpcap"
)

func (d *decision) perKernel() []KernelPlan {
	list := make([]KernelPlan, 0, len(d.kernels))
	for _, k := range d.kernels {
		p := KernelPlan{Kernel: k.release, Arch: k.arch, Nodes: k.nodes, Why: k.platform(), Signed: k.signs, Supported: compatibility.No}
		switch {
		case k.takes() == 0:
			p.By = byLibpcap
		case d.plan.Way == Keep:
			d.byKept(&p, k)
		case d.plan.Way == AutoSupply && !k.usable() && k.supply > 0:
			p.By, p.Supported, p.good = bySupply, k.supplied, k.supply
		case d.plan.Way == AutoSupply && !k.usable() && k.untried > 0:
			p.By, p.Supported, p.Why = bySupply, compatibility.Unknown, k.untriedWhy
		case d.plan.Mode == "auto":
			d.byRepository(&p, k)
		default:
			d.byImage(&p, k)
		}
		list = append(list, p)
	}
	return list
}

// byRepository is a kernel whose module the agent fetches from the values' source.
func (d *decision) byRepository(p *KernelPlan, k kernel) {
	p.By, p.Missing = byRepository, !k.present || k.unfit()
	if d.SourceUnread {
		p.todo = "to be copied if there is one, else built"
	}
	switch {
	case k.refused != "":
		p.todo = "nodes do not take it as it is: " + k.refused
	case k.unfit():
		p.todo, p.unfit = "to be signed: the kernel takes only signed modules", true
	case p.Missing && k.scripted():
		p.scripted = true
		p.todo = cmp.Or(p.todo, "to be built with your own script")
	}
	p.Why = cmp.Or(p.todo, p.Why)
	switch {
	case d.plan.Way == AutoPrivate && d.NoEgress, !k.usable():
	case k.sure > 0:
		p.Supported, p.good = compatibility.Yes, k.sure
	default:
		p.Supported = compatibility.Unknown
	}
}

// byImage is a kernel whose module KMM takes from an image.
func (d *decision) byImage(p *KernelPlan, k kernel) {
	if why := kmm.Unserved(k.release); why != "" {
		p.By, p.Why, p.unserved = byLibpcap, why, true
		return
	}
	p.Image = d.image(k.release)
	if d.plan.Way == KMMBuild && (!k.present || d.ImageRepository != PublicImages) && d.build(k) != nil {
		p.By, p.Missing, p.Supported, p.good = byBuild, true, k.promise(compatibility.Yes), k.loads()
		return
	}
	p.By = byImage
	if d.Images == nil {
		p.Missing, p.Supported = !k.present || d.ImageRepository != PublicImages, compatibility.Unknown
		return
	}
	a := d.Images(k.release, k.arch)
	p.Missing, p.Supported = a.Supported == compatibility.No, k.promise(a.Supported)
	if a.Supported == compatibility.Yes {
		p.good = k.loads()
	} else {
		p.Why = a.Message
	}
}

// promise is what nodes can be promised of a module that is there: nothing where all
// of them take only some.
func (k kernel) promise(c compatibility.Supported) compatibility.Supported {
	if c == compatibility.Yes && k.loads() == 0 {
		return compatibility.Unknown
	}
	return c
}

// byKept is a kernel that stays as it is.
func (d *decision) byKept(p *KernelPlan, k kernel) {
	p.By = byKept
	for _, n := range d.Current.Nodes {
		if n.Kernel != k.release || n.Arch != k.arch || n.Supported == compatibility.Excluded {
			continue
		}
		if n.Supported.Good() {
			p.good++
		}
		p.Supported, p.Image = n.Supported, n.Image
	}
}

// image is the image of a kernel, by the tag that KMM makes of its release.
func (d *decision) image(release string) string {
	return ImageOf(d.ImageRepository, release)
}

// ImageOf is the image of a kernel release in a repository, by the tag that KMM
// makes of its release.
func ImageOf(repository, release string) string {
	return repository + ":" + kmm.Normalize(literal(release))
}

// literal is how a mapping names a kernel.
func literal(release string) string { return kmm.Trim(release) }

// missing lists the kernels, once each, whose module or image has to be made, and of
// these the ones that no recipe builds for.
func (d *decision) missing() (all, scripted []string) {
	for _, k := range d.plan.Kernels {
		if k.Missing && k.By != byBuild && k.By != bySupply && !k.unfit {
			all = append(all, k.Kernel+" ("+k.Arch+")")
			if k.scripted {
				scripted = append(scripted, k.Kernel+" ("+k.Arch+")")
			}
		}
	}
	return all, scripted
}
