// Command licenses writes docs/licenses.md (`make licenses`), or with --texts
// prints the texts that go with a program.
//
//	go run ./hack/licenses
//	go run ./hack/licenses --texts ./cmd/pfring-agent
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/licenses"
	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "--texts" {
		modules, err := licenses.Of(context.Background(), ".", args[1:]...)
		if err != nil {
			return err
		}
		_, err = os.Stdout.WriteString(licenses.Texts(modules))
		return err
	}
	modules, err := licenses.Of(context.Background(), ".", licenses.Programs...)
	if err != nil {
		return err
	}
	return atomicfile.Replace("docs/licenses.md", []byte(licenses.Markdown(modules)), 0o644)
}
