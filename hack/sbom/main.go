// Command sbom prints in SPDX what a program of this repository was built from.
//
//	SOURCE_DATE_EPOCH=… go run ./hack/sbom PROGRAM NAME VERSION
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/licenses"
	"github.com/kubeshark/kubeshark-pfring/hack/internal/sbom"
	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM NAME VERSION")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(path, name, version string) error {
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at, err := sourcedate.Get(sourcedate.Epoch())
	if err != nil {
		return err
	}
	modules, err := licenses.Of(context.Background(), ".", licenses.Programs...)
	if err != nil {
		return err
	}
	d, err := sbom.Program(name, version, program, modules, at)
	if err != nil {
		return err
	}
	text, err := d.JSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
