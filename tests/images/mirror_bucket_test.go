package images_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
)

// From a folder into a bucket of a real S3 server, which checks signatures and
// digests, and from there by its own protocol to a registry.
func TestARepositoryIsMirroredIntoABucketAndOutOfIt(t *testing.T) {
	bucket := s3.Start(t)
	bucket.Put(t, "site", map[string][]byte{"other/file": []byte("stays")})
	t.Setenv("AWS_ACCESS_KEY_ID", bucket.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", bucket.SecretKey)
	dir, key := signedRepository(t)
	endpoint := "--endpoint=http://" + bucket.Address
	out, said, err := pfring(t, "module", "mirror", dir, "s3://site/pf+ring", "--to-endpoint=http://"+bucket.Address, "--public-key", key)
	if err != nil || !strings.Contains(out, "url: s3://site/pf+ring\n") || !strings.Contains(said, "3 modules, 3 new") {
		t.Fatal(err, out, said)
	}
	if _, said, err = pfring(t, "module", "mirror", dir, "s3://site/pf+ring", endpoint, "--public-key", key); err != nil || !strings.Contains(said, "3 modules, 0 new") {
		t.Errorf("again: %v %s", err, said)
	}
	// What somebody has changed there is put again.
	changed := filepath.Join(bucket.Dir, "site", "pf+ring", "modules/amd64/6.1.0-19/8.9.0/pf_ring.ko")
	if err := os.WriteFile(changed, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, said, err = pfring(t, "module", "mirror", dir, "s3://site/pf+ring", endpoint, "--public-key", key); err != nil || !strings.Contains(said, "3 modules, 1 new") {
		t.Errorf("after a change: %v %s", err, said)
	}
	host := distribution(t)
	url := "oci://" + host + "/site/pf-ring"
	mustRun(t, "module", "mirror", "s3://site/pf+ring", url, endpoint, "--public-key", key)
	if err := get(t, url, key, "6.1.0-19", "amd64"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(bucket.Dir, "site", "other", "file")); err != nil || string(data) != "stays" {
		t.Errorf("%q %v", data, err)
	}
	// An index without a signature takes the old one away.
	if err := os.Remove(filepath.Join(dir, module.SignatureName)); err != nil {
		t.Fatal(err)
	}
	out = mustRun(t, "module", "mirror", dir, "s3://site/pf+ring", endpoint, "--verify", "checksum")
	if _, err := os.Stat(filepath.Join(bucket.Dir, "site", "pf+ring", module.SignatureName)); !os.IsNotExist(err) || !strings.Contains(out, "verify: checksum") {
		t.Errorf("the old signature: %v\n%s", err, out)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, _, err := pfring(t, "module", "mirror", dir, "s3://site/new", endpoint, "--verify", "checksum"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with a wrong key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(bucket.Dir, "site", "new")); !os.IsNotExist(err) {
		t.Errorf("with a wrong key something was written (%v)", err)
	}
}
