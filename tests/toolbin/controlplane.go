package toolbin

import "path/filepath"

// KubernetesVersion is that of the control plane in tests/controlplane/go.mod.
const KubernetesVersion = "v1.36.3"

// ControlPlane returns the path of the program of tests/controlplane. Building
// it takes about seven minutes on two cores, once for each go.sum of its own.
func ControlPlane() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	// Without the stamp Kubernetes reports v0.0.0, which charts refuse.
	const version = "k8s.io/component-base/version."
	ldflags := "-s -w -X " + version + "gitVersion=" + KubernetesVersion + " -X " + version + "gitMajor=1 -X " + version + "gitMinor=36"
	return pinned(filepath.Join(root, "tests", "controlplane"), "controlplane-", ".", "controlplane", ldflags)
}
