package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestTheControllersKeyMayComeLate(t *testing.T) {
	dir := t.TempDir()
	s := &supply{dir: dir, source: module.SourceOptions{URL: "https://supply.example"}}
	_, err := s.publicKeys(t.Context(), 0)
	if e := (*module.Error)(nil); !errors.As(err, &e) || e.Reason != outcome.SourceUnreachable || !strings.Contains(e.Do, "restarts this agent") {
		t.Errorf("without a key: %v", err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(filepath.Join(dir, supplyKeys), []byte("a\nb\n"), 0o600) }()
	keys, err := s.publicKeys(t.Context(), time.Minute)
	if err != nil || strings.Join(keys, " ") != "a b" && strings.Join(keys, " ") != "a" {
		t.Errorf("%v %v", keys, err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.dir = t.TempDir()
	if _, err := s.publicKeys(ctx, time.Minute); err == nil {
		t.Error("it waits on after it was told to end")
	}
}

func TestWhereTheAgentLooksForModules(t *testing.T) {
	for name, c := range map[string]struct {
		source, supply string
		repositories   int
	}{
		"source": {"https://a.example", "", 1}, "supply": {"", "https://b.example", 1}, "both": {"https://a.example", "https://b.example", 2},
	} {
		s := &settings{log: slog.New(slog.DiscardHandler), loadTimeout: time.Minute, moduleName: "pf_ring", sys: t.TempDir(), proc: t.TempDir()}
		s.source.URL, s.supply.source.URL, s.supply.dir = c.source, c.supply, t.TempDir()
		list := s.repositories(node.LoadOptions{Host: s.host(), ModuleName: "pf_ring", Timeout: time.Minute, Verify: outcome.VerifiedNone})
		if len(list) != c.repositories {
			t.Errorf("%s: %d repositories", name, len(list))
		}
		if last := list[len(list)-1](t.Context()); c.supply != "" && last.Verify != outcome.VerifiedSignature {
			t.Errorf("%s: what the cluster builds is verified by %s", name, last.Verify)
		}
	}
}

func TestABucketOfTheControllerIsReachedAsTheSourceIs(t *testing.T) {
	source := module.SourceOptions{URL: "https://a.example", CAFile: "/ca", ProxyHTTPS: "http://proxy:3128", ProxyNo: "c.example", ProxyCredentialsDir: "/login"}
	for url, want := range map[string]string{"s3://b/x": "http://proxy:3128", "oci://b.example/x": "http://proxy:3128", "https://supply.svc:8443": ""} {
		s := &supply{dir: t.TempDir(), source: module.SourceOptions{URL: url}}
		o := s.options(source)
		if o.URL != url || o.ProxyHTTPS != want || (o.CAFile != "") != (want != "") || (o.ProxyCredentialsDir != "") != (want != "") {
			t.Errorf("%s: %+v", url, o)
		}
	}
}
