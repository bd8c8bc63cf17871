package toolbin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

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

// Flux returns the path of flux, of the module in tests/flux. Its releases embed
// the manifests of Flux' controllers, which the module does not hold; nothing
// that tests run reads them, so an empty file is put in their place.
func Flux() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	module := filepath.Join(root, "tests", "flux")
	list := exec.Command("go", "list", "-C", module, "-m", "-f", "{{.Dir}}", "github.com/fluxcd/flux2/v2") // #nosec G204 -- arguments of our own
	dir, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("finding the source of flux: %w", err)
	}
	work, err := os.MkdirTemp("", "pfring-flux")
	if err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary folder
	empty, overlay := filepath.Join(work, "empty.yaml"), filepath.Join(work, "overlay.json")
	replace := map[string]string{filepath.Join(string(bytes.TrimSpace(dir)), "cmd", "flux", "manifests", "none.yaml"): empty}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{empty: nil, overlay: text} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return "", fmt.Errorf("writing what flux is built with: %w", err)
		}
	}
	return pinned(module, "flux-", "github.com/fluxcd/flux2/v2/cmd/flux", "flux", "-s -w", "-overlay="+overlay)
}
