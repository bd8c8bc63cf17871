package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// supply is the repository of modules that the cluster builds.
type supply struct {
	source module.SourceOptions
	// dir is the mounted ConfigMap of the controller, which it may make after the
	// agent has started; wait bounds how long the agent waits for that.
	dir  string
	wait time.Duration
}

// Files of the controller's ConfigMap.
const (
	supplyCA   = "ca.crt"
	supplyKeys = "publicKeys"
	maxKeys    = 64 << 10
)

func (s *supply) flags(f *flag.FlagSet) {
	f.StringVar(&s.source.URL, "supply-url", "", "repository of the modules that the cluster builds, tried after --source-url")
	f.StringVar(&s.dir, "supply-dir", "", "folder with "+supplyCA+" and "+supplyKeys+", which the controller writes")
	f.DurationVar(&s.wait, "supply-wait", 15*time.Second, "how long to wait until the controller has written --supply-dir")
	f.StringVar(&s.source.Region, "supply-region", "", "region of the bucket that the controller writes to")
	f.StringVar(&s.source.Endpoint, "supply-endpoint", "", "its S3 endpoint, other than AWS's")
	f.BoolVar(&s.source.PathStyle, "supply-path-style", false, "put the bucket into the path, not into the host name")
	f.StringVar(&s.source.DockerConfig, "supply-docker-config", "", "file of registry credentials for it")
	f.StringVar(&s.source.CredentialsDir, "supply-credentials-dir", "", "folder with the credentials for it")
}

// publicKeys waits until the controller has said what it signs with. The error
// is a *module.Error. Modules are loaded by nothing less than its signature.
func (s *supply) publicKeys(ctx context.Context, wait time.Duration) ([]string, error) {
	path := filepath.Join(s.dir, supplyKeys)
	for end := time.Now().Add(wait); ; {
		data, err := readfile.Read(ctx, path, maxKeys)
		if keys := strings.Fields(string(data)); err == nil && len(keys) > 0 {
			return keys, nil
		}
		if time.Now().After(end) {
			return nil, &module.Error{
				Reason: outcome.SourceUnreachable, What: "find the modules that the cluster builds", Where: s.source.URL,
				Why: fmt.Sprintf("the controller did not publish its key within %s", wait),
				Do:  "If it was just installed, wait: it restarts this agent when the module is available. Otherwise find out why its pod does not run.",
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// open opens the repository, as the controller's certificate and key are now. A
// bucket or registry that the controller writes to is reached as that of source
// is: through the same proxy, with the same authorities.
func (s *supply) open(source module.SourceOptions) (module.Source, error) {
	return module.OpenSource(s.options(source))
}

func (s *supply) options(source module.SourceOptions) module.SourceOptions {
	o := s.source
	if !strings.HasPrefix(o.URL, "https://") {
		o.CAFile, o.ProxyCredentialsDir = source.CAFile, source.ProxyCredentialsDir
		o.ProxyHTTP, o.ProxyHTTPS, o.ProxyNo = source.ProxyHTTP, source.ProxyHTTPS, source.ProxyNo
	}
	if info, err := os.Stat(filepath.Join(s.dir, supplyCA)); err == nil && info.Size() > 0 {
		o.CAFile = filepath.Join(s.dir, supplyCA)
	}
	return o
}
