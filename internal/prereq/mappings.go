package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// imagesLimit bounds looking into all images; the first check of them takes the
// time of all.
const imagesLimit = 5 * time.Minute

func mappingChecks() []Check {
	present := []string{"mappings.images-present"}
	return []Check{
		{
			ID: "mappings.kernels", Mode: ModeKMM, Title: "each kernel has a mapping", Needs: []string{"nodes.selected"},
			Why:  "KMM silently skips a node whose kernel no mapping matches.",
			look: mappedKernels,
		},
		{
			ID: "mappings.images-present", Mode: ModeKMM, Title: "the mapped images exist in their registries, seen from here", Needs: []string{"nodes.selected"},
			Why:   "KMM's pull pod waits indefinitely for an image that does not exist, and no status reports it. This check runs from this machine, with your own logins.",
			limit: imagesLimit, look: imagesPresent,
		},
		{
			ID: "mappings.images-arch", Mode: ModeKMM, Title: "the mapped images are for the nodes' architectures", Needs: present,
			Why:  "A node cannot run an image of another architecture.",
			look: func(ctx context.Context, e *env) Finding { return e.imageFindings(ctx, "image-wrong-arch", wrongArch) },
		},
		{
			ID: "mappings.images-module", Mode: ModeKMM, Title: "the mapped images have each kernel's module", Needs: present,
			Why: "KMM copies /opt/lib/modules/KERNEL of the image and loads pf_ring from it.",
			look: func(ctx context.Context, e *env) Finding {
				return e.imageFindings(ctx, "image-without-module", wrongModule)
			},
		},
		{
			ID: "mappings.images-depmod", Mode: ModeKMM, Title: "the mapped images have depmod's index", Needs: present,
			Why: "modprobe finds a module only through modules.dep.bin beside it.",
			look: func(ctx context.Context, e *env) Finding {
				return e.imageFindings(ctx, "image-without-depmod", withoutDepmod)
			},
		},
		{
			ID: "mappings.images-shell", Mode: ModeKMM, Title: "the mapped images have /bin/sh, mkdir and cp", Needs: present,
			Why: "KMM's worker runs them in the image. Without them the pod fails, and KMM does not report it.",
			look: func(ctx context.Context, e *env) Finding {
				return e.imageFindings(ctx, "image-without-shell", withoutShell)
			},
		},
	}
}

// mapped is what the mappings say about one kernel of the nodes.
type mapped struct {
	kernel
	nodes   int
	mapping compatibility.Mapped
	// fault is why there is none, or why KMM cannot use it.
	fault string
	// stalls says that KMM fails on it, and then on all other kernels too.
	stalls bool
	// unserved says that no mapping helps.
	unserved bool
}

func (m mapped) String() string {
	return fmt.Sprintf("%s (%s)", m.kernel, text.CountOrNo(m.nodes, "node"))
}

// mapped finds the mapping of each kernel of the selected nodes.
func (e *env) mapped(ctx context.Context) ([]mapped, error) {
	kernels, err := e.kernels(ctx, ModeKMM)
	if err != nil {
		return nil, err
	}
	values := e.target(ModeKMM).Values.Tap.KernelModule
	all := compatibility.Mappings{List: values.KernelMappings, Namespace: e.Namespace}
	for _, o := range e.target(ModeKMM).ofKind("Module") {
		all.ModuleName = o.GetName()
	}
	answer := all.Lookup(ctx, nil)
	var list []mapped
	for _, k := range sortedKernels(kernels) {
		m := mapped{kernel: k, nodes: kernels[k]}
		if a := answer(k.release, k.arch); a.Supported == compatibility.No {
			m.fault, m.stalls, m.unserved = strings.TrimSuffix(a.Message, "."), a.Stalls, a.Reason == compatibility.ReasonKernelUnserved
		} else if found, _, err := all.Find(k.release); err == nil {
			m.mapping = found
		}
		list = append(list, m)
	}
	return list, nil
}

