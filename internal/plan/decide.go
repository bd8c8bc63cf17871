package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// kernel is a kernel release and architecture with its nodes.
type kernel struct {
	release, arch string
	// nodes are those that count; forbidden of them can load nothing at all, and
	// unsure of them only perhaps.
	nodes, forbidden, unsure int
	// present: the source has a module.
	present bool
	// refused is why a node would not take it from the source, or "".
	refused string
	// forbids and doubts are messages about the platforms of the forbidden and the
	// unsure nodes, or "".
	forbids, doubts string
	// system is what the first of the nodes calls its system, and systems has all of
	// them.
	system  string
	systems map[string]bool
	// choosy is how many of them are of a platform that takes only some modules.
	choosy int
	// sure is how many nodes take the source's module as it is, and supply how many
	// get one from the supply controller.
	sure, supply int
	// supplied is what it gives them: yes or will-be-built.
	supplied compatibility.Supported
	// untried is how many nodes it may build for, which only a build shows, and
	// untriedWhy says why.
	untried    int
	untriedWhy string
	// signed: the source's module bears a kernel signature.
	signed bool
	// signs is what a probe saw: yes where the kernel takes only signed modules;
	// unreached is why the nodes do not reach the source. Both are "" without it.
	signs, unreached string
}

// unfit tells whether the source's module lacks the signature that the kernel
// asks for.
func (k kernel) unfit() bool { return k.present && k.signs == outcome.Yes && !k.signed }

// usable tells whether nodes take what the source has.
func (k kernel) usable() bool { return k.present && k.refused == "" && !k.unfit() }

// loads is how many nodes load any module that is for their kernel.
func (k kernel) loads() int { return k.nodes - k.forbidden - k.choosy }

// takes is how many nodes could load a module.
func (k kernel) takes() int { return k.nodes - k.forbidden }

// platform says what the platforms of those nodes are about that could load a module,
// or of all nodes where none could; "" where nothing is special.
func (k kernel) platform() string {
	if k.takes() == 0 {
		return k.forbids
	}
	return k.doubts
}

// scripted tells whether a build needs a script of the user's own: no recipe is for
// any of the nodes' systems.
func (k kernel) scripted() bool {
	for system := range k.systems {
		if system == unknownSystem {
			return false
		}
		if _, err := build.RecipeForKernel(system, k.release); err == nil {
			return false
		}
	}
	return true
}

// unknownSystem is what a node is called whose kernel alone was given.
const unknownSystem = "linux"

// group sums up nodes by kernel release and architecture, in that order. supply may
// be nil.
func group(r compatibility.Report, supply *compatibility.Report) []kernel {
	type key struct{ release, arch string }
	at := map[key]*kernel{}
	for _, n := range r.Nodes {
		if n.Supported == compatibility.Excluded || n.Reason == verdict.NotReported {
			continue
		}
		k := at[key{n.Kernel, n.Arch}]
		if k == nil {
			k = &kernel{release: n.Kernel, arch: n.Arch, system: n.OS, systems: map[string]bool{}}
			at[key{n.Kernel, n.Arch}] = k
		}
		k.add(n)
	}
	if supply != nil {
		for _, n := range supply.Nodes {
			switch k := at[key{n.Kernel, n.Arch}]; {
			case k == nil:
			case n.Supported.Good():
				k.supply++
				k.supplied = n.Supported
			case n.Reason == verdict.BuildUntried:
				k.untried++
				k.untriedWhy = n.Message
			}
		}
	}
	list := make([]kernel, 0, len(at))
	for _, k := range at {
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b kernel) int {
		return cmp.Or(text.Natural(a.release, b.release), cmp.Compare(a.arch, b.arch))
	})
	return list
}

func (k *kernel) add(n compatibility.NodeResult) {
	k.nodes++
	k.systems[n.OS] = true
	k.present, k.signed = k.present || n.Present, k.signed || n.Signed
	if n.Supported == compatibility.Yes {
		k.sure++
	}
	if n.Platform != "" {
		switch cluster.Platform(n.Platform).Describe().Policy {
		case cluster.SignedOnly, cluster.Unclear:
			k.choosy++
		}
	}
	switch n.Reason {
	case verdict.PlatformForbids, verdict.ArchUnsupported:
		k.forbidden++
		k.forbids = n.Message
	case verdict.PlatformSigned, verdict.PlatformUnclear:
		k.unsure++
		k.doubts = n.Message
	default:
		if n.Present && n.Supported != compatibility.Yes {
			k.refused = n.Reason
		}
	}
}

// decide follows "what mode to use?": where modules exist and nodes may fetch
// them, auto needs nothing else. Where they do not exist or nothing outside can
// be reached, KMM takes images of the user's own.
func (d *decision) decide() Way {
	have, lack, unfit, nodes, perhaps := 0, 0, 0, 0, 0
	for _, k := range d.kernels {
		switch {
		case k.takes() == 0:
			continue
		case k.unfit():
			lack++
			unfit++
		case k.refused != "" && d.suppliedOf(k):
			// The controller's own module needs no trust in that repository.
			lack++
		case k.present:
			have++
		default:
			lack++
		}
		nodes += k.takes()
		perhaps += min(k.choosy, k.takes())
	}
	if nodes == 0 {
		d.addReason("No node that the values select can load a kernel module.")
		for _, s := range d.Seen {
			if s.TakesNone != "" {
				d.addReason("Nodes with kernel %s: %s.", s.Kernel, s.TakesNone)
			}
		}
		return None
	}
	known := fmt.Sprintf("%s has a module for %d of them", cmp.Or(d.Report.Source, "the source"), have+unfit)
	if d.SourceURL == "" {
		known = "no module repository is named"
	}
	if d.SourceUnread {
		known = "whether the public repository has modules for them is unknown"
		if d.Mode == "kmm" {
			known = "KMM loads them from images"
		}
	}
	d.addReason("%s, on %s: %s.", text.Count(have+lack, "kernel"), loaders(nodes-perhaps, perhaps), known)
	if unfit > 0 {
		d.addReason("Modules for %s exist, but are not signed, and according to the nodes these kernels accept only signed modules.", text.Count(unfit, "kernel"))
	}
	return d.way(lack)
}

