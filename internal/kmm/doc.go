// Package kmm has the rules by which the Kernel Module Management operator
// works, as far as this project must know them: how it names things, how it
// finds the mapping and image of a kernel, what its webhook refuses, in which
// order it loads and unloads, and which release knows which field.
//
// Each rule names the file of KMM's repository that it was read from, and the
// release. "2.7" is what followed 2.6.0 on KMM's main branch, which had no tag
// when it was read (commit de3f8c9, July 2026).
//
// The package reads no cluster and no files, and imports nothing else of this
// project.
package kmm

// Group is the API group of KMM's resources.
const Group = "kmm.sigs.x-k8s.io"

// ModuleVersion is the only version of Module; PreflightVersion is the storage
// version of PreflightValidation. From api/v1beta1 and api/v1beta2, 2.0 to 2.7.
const (
	ModuleVersion    = "v1beta1"
	PreflightVersion = "v1beta2"
)
