package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every node runs it, so it stays small: a Kubernetes client alone would have
// more than twice its size.
func TestTheAgentLinksNoClientOfKubernetesAndNoHelm(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		// Expressions compiled at start, also lazily, link 250 KB of package regexp.
		if strings.HasSuffix(pkg, "/internal/lazyregexp") {
			t.Errorf("it links %s: parse by hand", pkg)
		}
		for _, no := range []string{"k8s.io/", "sigs.k8s.io/", "helm.sh/", "github.com/google/go-containerregistry", "github.com/spf13/"} {
			if strings.HasPrefix(pkg, no) {
				t.Errorf("it links %s", pkg)
			}
		}
	}
}

// maxAgent is in bytes.
const maxAgent = 8_000_000

func TestTheAgentIsStaticAndSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for two architectures: run without -short")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		path := filepath.Join(t.TempDir(), "pfring-agent")
		// As the Makefile does.
		build := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo,nethttpomithttp2", "-ldflags", "-s -w", "-o", path, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", arch, info.Size())
		if info.Size() > maxAgent {
			t.Errorf("%s: %d bytes, more than %d", arch, info.Size(), maxAgent)
		}
		program, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, segment := range program.Progs {
			if segment.Type == elf.PT_INTERP {
				t.Errorf("%s: it asks for a dynamic loader", arch)
			}
		}
		_ = program.Close()
	}
}
