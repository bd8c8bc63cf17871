package plan

import "github.com/kubeshark/kubeshark-pfring/internal/kmm"

// KernelPlan is how one kernel gets its module.
type KernelPlan struct {
	Kernel string `json:"kernelVersion"`
	Arch   string `json:"architecture"`
	Nodes  int    `json:"nodes"`
	// By is repository, image, build, or libpcap for none.
	By    string `json:"by"`
	Image string `json:"image,omitempty"`
	// Missing is true when the module or image has to be made first.
	Missing bool `json:"missing"`
	// Signed is what a probe saw: yes where the kernel takes only modules signed
	// by a key it trusts, no, or unknown.
	Signed string `json:"needsSignature,omitempty"`
	Why    string `json:"why,omitempty"`

	// unfit: the module is there and lacks a signature.
	unfit bool
	// unserved: KMM can load nothing on this kernel release.
	unserved bool
}

// Where a kernel's module comes from.
const (
	byRepository = "repository"
	byImage      = "image"
	byBuild      = "build"
	byLibpcap    = "libpcap"
)

func (d *decision) perKernel() []KernelPlan {
	list := make([]KernelPlan, 0, len(d.kernels))
	for _, k := range d.kernels {
		p := KernelPlan{Kernel: k.release, Arch: k.arch, Nodes: k.nodes, Why: k.platform, Signed: k.signs}
		switch {
		case k.takes() == 0:
			p.By = byLibpcap
		case d.plan.Mode == "kmm" && kmm.Unserved(k.release) != "":
			p.By, p.Why, p.unserved = byLibpcap, kmm.Unserved(k.release), true
		case d.plan.Mode == "auto":
			p.By, p.Missing = byRepository, !k.present || k.unfit()
			if d.SourceUnread {
				p.Why = "to be copied if there is one, else built"
			}
			switch {
			case k.refused != "":
				p.Why = "nodes do not take it as it is: " + k.refused
			case k.unfit():
				p.Why, p.unfit = "to be signed: the kernel takes only signed modules", true
			}
		case d.plan.Way == KMMBuild && (!k.present || d.ImageRepository != PublicImages) && d.build(k) != nil:
			p.By, p.Image, p.Missing = byBuild, d.image(k.release), true
		default:
			p.By, p.Image, p.Missing = byImage, d.image(k.release), !k.present || d.ImageRepository != PublicImages
		}
		list = append(list, p)
	}
	return list
}

// image is the image of a kernel, by the tag that KMM makes of its release.
func (d *decision) image(release string) string {
	return d.ImageRepository + ":" + kmm.Normalize(literal(release))
}

// literal is how a mapping names a kernel.
func literal(release string) string { return kmm.Trim(release) }

// missing lists the kernels, once each, whose module or image has to be made.
func (d *decision) missing() []string {
	var list []string
	for _, k := range d.plan.Kernels {
		if k.Missing && k.By != byBuild && !k.unfit {
			list = append(list, k.Kernel+" ("+k.Arch+")")
		}
	}
	return list
}