func mappedKernels(ctx context.Context, e *env) Finding {
	all, err := e.mapped(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	var lines, stalling []string
	var lacking []detail
	unserved := 0
	for _, m := range all {
		if m.unserved {
			unserved++
		}
		if m.stalls {
			stalling = append(stalling, m.String())
		}
		if m.fault != "" {
			lacking = append(lacking, about(m.String(), m.fault))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: kernelMappings[%d], %s", m, m.mapping.Index, m.mapping.Image))
	}
	remedy := "Add mappings for them to tap.kernelModule.kernelMappings; pfring plan writes them."
	switch {
	case unserved > 0 && unserved == len(lacking):
		remedy = compatibility.UnservedRemedy
	case unserved > 0:
		remedy += " Where KMM does not support a kernel: " + compatibility.UnservedRemedy
	}
	switch {
	case len(all) == 0:
		return skip("no selected node can load a module")
	case len(stalling) > 0:
		return fail("module-stalled", "KMM fails on a kernel release with fewer than three components that a mapping matches, and then does nothing for the whole Module",
			"Exclude such nodes with tap.kernelModule.kmm.selector, or make sure that no mapping matches their kernel release.", some(stalling)...)
	case len(lacking) == len(all):
		return fail("no-kernel-mapping", "no kernel of the nodes has a mapping", remedy, grouped(lacking)...)
	case len(lacking) > 0:
		return warn("no-kernel-mapping", fmt.Sprintf("%d of %d kernels have no mapping; their nodes stay on libpcap", len(lacking), len(all)), remedy, grouped(lacking)...)
	}
	return ok("all "+text.CountOrNo(len(all), "kernel")+" have one", some(lines)...)
}

// imagesPresent reports images that are unavailable, by the worst of the reasons.
func imagesPresent(ctx context.Context, e *env) Finding {
	all, err := e.images(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	asked, built := 0, 0
	var missing, unseen []detail
	var first, unknown compatibility.Answer
	for _, i := range all {
		switch {
		case i.built:
			built++
			continue
		case i.answer.Supported == compatibility.No && i.answer.Reason == compatibility.ReasonImageMissing:
			if len(missing) == 0 {
				first = i.answer
			}
			missing = append(missing, i.line(i.answer.Message))
		case i.answer.Supported == compatibility.Unknown:
			if len(unseen) == 0 {
				unknown = i.answer
			}
			unseen = append(unseen, i.line(i.answer.Message))
		}
		asked++
	}
	switch {
	case asked == 0 && built == 0:
		return skip("no kernel of the nodes has a mapping")
	case asked == 0:
		return skip("KMM builds or signs " + text.CountOrNo(built, "image") + " in the cluster where they are missing")
	case len(missing) == asked:
		return fail(first.Reason, "none of the "+text.CountOrNo(asked, "image")+" is in the registry", first.Remedy, grouped(missing)...)
	case len(missing) > 0:
		return warn(first.Reason, fmt.Sprintf("%d of %d images do not exist; their nodes stay on libpcap", len(missing), asked), first.Remedy, grouped(missing, unseen)...)
	case len(unseen) > 0:
		return warn(unknown.Reason, fmt.Sprintf("%d of %d images could not be looked up from here", len(unseen), asked), e.loginRemedy(unknown), grouped(unseen)...)
	}
	return ok(text.CountOrNo(asked, "image") + ", checked from here")
}

// loginRemedy says who pulls, where this command's own login is not let in.
func (e *env) loginRemedy(a compatibility.Answer) string {
	secret := e.target(ModeKMM).Values.Tap.KernelModule.ImageRepoSecret
	switch a.Reason {
	case compatibility.ReasonImageForbidden:
	case compatibility.ReasonImageUnreachable:
		return "Check the registry's name and the network path to it. To skip the lookup, set --skip mappings."
	default:
		return a.Remedy
	}
	if secret == "" {
		return "If the images are private, name a pull secret in tap.kernelModule.imageRepoSecret; log in (docker login) to read them from here, or use the nodes' login with --use-cluster-secrets."
	}
	return "KMM pulls with the Secret " + secret + ", this command used your own login: run docker login, and try again."
}

// imageFindings tells of images that are there and have a fault.
func (e *env) imageFindings(ctx context.Context, reason string, fault func(imageSeen) (text, remedy string)) Finding {
	all, err := e.images(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	looked, remedy := 0, ""
	var lines, unread []detail
	for _, i := range all {
		text, do := fault(i)
		switch {
		case text != "":
			looked++
			remedy = do
			lines = append(lines, i.line(text))
		case reason == "image-wrong-arch" && i.answer.Supported == compatibility.Yes && !i.built, i.contents != nil:
			looked++
		case i.err != nil:
			unread = append(unread, i.line("its layers could not be read: "+plain(i.err)))
		}
	}
	switch {
	case looked == 0 && len(unread) == 0:
		return skip("there is no image to look at")
	case len(lines) == 0 && len(unread) > 0:
		return warn("image-unreadable", text.CountOrNo(len(unread), "image")+" could not be read", "Try again. Make sure that the registry delivers all layers.", grouped(unread)...)
	case len(lines) == looked:
		return fail(reason, "all "+text.CountOrNo(looked, "image")+" that can be read "+verb(looked, "has", "have")+" this fault", remedy, grouped(lines, unread)...)
	case len(lines) > 0:
		return warn(reason, fmt.Sprintf("%d of %d images have this fault; their nodes stay on libpcap", len(lines), looked), remedy, grouped(lines, unread)...)
	}
	return ok(text.CountOrNo(looked, "image") + ", read from here")
}

func wrongArch(i imageSeen) (text, remedy string) {
	if i.answer.Reason != compatibility.ReasonImageArch {
		return "", ""
	}
	return i.answer.Message, i.answer.Remedy
}

func wrongModule(i imageSeen) (text, remedy string) {
	if i.contents == nil {
		return "", ""
	}
	const pack = "Build the image with this kernel's module: pfring module pack"
	folder := i.contents.Folders[i.release]
	var others []string
	for release := range i.contents.Folders {
		others = append(others, release)
	}
	slices.Sort(others)
	switch {
	case folder == nil && len(others) == 0:
		return "it has no folder " + moduleFolder + i.release, pack
	case folder == nil:
		return "it has no folder " + moduleFolder + i.release + ", but " + strings.Join(some(others), ", "), pack
	case folder.Path == "":
		return moduleFolder + i.release + " has no pf_ring.ko", pack
	case folder.Err != nil:
		return folder.Path + " is not a module: " + plain(folder.Err), pack
	}
	if err := folder.Info.Check(i.release, i.arch, "pf_ring"); err != nil {
		return folder.Path + ": " + plain(err), pack
	}
	return "", ""
}

func withoutDepmod(i imageSeen) (text, remedy string) {
	// Without a folder there is nothing to index, which another check tells.
	if i.contents == nil || i.contents.Folders[i.release] == nil || i.contents.Folders[i.release].Indexed {
		return "", ""
	}
	return moduleFolder + i.release + " has no modules.dep.bin", "Run depmod when the image is built (depmod -b /opt KERNEL), or pack it with pfring module pack."
}

func withoutShell(i imageSeen) (text, remedy string) {
	if i.contents == nil || len(i.contents.Missing) == 0 {
		return "", ""
	}
	return "it has no " + strings.Join(i.contents.Missing, ", "), "Use a base image with a shell, such as busybox, as pfring module pack does."
}
