package vm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// moduleEnv names a pf_ring.ko for the kernel of vm.Stable, such as PF_RING
// itself, that TestSources takes instead of the stand-in.
const moduleEnv = "PFRING_TEST_MODULE"

// TestSources takes the module over the network into a kernel that loads it.
func TestSources(t *testing.T) {
	r := newRig(t, vm.Stable)
	ko := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	if path := os.Getenv(moduleEnv); path != "" {
		var err error
		if ko, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	m := r.repository(t, repository, "8.9.0", ko, "zst")
	web, authority := serveTLS(t, folder(m.Files))
	r.files["/ca.pem"] = authority
	images, imagesAuthority := serveTLS(t, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	r.files["/images-ca.pem"] = imagesAuthority
	push(t, images, m)
	bucket := s3.Start(t)
	bucket.Put(t, "modules", below("pf-ring/", m.Files))
	r.files["/credentials/accessKeyID"], r.files["/credentials/secretAccessKey"] = []byte(bucket.AccessKey), []byte(bucket.SecretKey)
	endpoint := "--source-endpoint=http://" + reachable(bucket.Address)
	r.Machine = vm.Boot(t, vm.Options{Kernel: r.kernel, Files: r.files, Network: true})

	for _, c := range []struct {
		name, url string
		flags     []string
		reason    outcome.Reason
	}{
		{"folder", "file:///repositories/" + repository, nil, outcome.Loaded},
		{"https", "https://" + reachable(web.Listener.Addr().String()) + "/pf-ring", []string{"--source-ca-file=/ca.pem"}, outcome.Loaded},
		{"oci", "oci://" + reachable(images.Listener.Addr().String()) + "/team/pf-ring", []string{"--source-ca-file=/images-ca.pem"}, outcome.Loaded},
		{"s3", "s3://modules/pf-ring", []string{endpoint, "--source-path-style", "--source-credentials-dir=/credentials"}, outcome.Loaded},
		{"s3 without keys", "s3://modules/pf-ring", []string{endpoint, "--source-path-style"}, outcome.SourceForbidden},
		{"https of an unknown CA", "https://" + reachable(web.Listener.Addr().String()) + "/pf-ring", []string{"--source-ca-file=/images-ca.pem"}, outcome.SourceTLSUntrusted},
		{"nobody listens", "https://" + vm.HostAddress + ":1/pf-ring", nil, outcome.SourceUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer r.remove(t, "pf_ring")
			request := r.load(repository, append(c.flags, "--source-url="+c.url, "--load-timeout=5s")...)
			request.Privilege = step.Module
			result := r.Do(t, request)
			o := r.outcome(t, result)
			r.holds(t, result, o, c.reason, c.reason == outcome.Loaded)
			if c.reason == outcome.Loaded && (o.Module.Source != c.url || o.Module.Verified != outcome.VerifiedSignature) {
				t.Errorf("%s", pretty(o))
			}
		})
	}
}

// reachable is a server's address as the machine sees it.
func reachable(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort(vm.HostAddress, port)
}

// below puts files into a folder.
func below(folder string, files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		out[folder+name] = data
	}
	return out
}

// folder serves files below /pf-ring/.
func folder(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/pf-ring/")
		data, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
}

// serveTLS serves with a certificate for the machine's view of this one; its own
// authority is returned in PEM.
func serveTLS(t *testing.T, h http.Handler) (*httptest.Server, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(vm.HostAddress), net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

// push puts a repository into a registry: modules as blobs, index and signature
// as the layers of an artifact with the tag index.
func push(t *testing.T, s *httptest.Server, m *moduletest.Repository) {
	t.Helper()
	type descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	var layers []descriptor
	blob := func(data []byte) descriptor {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		send(t, s, http.MethodPost, "/v2/team/pf-ring/blobs/uploads/?digest="+digest, "application/octet-stream", data)
		return descriptor{MediaType: "application/octet-stream", Digest: digest, Size: len(data)}
	}
	config := blob([]byte("{}"))
	config.MediaType = "application/vnd.oci.empty.v1+json"
	for name, data := range m.Files {
		layer := blob(data)
		if name == module.IndexName || name == module.SignatureName {
			layer.Annotations = map[string]string{"org.opencontainers.image.title": name}
			layers = append(layers, layer)
		}
	}
	const kind = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, http.MethodPut, "/v2/team/pf-ring/manifests/index", kind, manifest)
}

func send(t *testing.T, s *httptest.Server, method, path, kind string, data []byte) {
	t.Helper()
	request, err := http.NewRequest(method, s.URL+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its certificate is the test's own
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}