// loaders counts nodes that can load modules, and those that may.
func loaders(sure, perhaps int) string {
	switch {
	case perhaps == 0:
		return text.Count(sure, "node") + " that can load modules"
	case sure == 0:
		return text.Count(perhaps, "node") + " that may load modules"
	}
	return fmt.Sprintf("%s that can load modules and %d that may", text.Count(sure, "node"), perhaps)
}

// way decides by how many kernels lack a module.
func (d *decision) way(lack int) Way {
	private := d.operates() && d.ImageRepository != PublicImages && d.serves()
	asked := d.Mode
	if asked == "kmm" && !d.serves() {
		d.addReason("You chose mode kmm, and KMM supports none of these kernel releases.")
		asked = ""
	}
	switch {
	case asked == "auto":
		d.addReason("You chose mode auto.")
		return d.auto(lack)
	case asked == "kmm":
		d.addReason("You chose mode kmm.")
		return d.kmm(lack)
	case d.prefersSupply(lack, private):
		d.addReason("The supply controller %s, and mode auto requires no other component.", d.supplied())
		return AutoSupply
	case d.SourceUnread && !private:
		d.addReason("Nodes cannot reach the outside: your own module repository requires no other component.")
		return AutoPrivate
	case lack > 0 && !d.SourceUnread && private:
		d.addReason("For %s a module must still be %s, and KMM, which is installed, loads it from your own images.", text.Count(lack, "kernel"), d.made())
		return d.kmm(lack)
	case lack > 0 && !d.SourceUnread:
		d.addReason("For %s a module must still be %s and added to your own repository; mode auto requires no other component.", text.Count(lack, "kernel"), d.made())
		return d.auto(lack)
	case !d.NoEgress || !d.PublicSource:
		d.addReason("Modules exist for every kernel, and mode auto requires no other component.")
		return d.auto(lack)
	case private:
		d.addReason("Nodes cannot reach the outside; KMM is installed and loads from your own registry.")
		return d.kmm(lack)
	}
	d.addReason("Modules exist for every kernel, but nodes cannot reach the public repository: keep a copy where they can.")
	return AutoPrivate
}

// operates tells whether KMM can be proposed: it runs in the cluster, or no cluster
// was asked and the user brings images for it.
func (d *decision) operates() bool {
	if d.Addons.Known {
		return d.Addons.KMM && d.Addons.KMMRuns == outcome.Yes
	}
	return d.ImageRepository != PublicImages || d.BuildConfigMap != ""
}

// serves tells whether KMM can load on any of the kernels.
func (d *decision) serves() bool {
	return slices.ContainsFunc(d.kernels, func(k kernel) bool { return k.takes() > 0 && kmm.Unserved(k.release) == "" })
}

// supplies tells whether the supply controller helps with any kernel that lacks a
// module. Without a way out it cannot fetch compilers and headers.
func (d *decision) supplies() bool {
	sure, perhaps := d.suppliable()
	return d.Supply != nil && !d.NoEgress && sure+perhaps > 0
}

// prefersSupply tells whether the controller is to build what lacks. Where it would
// only try, KMM with images of the user's own goes first.
func (d *decision) prefersSupply(lack int, private bool) bool {
	surely, _ := d.suppliable()
	return d.supplies() && (lack > 0 || d.SourceURL == "") && (surely > 0 || !private)
}

// suppliable counts the kernels that the source has no module of and the controller
// builds for, and those for which it will only try to.
func (d *decision) suppliable() (sure, perhaps int) {
	for _, k := range d.kernels {
		switch {
		case k.usable() || k.takes() == 0:
		case k.supply > 0:
			sure++
		case k.untried > 0:
			perhaps++
		}
	}
	return sure, perhaps
}

// supplied says for how many kernels the controller builds.
func (d *decision) supplied() string {
	switch sure, perhaps := d.suppliable(); {
	case perhaps == 0:
		return "builds modules in the cluster for " + text.Count(sure, "kernel")
	case sure == 0:
		return "tries to build modules in the cluster for " + text.Count(perhaps, "kernel")
	default:
		return fmt.Sprintf("builds modules in the cluster for %s, and tries to for %d more", text.Count(sure, "kernel"), perhaps)
	}
}

// suppliedOf tells whether the controller builds for k.
func (d *decision) suppliedOf(k kernel) bool { return d.supplies() && k.supply > 0 }

// made is what the modules that are lacking have to be.
func (d *decision) made() string {
	for _, k := range d.kernels {
		if k.unfit() {
			return "built or signed"
		}
	}
	return "built"
}

func (d *decision) auto(lack int) Way {
	switch {
	case d.supplies() && (lack > 0 || d.SourceURL == ""):
		return AutoSupply
	case d.SourceURL == "", d.NoEgress && d.PublicSource, lack > 0 && d.PublicSource:
		return AutoPrivate
	}
	return Auto
}

func (d *decision) kmm(lack int) Way {
	if lack > 0 && slices.ContainsFunc(d.kernels, func(k kernel) bool { return d.build(k) != nil }) {
		return KMMBuild
	}
	return KMMPrebuilt
}
