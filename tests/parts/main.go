// Command parts builds the large programs that tests run, one after the other,
// and says how long each takes, so that nobody looks at a silent terminal. What
// is built already takes no time. `make test` starts it beside the tests that
// need none of these programs.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// part is one program, and how it is had.
type part struct {
	name string
	get  func() (string, error)
}

// parts are in the order in which the tests come to them.
func parts() []part {
	return []part{
		{"control plane", toolbin.ControlPlane},
		{"helm", func() (string, error) { return toolbin.Tool(toolbin.Helm) }},
		{"S3 server", toolbin.S3Server},
		{"kubectl", toolbin.Kubectl},
		{"Prometheus' rule tester", toolbin.PromCheck},
		{"kubelet", toolbin.Kubelet},
		{"cert-manager", toolbin.CertManager},
	}
}

// slow is how long a part takes that was not there.
const slow = 3 * time.Second

func main() {
	failed := false
	for _, p := range parts() {
		start := time.Now()
		timer := time.AfterFunc(slow, func() {
			fmt.Fprintf(os.Stderr, "building the %s, which is kept for next time …\n", p.name)
		})
		_, err := p.get()
		timer.Stop()
		switch took := time.Since(start); {
		case err != nil:
			// The tests that need it fail, and say so themselves.
			failed = true
			fmt.Fprintf(os.Stderr, "cannot build the %s: %v\n", p.name, err)
		case took > slow:
			fmt.Fprintf(os.Stderr, "built the %s in %s\n", p.name, took.Round(time.Second))
		}
	}
	if failed {
		os.Exit(1)
	}
}
