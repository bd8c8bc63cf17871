package compatibility_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// newRegistry runs a registry on loopback that keeps what is under /locked/ to
// itself, and returns its address.
func newRegistry(t *testing.T) string {
	t.Helper()
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/expired/") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`)
			return
		}
		if strings.Contains(r.URL.Path, "/busy/") {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`)
			return
		}
		if strings.Contains(r.URL.Path, "/locked/") {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func imageFor(t *testing.T, arch string) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func parse(t *testing.T, ref string) name.Reference {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestImagesAreLookedUpInTheirRegistry(t *testing.T) {
	host := newRegistry(t)
	if err := remote.Write(parse(t, host+"/m:6.1.0-1"), imageFor(t, "amd64")); err != nil {
		t.Fatal(err)
	}
	both := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: imageFor(t, "amd64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: imageFor(t, "arm64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	if err := remote.WriteIndex(parse(t, host+"/m:6.1.0-2"), both); err != nil {
		t.Fatal(err)
	}
	images, err := compatibility.NewImages(compatibility.ImagesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		image, arch string
		want        compatibility.Supported
		reason      string
	}{
		"one architecture":       {host + "/m:6.1.0-1", "amd64", compatibility.Yes, ""},
		"another architecture":   {host + "/m:6.1.0-1", "arm64", compatibility.No, compatibility.ReasonImageArch},
		"an index":               {host + "/m:6.1.0-2", "arm64", compatibility.Yes, ""},
		"an index, none of them": {host + "/m:6.1.0-2", "s390x", compatibility.No, compatibility.ReasonImageArch},
		"no such tag":            {host + "/m:6.1.0-3", "amd64", compatibility.No, compatibility.ReasonImageMissing},
		"no such repository":     {host + "/n:6.1.0-1", "amd64", compatibility.No, compatibility.ReasonImageMissing},
		"a locked repository":    {host + "/locked/m:1", "amd64", compatibility.Unknown, compatibility.ReasonImageForbidden},
		"nobody there":           {"127.0.0.1:1/m:1", "amd64", compatibility.Unknown, compatibility.ReasonImageUnreachable},
		"no reference":           {"UPPER/case:x y", "amd64", compatibility.No, compatibility.ReasonImageMissing},
	} {
		m := mappings(valuesschema.KernelMapping{Regexp: ".", ContainerImage: test.image})
		a := m.Lookup(t.Context(), images)("6.1.0-1", test.arch)
		if a.Supported != test.want || a.Reason != test.reason || a.Image != test.image || a.Mapping != "kernelMappings[0]" {
			t.Errorf("%s: %+v", name, a)
		}
		if a.Supported != compatibility.Yes && (a.Message == "" || a.Remedy == "") {
			t.Errorf("%s: neither why nor what to do: %+v", name, a)
		}
	}
}

// What the registry itself says tells more than its status.
func TestAnExpiredLoginIsSaidInTheRegistrysWords(t *testing.T) {
	images, err := compatibility.NewImages(compatibility.ImagesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := mappings(valuesschema.KernelMapping{Regexp: ".", ContainerImage: newRegistry(t) + "/expired/m:1"})
	a := m.Lookup(t.Context(), images)("6.1.0-1", "amd64")
	if a.Reason != compatibility.ReasonImageForbidden || !strings.Contains(a.Message, "authorization token has expired") || !strings.Contains(a.Remedy, "log in again") {
		t.Errorf("%+v", a)
	}
}

// A cluster may have hundreds of kernels: each would wait for the registry as long.
func TestARegistryThatIsNotTrustedIsAskedOnce(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	images, err := compatibility.NewImages(compatibility.ImagesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "https://")
	find := func(image string, tls compatibility.RegistryTLS) compatibility.Answer {
		_, answer := images.Find(t.Context(), host+image, "amd64", tls)
		return answer
	}
	first := find("/m:1", compatibility.RegistryTLS{})
	asked := connections.Load()
	second := find("/m:2", compatibility.RegistryTLS{})
	if asked == 0 || connections.Load() != asked {
		t.Errorf("%d connections for the first image, %d for the second", asked, connections.Load()-asked)
	}
	if first.Reason != compatibility.ReasonRegistryUntrusted || second.Reason != first.Reason || second.Message != strings.Replace(first.Message, "/m:1", "/m:2", 1) {
		t.Errorf("first: %+v\nsecond: %+v", first, second)
	}
	if a := find("/m:2", compatibility.RegistryTLS{SkipVerify: true}); a.Reason != compatibility.ReasonImageMissing {
		t.Errorf("without verification: %+v", a)
	}
}

// A registry's words are shown whatever their form, and its answer is not taken for
// what another try with TLS met.
func TestARegistrysAnswerIsShown(t *testing.T) {
	images, err := compatibility.NewImages(compatibility.ImagesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host := newRegistry(t)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, "<html>slow down")
	}))
	t.Cleanup(down.Close)
	for image, want := range map[string]compatibility.Answer{
		host + "/busy/m:1":   {Reason: compatibility.ReasonImageUnreachable, Message: "429 Too Many Requests: You have reached your pull rate limit.", Remedy: "docker login"},
		host + "/locked/m:1": {Reason: compatibility.ReasonImageForbidden, Message: "to this login: log in first.", Remedy: "docker login"},
		strings.TrimPrefix(down.URL, "http://") + "/m:1": {Reason: compatibility.ReasonImageUnreachable, Message: "the registry answered 429 Too Many Requests.", Remedy: "docker login"},
	} {
		t.Run(image, func(t *testing.T) {
			t.Parallel() // the client waits before it asks a busy registry again
			_, got := images.Find(t.Context(), image, "amd64", compatibility.RegistryTLS{})
			if got.Supported != compatibility.Unknown || got.Reason != want.Reason || !strings.HasSuffix(got.Message, want.Message) || !strings.Contains(got.Remedy, want.Remedy) {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestImagesWithABrokenCABundle(t *testing.T) {
	for _, file := range []string{"testdata/none.pem", "testdata/kmm.table.golden"} {
		if _, err := compatibility.NewImages(compatibility.ImagesOptions{CAFile: file}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestLookupsThatTakeARequestAreMadeAheadAndOnce(t *testing.T) {
	var nodes []cluster.Node
	for i := range 40 {
		n := linux("n", cluster.Generic)
		n.Kernel = "6.1." + string(rune('a'+i%4))
		nodes = append(nodes, n)
	}
	nodes = append(nodes, linux("w", cluster.Windows))
	var calls, running atomic.Int32
	// Each call waits until all four run, so that fewer at a time would hang.
	var all sync.WaitGroup
	all.Add(4)
	find := compatibility.Ahead(nodes, func(kernel, _ string) compatibility.Answer {
		calls.Add(1)
		running.Add(1)
		all.Done()
		all.Wait()
		return compatibility.Answer{Supported: compatibility.Yes, Version: kernel}
	}, 4)
	if calls.Load() != 4 || running.Load() != 4 {
		t.Fatalf("%d calls for four kernels", calls.Load())
	}
	r := compatibility.Match(nodes, find)
	if calls.Load() != 4 || r.Totals.Yes != 40 || r.Nodes[0].Version != r.Nodes[0].Kernel {
		t.Errorf("%d calls, %+v", calls.Load(), r.Totals)
	}
}
