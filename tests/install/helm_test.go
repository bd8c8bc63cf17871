package install_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
)

// waitTimeout is far beyond what a wait here takes; nothing but a bug meets it.
const waitTimeout = 2 * time.Minute

// helm runs Helm's actions in the namespace of one test.
type helm struct {
	*bed
	config *action.Configuration
	// polls counts how often Helm has asked about a DaemonSet.
	polls *atomic.Int64
}

// newHelm is Helm as its own command sets it up, with the log shown if the test fails.
func newHelm(b *bed) *helm {
	b.t.Helper()
	h := &helm{bed: b, config: new(action.Configuration), polls: new(atomic.Int64)}
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &shared.Kubeconfig, &b.namespace
	// Discovery is cached by the server's address, which another run may have had.
	cache := b.t.TempDir()
	flags.CacheDir = &cache
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.QPS = -1
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &pollCounter{next, h.polls} })
		return config
	}
	log := &logBuffer{}
	b.t.Cleanup(func() { log.showIfFailed(b.t) })
	if err := h.config.Init(flags, b.namespace, "secret", log.printf); err != nil {
		b.t.Fatal(err)
	}
	return h
}

func (h *helm) install(name string, values map[string]any, timeout time.Duration) (*release.Release, error) {
	install := action.NewInstall(h.config)
	install.ReleaseName, install.Namespace = name, h.namespace
	install.Wait, install.Timeout = timeout > 0, timeout
	return install.RunWithContext(h.ctx, loadChart(h.t), values)
}

// render returns the objects that an installation would make.
func (h *helm) render(values map[string]any) []object {
	h.t.Helper()
	return parse(h.t, h.dryRun(values).Manifest)
}

// hooks returns the objects that Helm runs beside an installation.
func (h *helm) hooks(values map[string]any) (objects []object) {
	h.t.Helper()
	for _, hook := range h.dryRun(values).Hooks {
		objects = append(objects, parse(h.t, hook.Manifest)...)
	}
	return objects
}

func (h *helm) dryRun(values map[string]any) *release.Release {
	h.t.Helper()
	install := action.NewInstall(h.config)
	install.ReleaseName, install.Namespace = "pfring", h.namespace
	install.DryRun, install.DryRunOption = true, "client"
	rel, err := install.RunWithContext(h.ctx, loadChart(h.t), values)
	if err != nil {
		h.t.Fatalf("rendering: %v", err)
	}
	return rel
}

func (h *helm) mustInstall(name string, values map[string]any) {
	h.t.Helper()
	if _, err := h.install(name, values, waitTimeout); err != nil {
		h.t.Fatalf("installing %s: %v", name, err)
	}
}

func (h *helm) upgrade(name string, values map[string]any) error {
	upgrade := action.NewUpgrade(h.config)
	upgrade.Namespace, upgrade.Wait, upgrade.Timeout = h.namespace, true, waitTimeout
	_, err := upgrade.RunWithContext(h.ctx, name, loadChart(h.t), values)
	return err
}

func (h *helm) rollback(name string, revision int) error {
	rollback := action.NewRollback(h.config)
	rollback.Version, rollback.Wait, rollback.Timeout = revision, true, waitTimeout
	return rollback.Run(name)
}

func (h *helm) uninstall(name string) error {
	uninstall := action.NewUninstall(h.config)
	uninstall.Wait, uninstall.Timeout = true, waitTimeout
	_, err := uninstall.Run(name)
	return err
}

// test is helm test, without logs: simulated nodes have none.
func (h *helm) test(name string) error {
	test := action.NewReleaseTesting(h.config)
	test.Namespace, test.Timeout = h.namespace, waitTimeout
	_, err := test.Run(name)
	return err
}

// background runs an action; the channel gives its error when it returns.
func (h *helm) background(run func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	return done
}

// stillWaits fails the test unless Helm goes on asking without returning.
func (h *helm) stillWaits(done <-chan error) {
	h.t.Helper()
	// The first may have been on its way; the second has seen the present state for certain.
	wanted := h.polls.Load() + 2
	h.waitFor("Helm to ask about the DaemonSet again", func() bool { return h.polls.Load() >= wanted || len(done) > 0 })
	select {
	case err := <-done:
		h.t.Fatalf("Helm did not wait: it returned %v", err)
	default:
	}
}

// returns waits for the end of an action that must succeed.
func (h *helm) returns(done <-chan error) {
	h.t.Helper()
	select {
	case err := <-done:
		if err != nil {
			h.t.Fatal(err)
		}
	case <-h.ctx.Done():
		h.t.Fatalf("Helm has not returned: %v", context.Cause(h.ctx))
	}
}

// pollCounter counts requests for one DaemonSet.
type pollCounter struct {
	next  http.RoundTripper
	count *atomic.Int64
}

func (p *pollCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/daemonsets/") {
		p.count.Add(1)
	}
	return p.next.RoundTrip(req)
}

// logBuffer keeps what Helm says.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, format+"\n", args...)
}

func (l *logBuffer) showIfFailed(t *testing.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.Failed() {
		t.Logf("Helm's log:\n%s", l.text.String())
	}
}
