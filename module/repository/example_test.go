package repository_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A folder of modules becomes a repository, from which a node gets what fits its
// kernel.
func ExampleUpdate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ko := moduletest.KO{Kernel: "6.1.0-18-amd64", Version: "8.9.0"}.Bytes()
	if err := os.WriteFile(filepath.Join(dir, "pf_ring.ko"), ko, 0o644); err != nil {
		fmt.Println(err)
		return
	}
	change, err := repository.Update(context.Background(), dir, repository.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.Added, change.Index.Serial)

	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	// There is no key here: with one in Options.Key, Verify is outcome.Signature.
	got, err := module.Get(context.Background(), source, module.Request{Kernel: "6.1.0-18-amd64", Arch: "amd64", Verify: outcome.VerifiedChecksum})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Info.KernelRelease, len(got.Data) == len(ko))
	// Output:
	// [pf_ring.ko] 1
	// 6.1.0-18-amd64 true
}
