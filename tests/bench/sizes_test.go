//go:build unix

package bench_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// BenchmarkSizes weighs what a node pulls: the agent's image as `make image` makes
// it, and the module that it fetches, against an image in the historic manner, with
// a shell, kmod and one module in it. That one is made of this system's files, the
// least that loads a module by a shell, and is compressed as ours is; a real one has
// the rest of a distribution beside them, and a module for every kernel.
func BenchmarkSizes(b *testing.B) {
	root, err := toolbin.Root()
	if err != nil {
		b.Fatal(err)
	}
	binaries, image := b.TempDir(), filepath.Join(b.TempDir(), "image")
	for _, arch := range []string{"amd64", "arm64"} {
		path := filepath.Join(binaries, "pfring-agent-"+arch)
		build := exec.Command("go", "build", "-C", root, "-trimpath", "-tags", "netgo,osusergo,nethttpomithttp2", "-ldflags", "-s -w", "-o", path, "./cmd/pfring-agent")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		must(b, build)
		b.ReportMetric(mb(size(b, path)), "agent-"+arch+"-MB")
		pfring := filepath.Join(b.TempDir(), "pfring")
		build = exec.Command("go", "build", "-C", root, "-trimpath", "-ldflags", "-s -w", "-o", pfring, "./cmd/pfring")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		must(b, build)
		b.ReportMetric(mb(size(b, pfring)), "pfring-"+arch+"-MB")
	}
	must(b, exec.Command("go", "run", "-C", root, "./hack/image", "--binaries", binaries, "--arch", "amd64", "--output", "oci:"+image+":latest"))
	var ours int64
	err = filepath.WalkDir(image, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			ours += size(b, path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(mb(ours), "image-MB")
	ko := moduletest.KO{Padding: 2 << 20}.Bytes()
	fetched, _ := moduletest.Compress(b, ko, "zst")
	b.ReportMetric(mb(int64(len(fetched))), "module-zst-MB")
	if files := kmodFiles(b); files != nil {
		files = append(files, layer.File{Name: "opt/modules/pf_ring.ko", Mode: 0o644, Data: ko})
		l, err := layer.New(files, time.Unix(0, 0), types.OCILayer)
		if err != nil {
			b.Fatal(err)
		}
		n, err := l.Size()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(mb(n), "kmod-image-MB")
	}
}

// kmodFiles are a shell, insmod and the libraries they load, of this machine.
func kmodFiles(b *testing.B) []layer.File {
	b.Helper()
	paths := map[string]bool{}
	for _, program := range []string{"sh", "insmod"} {
		path, err := exec.LookPath(program)
		if err != nil {
			b.Log("no other image to compare with: apt-get install kmod")
			return nil
		}
		out, err := exec.Command("ldd", path).Output()
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range append(regexp.MustCompile(`/\S+`).FindAllString(string(out), -1), path) {
			paths[p] = true
		}
	}
	var files []layer.File
	for path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			b.Fatal(err)
		}
		data, err := os.ReadFile(real)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, layer.File{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Data: data})
	}
	return files
}

func must(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
}

func size(b *testing.B, path string) int64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

func mb(n int64) float64 { return float64(n) / 1e6 }
