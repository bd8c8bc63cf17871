package packages_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// badSupply are values of tap.kernelModule that contradict themselves or cannot be,
// and the key that is to be corrected.
var badSupply = []struct{ name, values, key string }{
	{"neither source nor supply", "supply: {enabled: false}", "supply.enabled"},
	{"supply in kmm mode", "mode: kmm, supply: {enabled: true}", "supply.enabled"},
	{"two stores, by URL", "supply: {store: {url: s3://modules/x}}", "supply.store.url"},
	{"two stores, a claim and a URL", "supply: {store: {type: persistentVolumeClaim, url: s3://modules/x}}", "supply.store.url"},
	{"two stores, by claim", "supply: {store: {persistentVolumeClaim: {existingClaim: mine}}}", "supply.store.persistentVolumeClaim.existingClaim"},
	{"a store without a URL", "supply: {store: {type: url}}", "supply.store"},
	{"a store of another kind", "supply: {store: {type: etcd}}", "supply.store.type"},
	{"a store that cannot be written", "supply: {store: {type: url, url: 'https://modules.example.com/x'}}", "supply.store.url"},
	{"a registry without its login", "supply: {store: {type: url, url: oci://ghcr.io/acme/pf-ring}}", "imageRepoSecret"},
	{"an S3 service without its login", "supply: {store: {type: url, url: s3://modules/x, endpoint: 'https://minio.example.com'}}", "supply.store"},
	{"a login in the URL", "supply: {builder: {sourceURL: 'https://user:secret@example.com/PF_RING.tar.gz'}}", "supply.builder.sourceURL"},
	{"a login in the proxy", "supply: {builder: {proxy: {https: 'http://user:secret@proxy:3128'}}}", "supply.builder.proxy.https"},
	{"a kernel that is none", "supply: {kernels: [6.1.0-18-amd64, 'latest']}", "supply.kernels"},
	{"a kernel with a slash", "supply: {kernels: ['6.1.0/../x']}", "supply.kernels"},
	{"keep is zero", "supply: {keep: 0}", "supply.keep"},
	{"keep is zero hours", "supply: {keep: 0h}", "supply.keep"},
	{"keep is a number", "supply: {keep: 30}", "supply.keep"},
	{"keep in days", "supply: {keep: 30d}", "supply.keep"},
	{"no build at a time", "supply: {parallel: 0}", "supply.parallel"},
	{"no time for a build", "supply: {timeout: 0s}", "supply.timeout"},
	{"an image for an unknown recipe", "supply: {builder: {images: {gentoo: example.com/gentoo}}}", "supply.builder.images"},
	{"an image that is none", "supply: {builder: {images: {debian: 'Debian 12'}}}", "supply.builder.images.debian"},
	{"two CA bundles", "supply: {builder: {caBundle: {configMap: a, secret: b}}}", "supply.builder.caBundle"},
	{"a checksum of nothing", "supply: {builder: {sourceSHA256: " + strings.Repeat("a", 64) + "}}", "supply.builder.sourceSHA256"},
	{"a checksum that is none", "supply: {builder: {sourceURL: 'https://example.com/x.tar.gz', sourceSHA256: abc}}", "supply.builder.sourceSHA256"},
	{"an unknown version", "supply: {pfringVersion: 7.0.0}", "supply.pfringVersion"},
	{"a version that agents do not take", "source: {version: 8.8.0}, supply: {pfringVersion: 8.9.0}", "supply.pfringVersion"},
	{"a Secret that cannot be", "supply: {signingKeySecret: Not_A_Name}", "supply.signingKeySecret"},
	{"a size that is none", "supply: {store: {type: persistentVolumeClaim, persistentVolumeClaim: {size: big}}}", "supply.store.persistentVolumeClaim.size"},
	{"an unknown key", "supply: {kernel: [6.1.0-18-amd64]}", "supply"},
}

// What contradicts itself is refused by both majors of helm and by pfring validate,
// and each names the key that is to be corrected.
func TestBadValuesOfTheSupplyAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("runs both versions of Helm for each case: run without -short")
	}
	pfring, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	chart := filepath.Join(root(t), "charts", "kubeshark-pfring")
	dir := t.TempDir()
	eachHelm(t, func(t *testing.T, h *home) {
		for i, c := range badSupply {
			t.Run(c.name, func(t *testing.T) {
				file := filepath.Join(dir, fmt.Sprintf("values-%d.yaml", i)) // a comma would end the name for Helm
				if err := os.WriteFile(file, []byte("tap: {kernelModule: {"+c.values+"}}\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), h.helm, "template", "pfring", chart, "-n", "kubeshark", "-f", file) // #nosec G204 -- a helm of ours
				cmd.Env = append(os.Environ(), h.env...)
				if out, err := cmd.CombinedOutput(); err == nil || !names(string(out), c.key) {
					t.Errorf("helm: %v, and it does not name %s:\n%.1000s", err, c.key, out)
				}
				if h.version != "3" {
					return
				}
				cmd = exec.CommandContext(t.Context(), pfring, "validate", file) // #nosec G204 -- our own
				out, err := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); code != outcome.ExitNo || !names(string(out), c.key) {
					t.Errorf("pfring validate: %v, and it does not name %s:\n%s", err, c.key, out)
				}
			})
		}
	})
}

// names tells whether a message has a key below tap.kernelModule, as the chart's own
// errors have it or as Helm does for the schema's.
func names(message, key string) bool {
	return strings.Contains(message, "tap.kernelModule."+key) || strings.Contains(message, "/tap/kernelModule/"+strings.ReplaceAll(key, ".", "/"))
}
