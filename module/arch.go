package module

import (
	"fmt"
	"strings"
)

// unames are the names of the architectures that modules are made for: Go's own
// and those of uname -m.
var unames = map[string]string{"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}

// ParseArch returns the GOARCH name of an architecture, as Kubernetes has it,
// from that or from what uname -m prints: x86_64 is amd64, aarch64 is arm64. No
// module is made for any other, which is an error.
func ParseArch(name string) (string, error) {
	if arch := unames[strings.ToLower(name)]; arch != "" {
		return arch, nil
	}
	return "", fmt.Errorf("invalid architecture %q: must be amd64 (x86_64) or arm64 (aarch64)", name)
}

// ParseArchs is ParseArch for a list.
func ParseArchs(names []string) ([]string, error) {
	archs := make([]string, len(names))
	for i, name := range names {
		arch, err := ParseArch(name)
		if err != nil {
			return nil, err
		}
		archs[i] = arch
	}
	return archs, nil
}
