package supply_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
)

// gate stands before a bucket or a registry, and can refuse or report what
// passes.
type gate struct {
	address string
	mu      sync.Mutex
	// refuse answers a request itself, if it returns true.
	refuse func(w http.ResponseWriter, r *http.Request) bool
	// passed is called once a request is answered.
	passed func(r *http.Request)
}

func newGate(t *testing.T, behind http.Handler) *gate {
	t.Helper()
	g := &gate{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		refuse, passed := g.refuse, g.passed
		g.mu.Unlock()
		if refuse != nil && refuse(w, r) {
			return
		}
		behind.ServeHTTP(w, r)
		if passed != nil {
			passed(r)
		}
	}))
	t.Cleanup(server.Close)
	g.address = strings.TrimPrefix(server.URL, "http://")
	return g
}

func (g *gate) set(refuse func(http.ResponseWriter, *http.Request) bool, passed func(*http.Request)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse, g.passed = refuse, passed
}

// place is a bucket or a registry.
type place struct {
	*gate
	url string
	// settings are those of supply.store beside type and url.
	settings string
	// login are the files of a Secret that may do everything.
	login map[string]string
	// source is how agents read.
	source module.SourceOptions
	// full is the answer of a service without room, denied that to who may only read.
	full, denied func(http.ResponseWriter)
}

// places are a bucket on a real S3 server, and a registry with a login.
func places(t *testing.T, each func(t *testing.T, p *place)) {
	t.Run("s3", func(t *testing.T) { each(t, bucket(t)) })
	t.Run("oci", func(t *testing.T) { each(t, oci(t)) })
}

func bucket(t *testing.T) *place {
	t.Helper()
	server := s3.Start(t)
	server.Put(t, "modules", map[string][]byte{"other/readme": []byte("mine")})
	target := &url.URL{Scheme: "http", Host: server.Address}
	// Requests are signed with the host that they are sent to.
	g := newGate(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
	}})
	answer := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>No.</Message></Error>", code)
		}
	}
	return &place{
		gate: g, url: "s3://modules/pf-ring", settings: "endpoint: 'http://" + g.address + "', pathStyle: true",
		login:  map[string]string{"accessKeyID": server.AccessKey, "secretAccessKey": server.SecretKey},
		source: module.SourceOptions{URL: "s3://modules/pf-ring", Endpoint: "http://" + g.address, PathStyle: true},
		full:   answer(http.StatusInsufficientStorage, "XMinioStorageFull"), denied: answer(http.StatusForbidden, "AccessDenied"),
	}
}

func oci(t *testing.T) *place {
	t.Helper()
	behind := registry.New()
	g := newGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "controller" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="modules"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}`))
			return
		}
		behind.ServeHTTP(w, r)
	}))
	answer := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"no"}]}`, code)
		}
	}
	address := "oci://" + g.address + "/pf-ring"
	return &place{
		gate: g, url: address, login: map[string]string{"username": "controller", "password": "secret"}, source: module.SourceOptions{URL: address},
		full: answer(http.StatusInsufficientStorage, "TOOLARGE"), denied: answer(http.StatusForbidden, "DENIED"),
	}
}

// at has a bed keep its modules there, with a login.
func (b *bed) at(t *testing.T, p *place, login map[string]string) (secret string) {
	t.Helper()
	secret = t.TempDir()
	signIn(t, secret, login)
	b.remote = store.Dirs{Credentials: secret, DockerConfig: t.TempDir(), SourceCA: t.TempDir()}
	b.reads = p.source
	b.reads.CredentialsDir = t.TempDir()
	signIn(t, b.reads.CredentialsDir, p.login)
	b.config = fmt.Sprintf("supply: {store: {type: url, url: '%s', credentialsSecret: login, %s}}", p.url, p.settings)
	return secret
}

func signIn(t *testing.T, dir string, login map[string]string) {
	t.Helper()
	for name, value := range login {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// readFile returns a file of a repository, nil if it has none.
func readFile(t *testing.T, o module.SourceOptions, name string) []byte {
	t.Helper()
	source, err := module.OpenSource(o)
	if err != nil {
		t.Fatal(err)
	}
	data, err := source.Fetch(t.Context(), name, 1<<20)
	if err != nil && !errors.Is(err, module.ErrNotFound) {
		t.Fatal(err)
	}
	return data
}

func reported(reason supply.Reason, texts ...string) func(*supply.Status) bool {
	return func(s *supply.Status) bool {
		return slices.ContainsFunc(s.Problems, func(p supply.Problem) bool {
			return p.Reason == reason && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(p.Message+"\n"+p.Remedy, text) })
		})
	}
}

