package release_test

import (
	"bytes"
	"io/fs"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/worldtest"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

const (
	repository = worldtest.Repository
	images     = "registry.example.com/pf-ring"
)

func good(r compatibility.Report) int { return r.Totals.Yes + r.Totals.WillBeBuilt }

// load merges and validates values as the commands do.
func load(t interface{ Fatal(...any) }, texts ...string) valuesschema.Values {
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := valuesschema.LoadOptions{Defaults: defaults, ReleaseName: "pfring", Namespace: "kubeshark", Files: []string{"-"}, Stdin: bytes.NewReader([]byte(texts[len(texts)-1]))}
	if len(texts) > 1 {
		o.Base = []byte(texts[0])
	}
	doc, err := valuesschema.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Validate() {
		if p.Severity == valuesschema.Error {
			t.Fatal(p, "\n", texts)
		}
	}
	v, err := doc.Typed()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func drawValues(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"{}",
		"tap: {kernelModule: {source: {url: '" + repository + "', verify: checksum}}}",
		"tap: {kernelModule: {source: {url: '" + repository + "', verify: checksum}, supply: {enabled: true}}}",
		"tap: {kernelModule: {mode: kmm, kernelMappings: [{regexp: '^.+$', containerImage: '" + images + ":${KERNEL_FULL_VERSION}'}]}}",
		"tap: {kernelModule: {mode: kmm, kernelMappings: [{literal: 6.1.0-18-amd64, containerImage: '" + images + ":6.1.0-18-amd64'}]}}",
	}).Draw(t, "values")
}

// A plan never takes a module away from a node, promises nothing that compatibility
// of its values does not find, and names kmm only where its operator runs.
func TestAPlanKeepsWhatItPromises(t *testing.T) {
	worldtest.Check(t, keepsPromises)
}

func keepsPromises(t *rapid.T) {
	w, text := worldtest.Worlds().Draw(t, "world"), drawValues(t)
	k := load(t, text).Tap.KernelModule
	current := w.Compatibility(k)

	auto := k
	auto.Mode = "auto"
	on, off := true, false
	auto.Supply.Enabled = &off
	source := w.Compatibility(auto)
	auto.Supply.Enabled, auto.Source.URL = &on, ""
	supplied := w.Compatibility(auto)
	f := plan.Facts{
		SupplyOn: k.Supply.Enabled != nil && *k.Supply.Enabled, Report: source, Supply: &supplied, Current: &current, SourceURL: k.Source.URL, Release: "pfring", Namespace: "kubeshark",
		Addons: cluster.Addons{Known: true, KMM: rapid.Bool().Draw(t, "kmm"), CertManager: true},
	}
	if f.Addons.KMM {
		f.Addons.KMMRuns = rapid.SampledFrom([]string{"yes", "no", "unknown"}).Draw(t, "runs")
	}
	if rapid.Bool().Draw(t, "own images") {
		f.ImageRepository, f.Images = images, w.Image
	}
	p := plan.Make(f)
	data, err := p.ValuesYAML()
	if err != nil {
		t.Fatal(err)
	}
	planned := w.Compatibility(load(t, text, string(data)).Tap.KernelModule)

	if p.Way != plan.None && good(planned) < good(current) {
		t.Fatalf("%s supports %d nodes, the values at hand %d\n%s\n%s", p.Way, good(planned), good(current), text, data)
	}
	if p.Mode == "kmm" && f.Addons.KMMRuns != "yes" {
		t.Fatalf("kmm is proposed, and its operator's state is %q", f.Addons.KMMRuns)
	}
	for _, promise := range p.Kernels {
		if !promise.Supported.Good() {
			continue
		}
		found := 0
		for _, n := range planned.Nodes {
			if n.Kernel == promise.Kernel && n.Arch == promise.Arch && n.Supported.Good() {
				found++
			}
		}
		if found == 0 {
			t.Fatalf("%s: the plan promises %s for %s %s, and compatibility finds no node of it\n%s\n%s", p.Way, promise.Supported, promise.Kernel, promise.Arch, text, data)
		}
	}
	if p.Way == plan.None && good(current) > 0 {
		t.Fatalf("nothing is planned where %d nodes are supported\n%s", good(current), text)
	}
}
