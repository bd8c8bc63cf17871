package probe_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// Pods ask for what builds fetch, by the mirrors and the proxy of the values, and
// the finding names the host that fails and the value that helps.
func TestPodsReachWhatBuildsFetch(t *testing.T) {
	b := newBed(t, 0, "")
	b.addNodes(2, kube.Node{Prefix: "d", OSImage: "Debian GNU/Linux 12 (bookworm)", Kernel: twoKernels})
	place := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/source.tar.gz" {
			http.Error(w, "there are packages below", http.StatusForbidden)
		}
	}))
	t.Cleanup(place.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var proxied sync.Map
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proxied.Store(r.Host, true) }))
	t.Cleanup(proxy.Close)
	set := func(packages, source string, more ...string) []string {
		args := []string{
			"--set", "tap.kernelModule.source.url=", "--set", `tap.kernelModule.supply.builder.packageMirrors.http://deb\.debian\.org/debian=` + packages,
			"--set", "tap.kernelModule.supply.builder.sourceURL=" + source, "--set", "tap.kernelModule.supply.builder.sourceSHA256=" + strings.Repeat("0", 64),
		}
		for _, m := range more {
			args = append(args, "--set", "tap.kernelModule.supply.builder."+m)
		}
		return args
	}
	host := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	for name, c := range map[string]struct {
		args   []string
		result prereq.Result
		reason string
		says   []string
	}{
		"all is there":    {set(place.URL+"/debian", place.URL+"/source.tar.gz"), prereq.OK, "", nil},
		"no packages":     {set(gone.URL+"/debian", place.URL+"/source.tar.gz"), prereq.Error, "source-unreachable", []string{host(gone), "supply.builder.packageMirrors", "supply.builder.proxy"}},
		"no archive":      {set(place.URL+"/debian", place.URL+"/other.tar.gz"), prereq.Error, "source-forbidden", []string{host(place), "supply.builder.sourceURL"}},
		"by a proxy":      {set("http://deb.example/debian", "http://source.example/pf_ring.tar.gz", "proxy.http="+proxy.URL), prereq.OK, "", nil},
		"a proxy's fault": {set("http://deb.example/debian", "http://source.example/pf_ring.tar.gz", "proxy.http="+gone.URL), prereq.Error, "source-unreachable", []string{"a proxy that allows it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.pfringIn(append([]string{"prereq", "check", "--probe", "-o", "json", "--only", "nodes.selected,namespace.exists,probe,egress"}, c.args...)...)
			report := parsed(t, r)
			i := slices.IndexFunc(report.Findings, func(f prereq.Finding) bool { return f.ID == "egress.builds" })
			if i < 0 {
				t.Fatalf("no finding egress.builds:\n%s%s", r.out, r.err)
			}
			f := report.Findings[i]
			if f.Result != c.result || f.Reason != c.reason {
				t.Errorf("%+v", f)
			}
			for _, word := range c.says {
				if !strings.Contains(f.Observed+" "+f.Remedy, word) {
					t.Errorf("it does not say %q: %s. %s", word, f.Observed, f.Remedy)
				}
			}
		})
	}
	t.Cleanup(func() {
		for _, host := range []string{"deb.example", "source.example"} {
			if _, asked := proxied.Load(host); !asked {
				t.Errorf("the proxy was not asked for %s", host)
			}
		}
	})
}

// parsed is a report in JSON.
func parsed(t *testing.T, r result) (report prereq.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v:\n%s%s", err, r.out, r.err)
	}
	return report
}
