package toolbin

import "path/filepath"

// Helm4 returns the path of helm of version 4, of the module in tests/helm4.
func Helm4() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "helm4"), "helm4-", "helm.sh/helm/v4/cmd/helm", "helm4", "-s -w")
}

// Argo returns the path of the program of tests/argo, Argo CD's library.
func Argo() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "argo"), "argo-", ".", "argo", "-s -w")
}

// Flux returns the path of the program of tests/flux, Flux' library for
// Kustomizations.
func Flux() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "flux"), "flux-", ".", "flux", "-s -w")
}
