package toolbin

import "path/filepath"

// PromCheck returns the path of the program of tests/promcheck, Prometheus'
// engine. Building it takes about two minutes, once for each go.sum of its own.
func PromCheck() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "promcheck"), "promcheck-", ".", "promcheck", "-s -w")
}
