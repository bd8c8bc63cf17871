package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

// The library that is too large for the agent says the same.
func FuzzExemptions(f *testing.F) {
	for _, text := range []string{"", "*", "a.example,.b.example:443, *.c", "10.0.0.0/8,fe80::1%eth0,[::1]:80,::ffff:10.0.0.1", ":", "[", ",,", "/", "10.0.0.0/99"} {
		f.Add(text, "http://a.example/")
	}
	f.Fuzz(func(t *testing.T, text, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		direct := proxies{exempt: exemptions(text)}.reachedDirectly(u)
		if text == "" && direct && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.") && !strings.Contains(u.Hostname(), ":") {
			t.Errorf("%q is exempt of nothing", address)
		}
		if strings.TrimSpace(text) == "*" && !direct {
			t.Errorf("%q is not exempt of everything", address)
		}
	})
}

func TestAProxyIsChosenAsEverywhere(t *testing.T) {
	urls := []string{
		"http://a.example/", "https://a.example/", "https://b.a.example:8443/x", "https://example/", "http://10.1.2.3/", "https://10.1.2.3:8443/",
		"http://[fd00::1]/", "http://localhost/", "https://127.0.0.1:9/", "http://[::1]:80/", "https://A.Example./", "http://notexample/", "https://192.168.1.1/",
	}
	for _, no := range []string{
		"", "*", "a.example", ".a.example", "*.example", "example", ".example", "a.example:443", "a.example:80", "b.a.example:8443", "10.0.0.0/8",
		"10.1.2.3", "10.1.2.3:8443", "fd00::/8", "[fd00::1]", " a.example , 10.1.2.3 ", ",,", "A.EXAMPLE", "192.168.1.0/24,.svc,.cluster.local",
	} {
		for _, proxy := range [][2]string{{"http://p:1", "http://q:2"}, {"", "http://q:2"}, {"http://p:1", ""}, {"", ""}} {
			if proxy[0]+proxy[1]+no == "" {
				continue
			}
			mine, err := ProxyFunc(Options{ProxyHTTP: proxy[0], ProxyHTTPS: proxy[1], ProxyNo: no})
			if err != nil {
				t.Fatal(err)
			}
			library := (&httpproxy.Config{HTTPProxy: proxy[0], HTTPSProxy: proxy[1], NoProxy: no}).ProxyFunc()
			for _, text := range urls {
				u, err := url.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				got, gotErr := mine(&http.Request{URL: u})
				want, wantErr := library(u)
				if gotErr != nil || wantErr != nil || (got == nil) != (want == nil) || (got != nil && got.String() != want.String()) {
					t.Errorf("%s without proxy for %q: %v, the library says %v", text, no, got, want)
				}
			}
		}
	}
}
