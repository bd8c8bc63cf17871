package toolbin

import "path/filepath"

// KubernetesVersion is that of the control plane and the kubelet, in
// tests/controlplane/go.mod and tests/kubelet/go.mod.
const KubernetesVersion = "v1.36.3"

// ControlPlane returns the path of the program of tests/controlplane. Building
// it takes about seven minutes on two cores, once for each go.sum of its own.
func ControlPlane() (string, error) {
	return kubernetes("controlplane", ".")
}

// Kubelet returns the path of the kubelet. Most of what it takes is compiled for
// the control plane too; alone it takes about five minutes on two cores, after
// that one.
func Kubelet() (string, error) {
	return kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet")
}

// kubernetes builds a program of a module in tests that has its name.
func kubernetes(name, pkg string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	// Without the stamp Kubernetes reports v0.0.0, which charts refuse.
	const version = "k8s.io/component-base/version."
	ldflags := "-s -w -X " + version + "gitVersion=" + KubernetesVersion + " -X " + version + "gitMajor=1 -X " + version + "gitMinor=36"
	return pinned(filepath.Join(root, "tests", name), name+"-", pkg, name, ldflags)
}
