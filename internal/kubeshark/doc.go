// Package kubeshark knows what the releases of Kubeshark's own chart are like where
// that matters here: versions, flags of the worker, capture backends, and the
// loaders that it had. It was read from the 75 releases from 51.0.0 to 53.3.0, whose
// workers are listed in testdata/tags.tsv. It imports nothing of this project.
package kubeshark
