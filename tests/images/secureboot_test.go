package images_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// The commands of docs/secure-boot.md, with a module built against a kernel's
// headers; the key is openssl's, and kmod reads the signer.
func TestTheCommandsOfTheSecureBootGuide(t *testing.T) {
	vm.Need(t)
	if _, err := exec.LookPath("openssl"); err != nil {
		missing(t, "needs openssl: apt-get install openssl")
	}
	host := distribution(t)
	text, err := os.ReadFile("../../docs/secure-boot.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 4 {
		t.Fatalf("the guide has %d blocks of commands", len(blocks))
	}
	s := &site{dir: t.TempDir(), path: t.TempDir(), names: strings.NewReplacer(
		"registry.example.com", host, "pf-ring-module\n", "pf-ring-module --busybox "+deb(t, "busybox-static", "amd64")+"\n",
	), all: true}
	if _, err := toolbin.Pfring(s.path); err != nil {
		t.Fatal(err)
	}
	k := vm.Get(t, vm.Stable)
	ko := filepath.Join(s.dir, "pf_ring.ko")
	if err := os.WriteFile(ko, vm.Module(t, k, vm.Variant{Version: "8.9.0"}), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, b := range blocks {
		out, err := s.sh(t, b[1])
		if err != nil {
			t.Fatalf("block %d: %v\n%s", i+1, err, out)
		}
		if i == 1 && !strings.Contains(out, "Example Corp kernel modules") {
			t.Errorf("inspect does not show the signer:\n%s", out)
		}
	}
	out, err := exec.Command(kmod(t, "modinfo"), "-F", "signer", ko).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "Example Corp kernel modules" {
		t.Errorf("modinfo: %v: %s", err, out)
	}
	key, err := os.ReadFile(filepath.Join(s.dir, "pfring.key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t, "oci://"+host+"/kubeshark/pf-ring", string(key), k.Release, "amd64"); err != nil {
		t.Errorf("the agent's source: %v", err)
	}
}
