//go:build unix

package bench_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

const herd = 1000

// BenchmarkThousandAgents starts as many agents at once, each with connections of
// its own, against one S3 server: as fast as it can, and before one that answers 503
// SlowDown above 300 requests a second, as S3 does for one prefix above its own
// limit. The module has the size of PF_RING's as the supply controller and index
// --compress publish it, 60 KiB. It reports what a node costs the server, and when nodes had their module.
func BenchmarkThousandAgents(b *testing.B) {
	for name, limit := range map[string]int64{"as fast as it can": 0, "SlowDown above 300 a second": 300} {
		b.Run(name, func(b *testing.B) {
			newBucket(b, moduletest.KO{Padding: 60 << 10}, module.FormatZst).stampede(b, limit)
		})
	}
}

func (at *bucket) stampede(b *testing.B, limit int64) {
	b.Helper()
	var requests, refused, sent atomic.Int64
	door := at.door(b, limit, &requests, &refused, &sent)
	done := make([]time.Duration, herd)
	var failed atomic.Int64
	start := time.Now()
	var all sync.WaitGroup
	for i := range herd {
		all.Go(func() {
			if err := at.one(door.URL); err != nil {
				failed.Add(1)
				b.Log(err)
			}
			done[i] = time.Since(start)
		})
	}
	all.Wait()
	door.Close()
	slices.Sort(done)
	if failed.Load() > 0 {
		b.Errorf("%d of %d agents have no module", failed.Load(), herd)
	}
	b.ReportMetric(float64(requests.Load())/herd, "requests/node")
	b.ReportMetric(float64(refused.Load())/herd, "refused/node")
	b.ReportMetric(float64(sent.Load())/herd/1024, "KiB/node")
	for name, at := range map[string]int{"first-s": 0, "half-s": herd / 2, "95%-s": herd * 95 / 100, "last-s": herd - 1} {
		b.ReportMetric(done[at].Seconds(), name)
	}
}

// one is what an agent does with its source; nodes have two minutes for it.
func (at *bucket) one(endpoint string) error {
	source, err := module.OpenSource(module.SourceOptions{
		URL: "s3://modules/pf-ring", Endpoint: endpoint, PathStyle: true, CredentialsDir: at.credentials, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err = module.Get(ctx, source, module.Request{Kernel: moduletest.Kernel, Arch: "amd64", PublicKeys: []string{at.PublicKey}})
	return err
}

// door counts what goes to the server and back, and refuses above limit requests
// a second, if it is not 0.
func (at *bucket) door(b *testing.B, limit int64, requests, refused, sent *atomic.Int64) *httptest.Server {
	b.Helper()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: at.Address})
		r.Out.Host = r.In.Host
	}}
	var mu sync.Mutex
	second, count := int64(0), int64(0)
	over := func() bool {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now().Unix(); now != second {
			second, count = now, 0
		}
		count++
		return limit > 0 && count > limit
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if over() {
			refused.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("<Error><Code>SlowDown</Code></Error>"))
			return
		}
		pass.ServeHTTP(&counted{w, sent}, r)
	}))
}

// counted counts the bytes of bodies.
type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}