func fine(n int) func(*supply.Status) bool {
	return func(s *supply.Status) bool { return allOf(supply.Built, n)(s) && len(s.Problems) == 0 }
}

// The controller writes with the login of its Secret, agents read there
// themselves, and what somebody deletes there comes back.
func TestModulesAreKeptInABucketOrRegistryAndReadThere(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, p *place) {
		b, c := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64"), &clock{}
		b.at(t, p, p.login)
		b.now = c.now
		b.start(t, b.account(t))
		s := b.status(t, "both kernels to be built", fine(2))
		if s.Index.URL != p.url || s.Index.Modules != 2 {
			t.Errorf("%+v", s.Index)
		}
		b.loaded(t, 2)
		if b.built() != 2 {
			t.Errorf("%d builds", b.built())
		}
		if p.source.Endpoint == "" {
			return // a registry's tag cannot be deleted by what reads it
		}
		others := b.reads
		others.URL = "s3://modules/other"
		if other := readFile(t, others, "readme"); string(other) != "mine" {
			t.Errorf("another's object is %q", other)
		}
		gone, err := module.OpenBucket(b.reads)
		if err == nil {
			err = gone.Remove(t.Context(), module.IndexName)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.forward(t, b, 11*time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := kube.Poll(ctx, "the index to come back", func(context.Context) (bool, error) { return readFile(t, b.reads, module.IndexName) != nil, nil }); err != nil {
			t.Error(err)
		}
		if b.built() != 2 {
			t.Errorf("%d builds", b.built())
		}
	})
}

// A login that the service does not know, and one that may only read: the status
// says what to correct, no build is repeated, and the controller need not be
// started again.
func TestAStoreThatRefusesIsReportedAndGoesOnOnceCorrected(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, p *place) {
		b, c := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64", "6.1.0-20-amd64"), &clock{}
		wrong := map[string]string{}
		for name, value := range p.login {
			wrong[name] = "x" + value
		}
		secret := b.at(t, p, wrong)
		b.now = c.now
		b.start(t, b.account(t))
		s := b.status(t, "the login to be refused", reported(supply.StoreFailed, "supply.store.credentialsSecret"))
		if b.built() != 0 || count(s, supply.Queued) != 3 {
			t.Errorf("%d builds, %+v", b.built(), s.Kernels)
		}
		readOnly := func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return false
			}
			p.denied(w)
			return true
		}
		p.set(readOnly, nil)
		signIn(t, secret, p.login)
		c.forward(t, b, 2*time.Minute)
		s = b.status(t, "a module to be refused", func(s *supply.Status) bool {
			return reported(supply.StoreFailed, "cannot store the module", "supply.store.credentialsSecret")(s) && slices.ContainsFunc(s.Kernels, func(k supply.KernelStatus) bool { return strings.Contains(k.Message, "cannot be stored") })
		})
		p.set(nil, nil)
		c.forward(t, b, 2*time.Minute)
		b.status(t, "all kernels to be built", fine(3))
		b.loaded(t, 3)
		if b.built() != 3 {
			t.Errorf("%d builds", b.built())
		}
		for _, text := range []string{fmt.Sprint(s.Problems), fmt.Sprint(s.Kernels)} {
			if strings.Contains(text, "--") || strings.Contains(text, "source.credentialsSecret") {
				t.Errorf("it names a flag, or another value: %s", text)
			}
		}
	})
}

func TestAFullStoreIsSaidWithItsRemedy(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, p *place) {
		b := newBed(t, "", "6.1.0-18-amd64")
		b.at(t, p, p.login)
		p.set(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
				return false
			}
			p.full(w)
			return true
		}, nil)
		b.start(t, b.account(t))
		s := b.status(t, "the store to be full", allOf(supply.Failed, 1))
		if k := s.Kernels[0]; k.Reason != supply.StoreFull || !strings.Contains(k.Message, p.url) || !strings.Contains(k.Remedy, "quota") {
			t.Errorf("%+v", k)
		}
	})
}

