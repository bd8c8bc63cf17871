// Package module reads kernel module files and repositories of them: ELF and
// modinfo of a .ko in any compression, the repository's index and its minisign
// signature, and the sources (HTTPS, S3, OCI, folder) that both come from.
//
// Get is the whole of it: find by kernel release and architecture, fetch, verify,
// decompress, inspect. The bytes it returns are the very ones that passed. The
// sources stand in internal packages, one each, over a common HTTP client that
// retries, resumes and bounds; none needs a cloud's or a registry's library.
//
// It decides whether a file is what it is said to be. Loading it is package
// node's business, packing it into an image package moduleimage's. It must not
// import client-go or Helm: the agent links it.
package module
