package node

import (
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// Registry is one on the loopback that has what nodes run.
type Registry struct {
	// Address is host and port here, Nodes the same as nodes see it.
	Address, Nodes string
}

// StartRegistry starts one that has the image that holds a pod's namespaces.
func StartRegistry(t testing.TB) *Registry {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	r := &Registry{Address: address, Nodes: Reachable(address)}
	r.Push(t, "pause:1", []layer.File{{Name: "pause", Mode: 0o755, Data: vm.Program(t, "./tests/node/pause")}}, "/pause")
	return r
}

// AgentTag is that of the agent's image, whose repository is AgentRepository.
const (
	AgentTag        = "test"
	AgentRepository = "kubeshark/pfring-agent"
)

// PushAgent builds the agent and its image with the project's own program.
func (r *Registry) PushAgent(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pfring-agent-amd64"), vm.Program(t, "./cmd/pfring-agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "-C", root, "./hack/image", "--binaries", dir, "--arch", "amd64", "--version", AgentTag,
		"--output", r.Address+"/"+AgentRepository+":"+AgentTag, "--plain-http")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the agent's image: %v\n%s", err, out)
	}
}

// Push makes an image of files and a command, and pushes it.
func (r *Registry) Push(t testing.TB, ref string, files []layer.File, command ...string) {
	t.Helper()
	l, err := layer.New(files, time.Unix(0, 0), types.OCILayer)
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), mutate.Addendum{Layer: l, MediaType: types.OCILayer})
	if err == nil {
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: rootFS(t, image), Config: v1.Config{Entrypoint: command}})
	}
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(r.Address+"/"+ref, name.Insecure)
	if err == nil {
		err = remote.Write(reference, image, remote.WithContext(t.Context()))
	}
	if err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
}

func rootFS(t testing.TB, image v1.Image) v1.RootFS {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS
}

// Reachable is what listens on the loopback here, as nodes see it.
func Reachable(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(vm.HostAddress, port)
}
