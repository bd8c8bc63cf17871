//go:build unix

package bench_test

import (
	"fmt"
	"strings"
)

// valuesFile is the n-th values file of many that differ: a valid one, as for
// one cluster of a fleet.
func valuesFile(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Cluster %d.\ntap:\n  labels: {cluster: c%d}\n  kernelModule:\n    mode: %s\n    waitTimeout: %ds\n", n, n, []string{"auto", "kmm"}[n%2], 60+n%120)
	fmt.Fprintf(&b, "    parameters: {min_num_slots: %d}\n    source:\n      url: https://modules-%d.example.com/pf-ring\n      verify: checksum\n", 4096+n, n)
	b.WriteString(mappings(2 + n%3))
	return b.String()
}

// mappings is the block kernelMappings with n entries, one for each kernel.
func mappings(n int) string {
	var b strings.Builder
	b.WriteString("    kernelMappings:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - literal: 5.10.%d-%d.amzn2.x86_64\n        containerImage: registry.example.com/pf-ring:%d-${KERNEL_FULL_VERSION}\n", i, i, i)
	}
	return b.String()
}
