package toolbin

import "path/filepath"

// Kubectl returns the path of kubectl, of the control plane's version. Building
// it takes about a minute, once for each go.sum of its own.
func Kubectl() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	const version = "k8s.io/component-base/version."
	ldflags := "-s -w -X " + version + "gitVersion=" + KubernetesVersion + " -X " + version + "gitMajor=1 -X " + version + "gitMinor=36"
	return pinned(filepath.Join(root, "tests", "kubectl"), "kubectl-", "k8s.io/kubernetes/cmd/kubectl", "kubectl", ldflags)
}
