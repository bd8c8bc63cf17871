package faults

import (
	"bytes"
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
)

// repository is what a row finds: PF_RING 8.9.0 for the kernel, serial 7.
type repository struct {
	*moduletest.Repository
	// module is the file that is right, not compressed.
	module []byte
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	ko := moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: release, Arch: arch(), Padding: 200_000}
	r := moduletest.NewRepository(t).Add(ko, module.FormatZst)
	r.Index.Serial = 7
	return &repository{r.Sign(), ko.Bytes()}
}

// site is where a repository is served, and how the agent is told.
type site struct {
	name string
	// serve puts the files up and returns the server's address.
	serve func(t *testing.T, files map[string][]byte) (backend string)
	// options are for the repository behind the address of its front.
	options func(t *testing.T, address string) module.SourceOptions
}

func sites(t *testing.T) []site {
	t.Helper()
	bucket := s3.Start(t)
	keys := t.TempDir()
	for name, text := range map[string]string{"accessKeyID": bucket.AccessKey, "secretAccessKey": bucket.SecretKey} {
		if err := os.WriteFile(filepath.Join(keys, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Names of tests hold what names of buckets may not.
	name := func(t *testing.T) string {
		return strings.Trim(strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(t.Name()[strings.LastIndex(t.Name(), "/")+1:])), "-")
	}
	return []site{
		{
			"https",
			func(t *testing.T, files map[string][]byte) string {
				dir := t.TempDir()
				moduletest.WriteFiles(t, dir, files)
				s := httptest.NewServer(http.StripPrefix("/pf-ring", http.FileServer(http.Dir(dir))))
				t.Cleanup(s.Close)
				return s.URL
			},
			func(_ *testing.T, address string) module.SourceOptions {
				return module.SourceOptions{URL: address + "/pf-ring"}
			},
		},
		{
			"s3",
			func(t *testing.T, files map[string][]byte) string {
				objects := map[string][]byte{}
				for path, data := range files {
					objects["pf-ring/"+path] = data
				}
				bucket.Put(t, name(t), objects)
				return "http://" + bucket.Address
			},
			func(t *testing.T, address string) module.SourceOptions {
				return module.SourceOptions{URL: "s3://" + name(t) + "/pf-ring", Endpoint: address, PathStyle: true, CredentialsDir: keys}
			},
		},
	}
}

func TestEachFaultEndsInItsOutcomeAndNoUnverifiedByteIsLoaded(t *testing.T) {
	for _, s := range sites(t) {
		for _, f := range table() {
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, s)
			})
		}
	}
}

func (f row) check(t *testing.T, s site) {
	r := newRepository(t)
	if f.spoil != nil {
		f.spoil(t, r)
	}
	var do harm
	if f.harm != nil {
		do = f.harm(t, r)
	}
	address := front(t, s.serve(t, r.Files), do)
	options := s.options(t, address.URL)
	options.CAFile = authority(t, address)
	if f.reach != nil {
		f.reach(&options, address.URL)
	}
	k := newKernel(t)
	o := node.Load(context.Background(), node.LoadOptions{
		Host: k.host(), Node: "n1", ModuleName: "pf_ring", Verify: outcome.VerifiedSignature, PublicKeys: []string{r.PublicKey},
		MinSerial: f.minSerial, Timeout: f.timeout(), Log: slog.New(slog.DiscardHandler),
		Source: func() (module.Source, error) { return module.OpenSource(options) },
	})
	if o.Reason != f.want || !strings.Contains(o.Message, f.says) {
		t.Errorf("got %s: %s\nwant %s with %q", o.Reason, o.Message, f.want, f.says)
	}
	if good := f.want == outcome.Loaded; good != (o.Backend == outcome.PFRing) || good != (len(k.taken()) == 1) {
		t.Errorf("backend %s, and the kernel got %d modules", o.Backend, len(k.taken()))
	}
	for _, image := range k.taken() {
		if !bytes.Equal(image, r.module) {
			t.Error("the kernel got other bytes than those that were signed")
		}
	}
	// What a node says has to fit a termination message, whatever a server sent.
	if line, err := o.Encode(); err != nil || len(line) > outcome.MaxSize || strings.ContainsRune(o.Message, '\x1b') {
		t.Errorf("an outcome of %d bytes, %v: %q", len(line), err, o.Message)
	}
}

// timeout is long where the fault passes, and short where nothing else ends it.
func (f row) timeout() time.Duration {
	if f.hangs {
		return 3 * time.Second
	}
	return 2 * time.Minute
}

func authority(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
