// Package mirror copies module repositories: from any source of package
// module, or a tarball, to a folder, a registry, a bucket or a tarball, for sites
// that cannot reach the source. What is copied is verified first, what is there
// already is left alone, and the index goes last, so that a run that was cut
// short is simply run again.
//
// It links go-containerregistry, by way of package moduleimage: the agent must
// not import it.
package mirror
