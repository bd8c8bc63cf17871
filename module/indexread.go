package module

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ParseIndex reads an index and checks all that needs no key, clock or network:
// the schema's version, that entries are unique, digests and sizes possible,
// and paths below the root. It fails with *Error and reason source-invalid.
func ParseIndex(data []byte) (*Index, error) {
	var index Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, invalidIndex("it is not an index: " + err.Error() + "; it begins with " + opening(data))
	}
	if err := index.Validate(); err != nil {
		return nil, err
	}
	return &index, nil
}

// Validate checks x as ParseIndex does.
func (x *Index) Validate() error {
	switch {
	case x.SchemaVersion < 1:
		return invalidIndex("it has no schemaVersion")
	case x.SchemaVersion > IndexSchemaVersion:
		return invalidIndex(fmt.Sprintf("its schemaVersion is %d, this program reads up to %d", x.SchemaVersion, IndexSchemaVersion))
	case x.Module == "":
		return invalidIndex("it does not name its module")
	case x.Serial < 0:
		return invalidIndex(fmt.Sprintf("its serial is %d", x.Serial))
	}
	type key struct{ kernel, arch, version string }
	seen := make(map[key]bool, len(x.Modules))
	for n, e := range x.Modules {
		if why := e.fault(); why != "" {
			return invalidIndex(fmt.Sprintf("modules[%d] (%s): %s", n, e.KernelRelease, why))
		}
		k := key{e.KernelRelease, e.Arch, e.Version}
		if seen[k] {
			return invalidIndex(fmt.Sprintf("modules[%d]: %s for %s on %s is listed twice", n, e.Version, e.KernelRelease, e.Arch))
		}
		seen[k] = true
	}
	return nil
}

// fault says what is wrong with e, or "".
func (e Entry) fault() string {
	digest, err := hex.DecodeString(e.SHA256)
	switch {
	case e.KernelRelease == "":
		return "kernelRelease is empty"
	case e.Arch == "":
		return "arch is empty"
	case e.Version == "":
		return "version is empty"
	case !validPath(e.Path):
		return fmt.Sprintf("path %q does not lie below the repository's root", e.Path)
	case e.Size <= 0:
		return fmt.Sprintf("size is %d", e.Size)
	case err != nil || len(digest) != 32 || e.SHA256 != strings.ToLower(e.SHA256):
		return fmt.Sprintf("sha256 %q is not 64 lower-case hexadecimal digits", e.SHA256)
	}
	return ""
}

// validPath tells whether path lies below a root, however a source reads it.
func validPath(path string) bool {
	return path != "." && fs.ValidPath(path) && !strings.ContainsAny(path, "\\\x00?#%")
}

// Find returns the entry for exactly this kernel release and architecture: the
// pinned version, or the highest when version is "". It fails with *Error and
// reason no-module-for-kernel, which tells what there is instead.
func (x *Index) Find(kernel, arch, version string) (Entry, error) {
	var fits []Entry
	var archs, versions []string
	for _, e := range x.Modules {
		switch {
		case e.KernelRelease != kernel:
		case e.Arch != arch:
			archs = append(archs, e.Arch)
		case version != "" && e.Version != version:
			versions = append(versions, e.Version)
		default:
			fits = append(fits, e)
		}
	}
	if len(fits) > 0 {
		return slices.MaxFunc(fits, func(a, b Entry) int { return CompareVersions(a.Version, b.Version) }), nil
	}
	why := fmt.Sprintf("none of its %d modules is for kernel %s on %s", len(x.Modules), kernel, arch)
	do := ""
	switch {
	case len(versions) > 0:
		why = fmt.Sprintf("it has version %s for kernel %s on %s, not %s", strings.Join(versions, ", "), kernel, arch, version)
		do = "Pin one of these in tap.kernelModule.source.version, or none to take the highest."
	case len(archs) > 0:
		why = fmt.Sprintf("for kernel %s it has a module for %s, not for %s", kernel, strings.Join(slices.Compact(archs), ", "), arch)
	}
	return Entry{}, noModule(why, do)
}

func noModule(why, do string) *Error {
	return &Error{Reason: outcome.NoModuleForKernel, What: "looking in the module repository", Why: why, Do: do}
}

func invalidIndex(why string) *Error {
	return &Error{Reason: outcome.SourceInvalid, What: "reading " + IndexName, Why: why}
}
