package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

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

// site is where a repository is served, and how the agent is configured for it.
type site struct {
	name string
	// serve puts the files up and returns the server's address.
	serve func(t *testing.T, files map[string][]byte) (backend string)
	// options are for the repository behind the address of its front.
	options func(t *testing.T, address string) module.SourceOptions
	// byDigest is set where files are asked for by their digests, and folder where
	// there is no server at all, so that only what is stored can be at fault.
	byDigest, folder bool
}

// tries tells whether a row is for the site.
func (s site) tries(f row) bool {
	switch {
	case s.folder:
		return f.harm == nil && f.reach == nil && f.historic == nil
	case f.historic != nil:
		return s.byDigest
	}
	return true
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
			false, false,
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
			false, false,
		},
		{
			"oci",
			func(t *testing.T, files map[string][]byte) string {
				s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
				t.Cleanup(s.Close)
				pushIndex(t, s.URL, files)
				return s.URL
			},
			func(_ *testing.T, address string) module.SourceOptions {
				return module.SourceOptions{URL: "oci://registry.example/team/pf-ring", Endpoint: address}
			},
			true, false,
		},
		{
			"folder",
			func(t *testing.T, files map[string][]byte) string {
				dir := t.TempDir()
				moduletest.WriteFiles(t, dir, files)
				return "file://" + dir
			},
			func(_ *testing.T, address string) module.SourceOptions { return module.SourceOptions{URL: address} },
			false, true,
		},
	}
}

func TestEachFaultEndsInItsOutcomeAndNoUnverifiedByteIsLoaded(t *testing.T) {
	for _, s := range sites(t) {
		for _, f := range table() {
			if !s.tries(f) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, s)
			})
		}
	}
}

func (f row) check(t *testing.T, s site) {
	j, r := f.job(t, s)
	k := newKernel(t)
	o := k.load(j, module.WorkingMemory(limit), slog.New(slog.DiscardHandler))
	f.judge(t, s, r, o, k.taken())
}

// job puts the repository up with its fault, and says what the agent is to do.
func (f row) job(t *testing.T, s site) (job, *repository) {
	t.Helper()
	r := newRepository(t)
	if f.spoil != nil {
		f.spoil(t, r)
	}
	var do harm
	if f.harm != nil {
		do = f.harm(t, r)
	}
	backend := s.serve(t, r.Files)
	if f.historic != nil {
		f.historic(t, backend, r)
	}
	if s.byDigest {
		do = named(r.Files, do)
	}
	var options module.SourceOptions
	if s.folder {
		options = s.options(t, backend)
	} else {
		address := front(t, backend, do)
		options = s.options(t, address.URL)
		options.CAFile = authority(t, address)
		if f.reach != nil {
			f.reach(&options, address.URL)
		}
	}
	root := newKernel(t).root
	return job{
		URL: options.URL, Endpoint: options.Endpoint, CredentialsDir: options.CredentialsDir, CAFile: options.CAFile, PathStyle: options.PathStyle,
		Keys: []string{r.PublicKey}, MinSerial: f.minSerial, Unverified: f.historic != nil, TimeoutMS: f.timeout().Milliseconds(), Root: root,
	}, r
}

// load is what an agent with this kernel does.
func (k *kernel) load(j job, memory int64, log *slog.Logger) outcome.Outcome {
	verify := outcome.VerifiedSignature
	if j.Unverified {
		verify = outcome.VerifiedNone
	}
	return node.Load(context.Background(), node.LoadOptions{
		Host: k.host(), Node: "n1", ModuleName: "pf_ring", Verify: verify, PublicKeys: j.Keys, Memory: memory,
		MinSerial: j.MinSerial, Timeout: time.Duration(j.TimeoutMS) * time.Millisecond, Log: log,
		Source: func() (module.Source, error) { return module.OpenSource(j.source()) },
	})
}

func (j job) source() module.SourceOptions {
	return module.SourceOptions{URL: j.URL, Endpoint: j.Endpoint, CredentialsDir: j.CredentialsDir, CAFile: j.CAFile, PathStyle: j.PathStyle}
}

// judge holds what happened to a load against the row; taken are the digests of
// the modules that the kernel was given.
func (f row) judge(t *testing.T, s site, r *repository, o outcome.Outcome, taken []string) {
	t.Helper()
	want := f.want
	if s.byDigest && f.byDigest != "" {
		want = f.byDigest
	}
	if o.Reason != want || !strings.Contains(o.Message, f.says) {
		t.Errorf("got %s: %.1000s\nwant %s with %q", o.Reason, o.Message, want, f.says)
	}
	if good := want == outcome.Loaded; good != (o.Backend == outcome.PFRing) || good != (len(taken) == 1) {
		t.Errorf("backend %s, and the kernel got %d modules", o.Backend, len(taken))
	}
	for _, sum := range taken {
		if sum != digest(r.module) {
			t.Error("the kernel got other bytes than those that were signed")
		}
	}
	// What a node says has to fit a termination message, whatever a server sent.
	if line, err := o.Encode(); err != nil || len(line) > outcome.MaxSize || strings.ContainsRune(o.Message, '\x1b') {
		t.Errorf("an outcome of %d bytes, %v: %q", len(line), err, o.Message)
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
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
