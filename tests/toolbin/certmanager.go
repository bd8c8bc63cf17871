package toolbin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cert-manager's module, from which tests take the resource definitions: it is
// fetched into Go's own cache.
const (
	certManagerModule = "github.com/cert-manager/cert-manager@v1.21.2"
	certManagerSum    = "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68="
)

// CertManagerDefinitions returns the folder with cert-manager's own resource
// definitions.
func CertManagerDefinitions() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", certManagerModule)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	text, err := cmd.Output()
	var answer struct{ Dir, Sum, Error string }
	// The answer tells more than the exit code.
	if jsonErr := json.Unmarshal(text, &answer); jsonErr == nil && answer.Error != "" {
		return "", fmt.Errorf("fetching %s: %s", certManagerModule, answer.Error)
	}
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", certManagerModule, err)
	}
	if answer.Sum != certManagerSum {
		return "", fmt.Errorf("fetching %s: its checksum is %s, not %s", certManagerModule, answer.Sum, certManagerSum)
	}
	return filepath.Join(answer.Dir, "deploy", "crds"), nil
}

// CertManager returns the path of the program of tests/certmanager. Much of it is
// compiled for the control plane too; the rest takes about two minutes on two
// cores, once for each go.sum of its own.
func CertManager() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "certmanager"), "certmanager-", ".", "certmanager", "-s -w")
}
