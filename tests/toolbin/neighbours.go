package toolbin

import (
	"bytes"
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

// FluxEnv names the variable that, when set, has the tests that need Flux run: building it takes more
// than ten minutes of a processor.
const FluxEnv = "PFRING_TEST_FLUX"

// Flux returns the path of flux, of the module in tests/flux. Its releases embed
// the manifests of Flux' controllers, which the module does not hold; nothing
// that tests run reads them, so it is built from a copy with an empty one.
func Flux() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	module := filepath.Join(root, "tests", "flux")
	work, err := os.MkdirTemp("", "pfring-flux")
	if err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(work)
	modfile, err := fluxCopy(module, work)
	if err != nil {
		return "", fmt.Errorf("preparing the source of flux: %w", err)
	}
	return pinned(module, "flux-", fluxModule+"/cmd/flux", "flux", "-s -w", "-modfile="+modfile)
}

const fluxModule = "github.com/fluxcd/flux2/v2"

// fluxCopy returns a go.mod by which the copy is built.
func fluxCopy(module, work string) (modfile string, err error) {
	dir, err := exec.Command("go", "list", "-C", module, "-m", "-f", "{{.Dir}}", fluxModule).Output() // #nosec G204 -- arguments of our own
	if err != nil {
		return "", err
	}
	source := filepath.Join(work, "flux2")
	if err := os.CopyFS(source, os.DirFS(string(bytes.TrimSpace(dir)))); err != nil {
		return "", err
	}
	manifests := filepath.Join(source, "cmd", "flux", "manifests")
	if err := os.MkdirAll(manifests, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(manifests, "none.yaml"), nil, 0o600); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => %s\n", fluxModule, source)
		}
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(work, "go.mod"), nil
}
