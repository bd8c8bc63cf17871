package broken_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

// sourceServer serves module repositories by HTTPS on loopback: each is a folder.
type sourceServer struct {
	url, untrusted, hanging string
	// key is the public key of all of them, other of none.
	key, other string
}

func newSource(ctx context.Context) (*sourceServer, error) {
	root := filepath.Join(shared.dir, "sources")
	s := &sourceServer{}
	files := http.FileServer(http.Dir(root))
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.HandleFunc("/forbidden/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	cert, err := clusterCert("source")
	if err != nil {
		return nil, err
	}
	address, err := serve(ctx, cert, mux)
	if err != nil {
		return nil, err
	}
	s.url = "https://" + address
	if address, err = serve(ctx, cert, http.HandlerFunc(silent)); err != nil {
		return nil, err
	}
	s.hanging = "https://" + address
	own, err := strangerCert()
	if err != nil {
		return nil, err
	}
	if address, err = serve(ctx, own, mux); err != nil {
		return nil, err
	}
	s.untrusted = "https://" + address
	return s, s.fill(root)
}

// fill writes a repository for each case.
func (s *sourceServer) fill(root string) (err error) {
	keyFile := filepath.Join(shared.dir, "key")
	if s.key, err = repository.NewKey(keyFile, ""); err != nil {
		return err
	}
	if s.other, err = repository.NewKey(filepath.Join(shared.dir, "other"), ""); err != nil {
		return err
	}
	now := time.Now()
	both := []string{kernelA, kernelB}
	for _, r := range []struct {
		name     string
		kernels  []string
		lifetime time.Duration
		made     time.Time
		unsigned bool
	}{
		{"good", both, 365 * 24 * time.Hour, now, false},
		{"only-a", both[:1], 365 * 24 * time.Hour, now, false},
		{"neither", []string{"5.4.0-1-other"}, 365 * 24 * time.Hour, now, false},
		{"expired", both, time.Hour, now.Add(-24 * time.Hour), false},
		{"ending", both, 7 * 24 * time.Hour, now, false},
		{"unsigned", both, 365 * 24 * time.Hour, now, true},
	} {
		dir := filepath.Join(root, r.name)
		for _, kernel := range r.kernels {
			file := filepath.Join(dir, "modules", "amd64", kernel, "pf_ring.ko")
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				return err
			}
			if err := os.WriteFile(file, moduletest.KO{Kernel: kernel}.Bytes(), 0o600); err != nil {
				return err
			}
		}
		if _, err := repository.Update(context.Background(), dir, repository.Options{Lifetime: r.lifetime, Now: r.made}); err != nil {
			return err
		}
		if r.unsigned {
			continue
		}
		key, err := repository.ReadKey(keyFile, func() (string, error) { return "", nil })
		if err != nil {
			return err
		}
		if _, err := repository.Sign(context.Background(), dir, key, r.made); err != nil {
			return err
		}
	}
	// Something that is not an index, and a signature over something else.
	for name, text := range map[string]string{"garbage/index.json": "<html>moved</html>"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
