package module

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Wanted says which entry of an index is looked for.
type Wanted struct {
	// Kernel is what uname -r prints, KernelVersion what uname -v prints, or ""
	// where that is not known. Arch is a GOARCH name.
	Kernel, KernelVersion, Arch string
	// Version pins a version of the module; "" takes the highest.
	Version string
}

// Find returns the entry for exactly this kernel release and architecture: the
// pinned version, or the highest when version is "". It fails with *Error and
// reason no-module-for-kernel, which tells what there is instead.
func (x *Index) Find(kernel, arch, version string) (Entry, error) {
	return x.FindFor(Wanted{Kernel: kernel, Arch: arch, Version: version})
}

// FindFor returns the entry that fits w best: the highest version; of two
// equal ones the one for this very build of the kernel, then the one built for
// this release rather than one that was proved to fit it. It fails with *Error,
// reason no-module-for-kernel, or other-build when all there is was built for
// another build of the kernel release.
func (x *Index) FindFor(w Wanted) (Entry, error) { return find(x.Modules, len(x.Modules), w) }

// find is FindFor in the entries of an index with total of them.
func find(entries []Entry, total int, w Wanted) (Entry, error) {
	var fits []Entry
	var archs, versions, builds []string
	for _, e := range entries {
		switch {
		case !e.concerns(w.Kernel):
		case e.Arch != w.Arch:
			archs = append(archs, e.Arch)
		case w.Version != "" && e.Version != w.Version:
			versions = append(versions, e.Version)
		case e.otherBuild(w):
			builds = append(builds, e.KernelVersion)
		default:
			fits = append(fits, e)
		}
	}
	if len(fits) > 0 {
		return slices.MaxFunc(fits, func(a, b Entry) int {
			return cmp.Or(CompareVersions(a.Version, b.Version), cmp.Compare(closeness(a, w), closeness(b, w)))
		}), nil
	}
	why := fmt.Sprintf("none of its %d modules is for kernel %s on %s", total, w.Kernel, w.Arch)
	do := ""
	switch {
	case len(builds) > 0:
		return Entry{}, &Error{
			Reason: outcome.OtherBuild, What: "find the module",
			Why: fmt.Sprintf("what it has for kernel %s was built for %s, and the node runs %s", w.Kernel, some(builds), printable(w.KernelVersion)),
			Do:  "Build the module against the headers of exactly this kernel, and index it with its kernelVersion.",
		}
	case len(versions) > 0:
		why = fmt.Sprintf("it has version %s for kernel %s on %s, not %s", some(versions), w.Kernel, w.Arch, w.Version)
		do = "Pin one of these in tap.kernelModule.source.version, or leave it empty to use the highest."
	case len(archs) > 0:
		why = fmt.Sprintf("for kernel %s it has a module for %s, not for %s", w.Kernel, some(archs), w.Arch)
	}
	return Entry{}, noModule(why, do)
}

// concerns tells whether e was built for the kernel release, or proved to fit.
func (e *Entry) concerns(kernel string) bool {
	return e.KernelRelease == kernel || e.proof(kernel) != ""
}

// proof says how it is known that e fits a kernel release that it was not built
// for; "" when it is not.
func (e *Entry) proof(kernel string) string {
	for _, f := range e.Fits {
		if f.KernelRelease == kernel && f.Proof == ProofSymvers {
			return f.Proof
		}
	}
	return ""
}

// otherBuild tells whether e was built for another build of the kernel release than
// the one that runs.
func (e *Entry) otherBuild(w Wanted) bool {
	return e.KernelRelease == w.Kernel && e.KernelVersion != "" && w.KernelVersion != "" && !SameBuild(e.KernelVersion, w.KernelVersion)
}

// Builds are what uname -v prints on the nodes that the modules for a kernel
// release and architecture were built for, sorted; none if one of them does not
// say, and so may fit any.
func (x *Index) Builds(kernel, arch, version string) []string {
	var builds []string
	for _, e := range x.Modules {
		if !e.concerns(kernel) || e.Arch != arch || version != "" && e.Version != version {
			continue
		}
		if e.KernelVersion == "" || e.KernelRelease != kernel {
			return nil
		}
		builds = append(builds, e.KernelVersion)
	}
	slices.Sort(builds)
	return slices.Compact(builds)
}

// closeness ranks entries of one version: the one for this very build first, then
// those of another upload of it, those that do not say their build, those whose
// vermagic names another configuration, and those proved to fit.
func closeness(e Entry, w Wanted) int {
	switch {
	case e.KernelRelease != w.Kernel:
		return 0
	case e.KernelVersion == "" && contradicts(e.Vermagic, w.KernelVersion):
		return 1
	case e.KernelVersion == "" || w.KernelVersion == "":
		return 2
	case e.KernelVersion != w.KernelVersion:
		return 3
	}
	return 4
}

// some lists the first few of what there is.
func some(list []string) string {
	const most = 5
	list = slices.Compact(list)
	text := printable(strings.Join(list[:min(len(list), most)], ", "))
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

func noModule(why, do string) *Error {
	return &Error{Reason: outcome.NoModuleForKernel, What: "find the module", Why: why, Do: do}
}

func invalidIndex(why string) *Error {
	return &Error{Reason: outcome.SourceInvalid, What: "read " + IndexName, Why: why}
}
