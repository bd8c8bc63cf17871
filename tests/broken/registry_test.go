package broken_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
)

// password is that of the private part of the registry; no output may have it.
const password = "s3cr3t-Of-The-Registry"

// registryServer is a registry with TLS on loopback. What is below private/
// needs a login.
type registryServer struct {
	host string
	// untrusted is another, whose certificate nobody here knows.
	untrusted string
	// hanging never answers.
	hanging string

	manifests atomic.Int64
	mu        sync.Mutex
	blobs     map[string]int
}

func newRegistry(ctx context.Context) (*registryServer, error) {
	r := &registryServer{blobs: map[string]int{}}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, given, _ := req.BasicAuth()
		if strings.Contains(req.URL.Path, "/private/") && (user != "puller" || given != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		if req.URL.Path == "/v2/" && given == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		r.count(req)
		store.ServeHTTP(w, req)
	})
	cert, err := clusterCert("registry")
	if err != nil {
		return nil, err
	}
	if r.host, err = serve(ctx, cert, handler); err != nil {
		return nil, err
	}
	own, err := strangerCert()
	if err != nil {
		return nil, err
	}
	if r.untrusted, err = serve(ctx, own, handler); err != nil {
		return nil, err
	}
	if r.hanging, err = serve(ctx, cert, http.HandlerFunc(silent)); err != nil {
		return nil, err
	}
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	return r, r.login("config.json", "")
}

func (r *registryServer) count(req *http.Request) {
	switch {
	case req.Method != http.MethodGet:
	case strings.Contains(req.URL.Path, "/manifests/"):
		r.manifests.Add(1)
	case strings.Contains(req.URL.Path, "/blobs/"):
		r.mu.Lock()
		r.blobs[req.URL.Path]++
		r.mu.Unlock()
	}
}

// reset forgets what was asked for.
func (r *registryServer) reset() {
	r.manifests.Store(0)
	r.mu.Lock()
	clear(r.blobs)
	r.mu.Unlock()
}

// most is how often a single blob was fetched.
func (r *registryServer) most() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	for _, n := range r.blobs {
		most = max(most, n)
	}
	return most
}

// login writes a docker configuration, with a password or without.
func (r *registryServer) login(file, secret string) error {
	text := `{}`
	if secret != "" {
		text = r.dockerConfig(secret)
	}
	return os.WriteFile(filepath.Join(shared.dir, file), []byte(text), 0o600)
}

func (r *registryServer) dockerConfig(secret string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, r.host, base64.StdEncoding.EncodeToString([]byte("puller:"+secret)))
}

// shell is a base with the programs that KMM runs, where Debian has them.
type shell struct{}

func (shell) String() string { return "a shell" }

func (shell) Image(_ context.Context, arch string) (v1.Image, error) {
	files := []layer.File{
		{Name: "bin", Mode: 0o777, Link: "usr/bin"},
		{Name: "usr/bin/sh", Mode: 0o755, Data: []byte("#")}, {Name: "usr/bin/mkdir", Mode: 0o755, Data: []byte("#")},
		{Name: "usr/bin/cp", Mode: 0o755, Data: []byte("#")},
	}
	l, err := layer.New(files, time.Unix(0, 0), types.OCILayer)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, l); err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, configFor(image, arch))
}

func configFor(image v1.Image, arch string) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		panic(err) // an image in memory
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	return config
}

// packed is an image as pfring module pack makes it.
func packed(ctx context.Context, base image.Base, kos ...moduletest.KO) (*image.Image, error) {
	var modules []image.Module
	for _, ko := range kos {
		m, err := image.Check(ko.Bytes(), "pf_ring")
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	return image.Build(ctx, modules, image.Options{Base: base})
}

// handMade is an image with files of one's own on top of the shell.
func handMade(ctx context.Context, files ...layer.File) (*image.Image, error) {
	base, err := shell{}.Image(ctx, "amd64")
	if err != nil {
		return nil, err
	}
	l, err := layer.New(files, time.Unix(0, 0), types.OCILayer)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(base, l)
	return &image.Image{Image: img}, err
}

// fill pushes the images of all cases: for each kernel of the usual nodes one.
func (r *registryServer) fill(ctx context.Context) error {
	for _, kernel := range []string{kernelA, kernelB} {
		folder := "opt/lib/modules/" + kernel + "/"
		ko := moduletest.KO{Kernel: kernel}
		made := map[string]func() (*image.Image, error){
			"good":         func() (*image.Image, error) { return packed(ctx, shell{}, ko) },
			"private/good": func() (*image.Image, error) { return packed(ctx, shell{}, ko) },
			"both": func() (*image.Image, error) {
				return packed(ctx, shell{}, ko, moduletest.KO{Kernel: kernel, Arch: "arm64"})
			},
			"arm-only": func() (*image.Image, error) {
				return packed(ctx, shell{}, moduletest.KO{Kernel: kernel, Arch: "arm64"})
			},
			"other-kernel": func() (*image.Image, error) {
				return packed(ctx, shell{}, moduletest.KO{Kernel: "5.4.0-1-other"})
			},
			"no-shell": func() (*image.Image, error) { return packed(ctx, nil, ko) },
			"no-depmod": func() (*image.Image, error) {
				return handMade(ctx, layer.File{Name: folder + "pf_ring.ko", Mode: 0o644, Data: ko.Bytes()})
			},
			"mislabelled": func() (*image.Image, error) {
				return handMade(ctx, layer.File{Name: folder + "pf_ring.ko", Mode: 0o644, Data: moduletest.KO{Kernel: "5.4.0-1-other"}.Bytes()},
					layer.File{Name: folder + "modules.dep.bin", Mode: 0o644, Data: []byte("index")})
			},
			"cut-short": func() (*image.Image, error) {
				return handMade(ctx, layer.File{Name: folder + "pf_ring.ko", Mode: 0o644, Data: ko.Bytes()[:200]},
					layer.File{Name: folder + "modules.dep.bin", Mode: 0o644, Data: []byte("index")})
			},
			"empty-folder": func() (*image.Image, error) {
				return handMade(ctx, layer.File{Name: folder + "modules.dep.bin", Mode: 0o644, Data: []byte("index")})
			},
			// The upper layer takes away what the lower one has.
			"whited-out": func() (*image.Image, error) {
				below, err := packed(ctx, shell{}, ko)
				if err != nil {
					return nil, err
				}
				l, err := layer.New([]layer.File{{Name: folder + ".wh.pf_ring.ko", Mode: 0o644}}, time.Unix(0, 0), types.OCILayer)
				if err != nil {
					return nil, err
				}
				below.Image, err = mutate.AppendLayers(below.Image, l)
				return below, err
			},
		}
		if kernel == kernelA {
			made["only-a"] = made["good"]
		}
		for repository, image := range made {
			built, err := image()
			if err != nil {
				return fmt.Errorf("making %s: %w", repository, err)
			}
			if err := r.push(repository+":"+kernel, built); err != nil {
				return fmt.Errorf("pushing %s: %w", repository, err)
			}
		}
	}
	return nil
}

func (r *registryServer) push(tag string, image *image.Image) error {
	ref, err := name.ParseReference(r.host + "/" + tag)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(shared.CA.CertFile())
	if err != nil {
		return err
	}
	pool.AppendCertsFromPEM(pem)
	options := []remote.Option{
		remote.WithAuth(&authn.Basic{Username: "puller", Password: password}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}),
	}
	if image.Index != nil {
		return remote.WriteIndex(ref, image.Index, options...)
	}
	return remote.Write(ref, image.Image, options...)
}
