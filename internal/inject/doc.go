// Package inject makes Kubeshark's own workers wait for the module: it adds an
// init container to their DaemonSet in a stream of manifests, and where that
// version of the worker knows one, its kernel module flag.
//
// It edits the text at the places that a YAML parser points to, so that
// everything else stays byte for byte as it was, comments and order included,
// and checks its work by parsing the result. It knows nothing of a cluster.
package inject
