package release_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

const (
	repository = "https://modules.example.com/pf-ring"
	images     = "registry.example.com/pf-ring"
)

// world is a cluster, and what repository and registry have.
type world struct {
	nodes []cluster.Node
	// has and pushed tell by kernel and architecture; refused is why nodes take
	// nothing from the repository, or "".
	has, pushed map[string]bool
	refused     string
}

func worlds() *rapid.Generator[world] {
	kernels := []string{"6.1.0-18-amd64", "6.8.0-51-generic", "5.14.0-427.el9.x86_64", "6.6.87+", "99.1.0", "6.1"}
	systems := []string{"Debian GNU/Linux 12 (bookworm)", "Ubuntu 24.04.1 LTS", "Rocky Linux 9.4 (Blue Onyx)", "Buildroot 2021", ""}
	platforms := []cluster.Platform{cluster.Generic, cluster.Generic, cluster.Generic, cluster.Bottlerocket, cluster.Talos, cluster.Fargate}
	return rapid.Custom(func(t *rapid.T) world {
		w := world{has: map[string]bool{}, pushed: map[string]bool{}, refused: rapid.SampledFrom([]string{"", "", "source-unsigned"}).Draw(t, "refused")}
		for i := range rapid.IntRange(0, 8).Draw(t, "nodes") {
			n := cluster.Node{
				Name: fmt.Sprintf("n%d", i), OS: "linux", Ready: true,
				Kernel: rapid.SampledFrom(kernels).Draw(t, "kernel"), Arch: rapid.SampledFrom([]string{"amd64", "amd64", "arm64", "s390x"}).Draw(t, "arch"),
				OSImage: rapid.SampledFrom(systems).Draw(t, "system"), Platform: rapid.SampledFrom(platforms).Draw(t, "platform"),
				Excluded: rapid.IntRange(0, 9).Draw(t, "excluded") == 0,
			}
			w.nodes = append(w.nodes, n)
			w.has[n.Kernel+n.Arch] = rapid.Bool().Draw(t, "has")
			w.pushed[n.Kernel+n.Arch] = rapid.Bool().Draw(t, "pushed")
		}
		return w
	})
}

func (w world) source(kernel, arch string) verdict.Answer {
	switch {
	case !w.has[kernel+arch]:
		return verdict.Answer{Supported: verdict.No, Reason: "no-module-for-kernel", Message: "None.", Remedy: verdict.BuildRemedy(kernel)}
	case w.refused != "":
		return verdict.Answer{Supported: verdict.No, Present: true, Reason: w.refused, Message: "Refused."}
	}
	return verdict.Answer{Supported: verdict.Yes, Present: true, Version: "8.9.0"}
}

func (w world) image(kernel, arch string) verdict.Answer {
	if w.pushed[kernel+arch] {
		return verdict.Answer{Supported: verdict.Yes, Present: true}
	}
	return verdict.Answer{Supported: verdict.No, Reason: compatibility.ReasonImageMissing, Message: "It is not in the registry."}
}

// compatibility is what pfring compatibility says of values.
func (w world) compatibility(k valuesschema.KernelModule) compatibility.Report {
	g := release.Gathered{Nodes: w.nodes}
	switch {
	case k.Mode == "kmm":
		m := compatibility.Mappings{List: k.KernelMappings, ModuleName: "pfring-pf-ring", Namespace: "kubeshark"}
		mapped := m.Lookup(nil, nil)
		g.Source = func(kernel, arch string) verdict.Answer {
			a := mapped(kernel, arch)
			if a.Reason != compatibility.ReasonImageNotChecked {
				return a
			}
			b := w.image(kernel, arch)
			b.Mapping, b.Image = a.Mapping, a.Image
			return b
		}
	case k.Source.URL != "":
		g.Source = w.source
	}
	return g.Report(k)
}

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
	for _, seed := range []string{"1", "2"} {
		// The same worlds each time: no test fails by chance.
		for name, value := range map[string]string{"rapid.seed": seed, "rapid.checks": "60", "rapid.nofailfile": "true"} {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		rapid.Check(t, keepsPromises)
	}
}

func keepsPromises(t *rapid.T) {
	w, text := worlds().Draw(t, "world"), drawValues(t)
	k := load(t, text).Tap.KernelModule
	current := w.compatibility(k)

	auto := k
	auto.Mode = "auto"
	on, off := true, false
	auto.Supply.Enabled = &off
	source := w.compatibility(auto)
	auto.Supply.Enabled, auto.Source.URL = &on, ""
	supplied := w.compatibility(auto)
	f := plan.Facts{
		SupplyOn: k.Supply.Enabled != nil && *k.Supply.Enabled, Report: source, Supply: &supplied, Current: &current, SourceURL: k.Source.URL, Release: "pfring", Namespace: "kubeshark",
		Addons: cluster.Addons{Known: true, KMM: rapid.Bool().Draw(t, "kmm"), CertManager: true},
	}
	if f.Addons.KMM {
		f.Addons.KMMRuns = rapid.SampledFrom([]string{"yes", "no", "unknown"}).Draw(t, "runs")
	}
	if rapid.Bool().Draw(t, "own images") {
		f.ImageRepository, f.Images = images, w.image
	}
	p := plan.Make(f)
	data, err := p.ValuesYAML()
	if err != nil {
		t.Fatal(err)
	}
	planned := w.compatibility(load(t, text, string(data)).Tap.KernelModule)

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