// Somebody else's index, and that of another release, are never replaced.
func TestAnIndexOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, p *place) {
		first := newBed(t, "", "6.1.0-18-amd64")
		first.at(t, p, p.login)
		first.start(t, first.account(t))
		first.status(t, "the first release's kernel to be built", fine(1))
		theirs := readFile(t, first.reads, module.IndexName)
		second, c := newBed(t, "", "6.1.0-19-amd64"), &clock{}
		second.at(t, p, p.login)
		second.now = c.now
		second.start(t, second.account(t))
		second.status(t, "the other index to be reported", reported(supply.ForeignObject, "not signed by this release's key", "supply.store.url"))
		if second.built() != 0 || !bytes.Equal(readFile(t, first.reads, module.IndexName), theirs) {
			t.Errorf("%d builds, and the first release's index is another", second.built())
		}
		if p.source.Endpoint == "" {
			return
		}
		gone, err := module.OpenBucket(first.reads)
		for _, name := range []string{module.IndexName, module.SignatureName} {
			if err == nil {
				err = gone.Remove(t.Context(), name)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		c.forward(t, second, 2*time.Minute)
		second.status(t, "the second release's kernel to be built", fine(1))
	})
}

// A controller that is killed between any two steps of a publish leaves what the
// next one finishes, without a second build, and agents never load less.
func TestAKilledPublishIsFinished(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"pf_ring.ko.zst", module.IndexName, module.SignatureName} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			p := bucket(t)
			b := newBed(t, "", "6.1.0-18-amd64")
			b.identity = "the same pod"
			b.at(t, p, p.login)
			// The first index that it publishes has no modules.
			killed := make(chan struct{})
			var once sync.Once
			p.set(nil, func(r *http.Request) {
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/"+file) && b.built() > 0 {
					once.Do(func() {
						b.kill()
						close(killed)
					})
				}
			})
			b.spawn(t, cluster.Kubeconfig)
			select {
			case <-killed:
			case <-time.After(2 * time.Minute):
				t.Fatal("it has not written " + file)
			}
			p.set(nil, nil)
			b.spawn(t, cluster.Kubeconfig)
			b.status(t, "the kernel to be built", fine(1))
			b.loaded(t, 1)
			if b.built() != 1 {
				t.Errorf("%d builds", b.built())
			}
		})
	}
}

// On a volume: what a controller has kept is there for the next one, a second one
// waits for the first, and a file that is damaged is built again.
func TestModulesAreKeptOnAVolume(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	b.config, b.storeDir = "supply: {store: {type: persistentVolumeClaim}}", t.TempDir()
	if err := os.WriteFile(filepath.Join(b.storeDir, "lost+found"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	account := b.account(t)
	stop := b.start(t, account)
	b.status(t, "both kernels to be built", fine(2))
	b.loaded(t, 2)
	if list, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).List(t.Context(), listOptions(b)); err != nil || slices.ContainsFunc(list.Items, func(cm corev1.ConfigMap) bool { return strings.Contains(cm.Name, "-module-") }) {
		t.Errorf("modules are in ConfigMaps: %v", err)
	}
	second := &bed{namespace: b.namespace, names: b.names, serve: freePort(t), config: b.config, storeDir: b.storeDir}
	second.start(t, account)
	stop()
	b.serve = second.serve
	b.addNodes(t, "late", "6.1.0-20-amd64")
	b.status(t, "the late kernel to be built by the second", fine(3))
	b.loaded(t, 3)
	if b.built() != 3 {
		t.Errorf("%d builds", b.built())
	}
	files, err := filepath.Glob(filepath.Join(b.storeDir, "modules/amd64/6.1.0-18-amd64/*/pf_ring.ko.zst"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := kube.Poll(ctx, "the damaged module to be built again", func(context.Context) (bool, error) { return b.built() == 4, nil }); err != nil {
		t.Fatal(err)
	}
	b.status(t, "all kernels to be built", fine(3))
	if data, err := os.ReadFile(filepath.Join(b.storeDir, "lost+found")); string(data) != "mine" {
		t.Errorf("another's file: %q %v", data, err)
	}
}
