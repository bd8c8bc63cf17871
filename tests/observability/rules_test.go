package observability_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func chartFile(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(charts.FS(), charts.Name+"/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// queries are those of the dashboard, by panel, with its variables filled in.
func queries(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(chartFile(t, "files/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			if out[p.Title] != "" {
				t.Fatalf("two panels are %q", p.Title)
			}
			out[p.Title] = strings.ReplaceAll(target.Expr, "$namespace", ".*")
		}
	}
	if len(out) < 9 {
		t.Fatalf("the dashboard has %d queries", len(out))
	}
	return out
}

func loaded(expires time.Time) outcome.Outcome {
	o := outcome.Outcome{Backend: outcome.PFRing, Reason: outcome.Loaded, IndexExpires: expires}
	o.Module = outcome.Module{Version: "8.9.0", SHA256: "ab", Source: "s3://modules/pf-ring", Verified: outcome.VerifiedSignature}
	return o
}

func fallback(reason outcome.Reason) outcome.Outcome {
	return outcome.Outcome{Backend: outcome.Libpcap, Reason: reason}
}

// scene is a minute-by-minute record of a cluster: node a loads and loses no
// packets, b loses one in ten, c has no module, d had one, e is switched off.
func scene(t *testing.T, minutes int, expires time.Time) []scrape {
	t.Helper()
	agents := map[string]*agent{
		"a": newAgent(t, "a", loaded(expires)), "b": newAgent(t, "b", loaded(expires)), "c": newAgent(t, "c", fallback(outcome.NoModuleForKernel)),
		"d": newAgent(t, "d", fallback(outcome.ModuleGone)), "e": newAgent(t, "e", fallback(outcome.Disabled)),
	}
	var out []scrape
	for minute := range minutes + 1 {
		agents["a"].ring(60000*minute, 0)
		agents["b"].ring(54000*minute, 6000*minute)
		for _, name := range slices.Sorted(maps.Keys(agents)) {
			out = append(out, agents[name].scrape(minute))
		}
		out = append(out, controller(minute))
	}
	return out
}

// controller is the supply controller: it has built one kernel's module and fails
// on another's, and its store refuses. Its index ends in a month.
func controller(minute int) scrape {
	text := fmt.Sprintf(`# TYPE pfring_supply_kernels gauge
pfring_supply_kernels{state="built"} 1
pfring_supply_kernels{state="failed"} 1
# TYPE pfring_supply_builds_total counter
pfring_supply_builds_total{kernel="6.1.0-56-amd64",arch="amd64",result="built"} 1
pfring_supply_builds_total{kernel="6.1.0-57-amd64",arch="amd64",result="failed"} %d
# TYPE pfring_supply_problems gauge
pfring_supply_problems{reason="store-failed"} 1
# TYPE pfring_supply_index_expires gauge
pfring_supply_index_expires %d
`, 1+minute/10, time.Now().Add(30*24*time.Hour).Unix())
	return scrape{minute, map[string]string{"namespace": "kubeshark", "pod": "pfring-pfring-controller-0"}, text}
}

// The made up controller has the real one's metrics.
func TestTheControllersMetricsAreThoseOfItsCode(t *testing.T) {
	code, err := os.ReadFile("../../internal/supply/controller/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	text := readDoc(t)
	for _, m := range metric.FindAllStringSubmatch(controller(0).Text, -1) {
		if !strings.Contains(string(code), `"`+m[1]+`"`) {
			t.Errorf("the controller has no metric %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`Name: "(pfring_supply_\w+)"`).FindAllStringSubmatch(string(code), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/observability.md does not name the metric %s", m[1])
		}
	}
}

func TestTheRulesFireForWhatTheyAreMeantForAndForNothingElse(t *testing.T) {
	start := time.Now().Add(-2 * time.Hour)
	const minutes = 75
	for name, c := range map[string]struct {
		expires time.Time
		want    []string
	}{
		"an index that ends in a week": {start.Add(7 * 24 * time.Hour), []string{"PFRingBuildFailed ", "PFRingFallback c", "PFRingIndexExpiresSoon ", "PFRingModuleGone d", "PFRingPacketsLost b", "PFRingSupplyProblem "}},
		"an index for a year":          {start.Add(365 * 24 * time.Hour), []string{"PFRingBuildFailed ", "PFRingFallback c", "PFRingModuleGone d", "PFRingPacketsLost b", "PFRingSupplyProblem "}},
		"no index":                     {time.Time{}, []string{"PFRingBuildFailed ", "PFRingFallback c", "PFRingModuleGone d", "PFRingPacketsLost b", "PFRingSupplyProblem "}},
	} {
		t.Run(name, func(t *testing.T) {
			out := prometheus(t, input{Rules: chartFile(t, "files/rules.yaml"), Start: start.Unix(), Minutes: minutes, Scrapes: scene(t, minutes, c.expires)})
			var got []string
			for _, a := range out.Alerts {
				got = append(got, a.Name+" "+a.Labels["node"])
				for what, text := range a.Annotations {
					if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") || strings.Contains(text, "<error") {
						t.Errorf("%s of %s is %q", what, a.Name, text)
					}
				}
				if a.Labels["severity"] != "warning" || a.Labels["namespace"] != "kubeshark" {
					t.Errorf("%+v", a.Labels)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("firing are %q, not %q", got, c.want)
			}
		})
	}
}

func TestNothingFiresAtOnce(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	out := prometheus(t, input{Rules: chartFile(t, "files/rules.yaml"), Start: start.Unix(), Minutes: 3, Scrapes: scene(t, 3, start.Add(time.Hour))})
	if len(out.Alerts) > 0 || len(out.Names) < 4 {
		t.Errorf("%+v", out)
	}
}

var metric = regexp.MustCompile(`(?m)^# TYPE (\S+) `)

func TestTheDashboardShowsNodesReasonsVersionsExpiryAndLosses(t *testing.T) {
	start := time.Now().Add(-time.Hour)
	scrapes := scene(t, 10, start.Add(30*24*time.Hour))
	exported := map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(scrapes[0].Text+controller(0).Text, -1) {
		exported[m[1]] = true
	}
	out := prometheus(t, input{Rules: chartFile(t, "files/rules.yaml"), Queries: queries(t), Start: start.Unix(), Minutes: 10, Scrapes: scrapes})
	for name := range queries(t) {
		if len(out.Results[name]) == 0 {
			t.Errorf("the panel %q shows nothing", name)
		}
	}
	if len(out.Metrics) != len(queries(t))+len(out.Names) {
		t.Errorf("only of %d expressions the metrics are known", len(out.Metrics))
	}
	for name, metrics := range out.Metrics {
		for _, m := range metrics {
			if !exported[m] {
				t.Errorf("%s asks for %s, which neither agent nor controller exports", name, m)
			}
		}
	}
	// Labels and value, with what is left of the others.
	find := func(panel string, want map[string]string, value float64) {
		t.Helper()
		for _, row := range out.Results[panel] {
			fits := row.Value > value-0.01 && row.Value < value+0.01
			for k, v := range want {
				fits = fits && row.Labels[k] == v
			}
			if fits {
				return
			}
		}
		t.Errorf("%s: no %v %v in %+v", panel, want, value, out.Results[panel])
	}
	find("Nodes with PF_RING", nil, 2)
	find("Nodes on libpcap", nil, 3)
	find("Nodes on libpcap, and why", map[string]string{"node": "c", "reason": "no-module-for-kernel"}, 1)
	find("Modules by version and kernel", map[string]string{"version": "8.9.0", "kernel": "6.1.0-56-amd64", "verified": "signature"}, 2)
	find("Packets lost by node and ring", map[string]string{"node": "b", "ring": "100-eth0.1"}, 100)
	find("Packets lost by node and ring", map[string]string{"node": "a", "ring": "100-eth0.1"}, 0)
	find("Open rings", nil, 2)
	if days := out.Results["Days until the index ends"][0].Value; days < 29 || days > 30.1 {
		t.Errorf("%v days", days)
	}
}

// What the agent exports is in the documentation, and the alerts too.
func TestTheDocumentationNamesEveryMetricAndAlert(t *testing.T) {
	text := readDoc(t)
	for _, m := range metric.FindAllStringSubmatch(newAgent(t, "a", loaded(time.Now())).scrape(0).Text, -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/observability.md does not name the metric %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`alert: (\S+)`).FindAllStringSubmatch(chartFile(t, "files/rules.yaml"), -1) {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/observability.md does not name the alert %s", m[1])
		}
	}
}
