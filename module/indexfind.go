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
		case e.KernelRelease == w.Kernel && e.KernelVersion != "" && w.KernelVersion != "" && e.KernelVersion != w.KernelVersion:
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
			Why: fmt.Sprintf("what it has for kernel %s was built for %s, and the node runs %s", w.Kernel, some(builds), w.KernelVersion),
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

// closeness ranks entries of one version.
func closeness(e Entry, w Wanted) int {
	switch {
	case e.KernelRelease != w.Kernel:
		return 0
	case e.KernelVersion == "" || e.KernelVersion != w.KernelVersion:
		return 1
	}
	return 2
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
