package mirror_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A folder on a USB stick gets the modules of one kernel.
func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	from := filepath.Join(dir, "repository")
	for _, kernel := range []string{"6.1.0-18-amd64", "6.1.0-20-amd64"} {
		_ = os.MkdirAll(filepath.Join(from, kernel), 0o755)
		_ = os.WriteFile(filepath.Join(from, kernel, "pf_ring.ko"), moduletest.KO{Kernel: kernel}.Bytes(), 0o644)
	}
	if _, err := repository.Update(ctx, from, repository.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + from})
	if err != nil {
		fmt.Println(err)
		return
	}
	stick, err := mirror.NewFolder(ctx, filepath.Join(dir, "stick"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = mirror.Run(ctx, mirror.Options{
		Source: source, Request: module.Request{Verify: outcome.VerifiedChecksum},
		Want: func(e module.Entry) bool { return e.KernelRelease == "6.1.0-20-amd64" },
	}, stick)
	if err != nil {
		fmt.Println(err)
		return
	}
	copied, _ := filepath.Glob(filepath.Join(dir, "stick", "*", "pf_ring.ko"))
	fmt.Println(len(copied), filepath.Base(filepath.Dir(copied[0])))
	// Output: 1 6.1.0-20-amd64
}
