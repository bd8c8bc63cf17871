// Package build compiles PF_RING's kernel module where no ready one fits:
// in a Job on a node that runs the kernel, one for each kernel of a cluster, or
// elsewhere by the same script or a Dockerfile made from it.
//
// How a distribution gets its compiler and headers stands once, in recipes/. A
// Job prints the module to its log, framed so that it can be distinguished from what the
// compiler says; no right beyond reading logs is needed to get at it. What comes
// back is called a module only after it was read and found to be the one asked
// for.
//
// It imports cluster, module and module repositories' upkeep; values, charts and
// images are the caller's.
package build
