package plan_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

const (
	public  = "https://api.kubeshark.co/kernel-modules"
	private = "s3://modules/pf_ring"
	own     = "registry.example.com/pf-ring"
	there   = "5.10.199-190.747.amzn2.x86_64"
	lacking = "6.8.0-51-generic"
	plus    = "6.6.87+"
)

func node(name, kernel string, platform cluster.Platform) cluster.Node {
	return cluster.Node{Name: name, Kernel: kernel, Arch: "amd64", OS: "linux", Platform: platform, Ready: true}
}

// on gives a node its system.
func on(n cluster.Node, osImage string) cluster.Node {
	n.OSImage = osImage
	return n
}

func arm64(n cluster.Node) cluster.Node {
	n.Arch = "arm64"
	return n
}

func facts(source string, nodes ...cluster.Node) plan.Facts {
	r := compatibility.Match(nodes, func(kernel, _ string) compatibility.Answer {
		if kernel == there {
			return compatibility.Answer{Supported: compatibility.Yes, Present: true, Version: "8.9.0"}
		}
		return compatibility.Answer{Supported: compatibility.No, Reason: "no-module-for-kernel"}
	})
	r.Source = source
	return plan.Facts{Report: r, SourceURL: source, PublicSource: source == public, Release: "pfring", Namespace: "kubeshark"}
}

// with changes facts.
func with(f plan.Facts, change func(*plan.Facts)) plan.Facts {
	change(&f)
	return f
}

// cutOff is a kernel whose nodes reach nothing.
func cutOff(kernel string) plan.Seen {
	return plan.Seen{Kernel: kernel, Arch: "amd64", Nodes: 1, Signed: "no", Source: "cannot fetch index.json: no route to host (source-unreachable, seen on a)", AskedSource: true, CutOff: true}
}

type planCase struct {
	name  string
	facts plan.Facts
	way   plan.Way
	ready bool
}

func cases() []planCase {
	one, two := node("a", there, cluster.Generic), node("b", lacking, cluster.Generic)
	third, windows := node("c", plus, cluster.Generic), node("w", "10.0.20348", cluster.Windows)
	unsigned := compatibility.Match([]cluster.Node{one}, func(string, string) compatibility.Answer {
		return compatibility.Answer{Supported: compatibility.No, Present: true, Reason: "source-unsigned"}
	})
	return []planCase{
		{"everything is there", facts(public, one, windows), plan.Auto, true},
		{"everything is there, own source", facts(private, one), plan.Auto, true},
		{"everything is there, no egress", with(facts(public, one), func(f *plan.Facts) { f.NoEgress = true }), plan.AutoPrivate, false},
		{"everything is there, no egress, own source", with(facts(private, one), func(f *plan.Facts) { f.NoEgress = true }), plan.Auto, true},
		{"no egress, KMM and own registry", with(facts(public, one), func(f *plan.Facts) {
			f.NoEgress, f.Addons, f.ImageRepository = true, cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}, own
		}), plan.KMMPrebuilt, false},
		{"no egress, source unread", with(facts(public, one, two), func(f *plan.Facts) { f.NoEgress, f.SourceUnread = true, true }), plan.AutoPrivate, false},
		{"one is missing", facts(public, one, two, third), plan.AutoPrivate, false},
		{"one is missing in an own source", facts(private, one, two), plan.Auto, false},
		{"one is missing in an own source, KMM there", with(facts(private, one, two), func(f *plan.Facts) {
			f.Addons = cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}
		}), plan.Auto, false},
		{"one is missing, KMM does not run", with(facts(public, one, two), func(f *plan.Facts) {
			f.Addons, f.ImageRepository = cluster.Addons{Known: true, KMM: true, KMMRuns: "no", CertManager: true}, own
		}), plan.AutoPrivate, false},
		{"one is missing, KMM there", with(facts(public, one, two), func(f *plan.Facts) {
			f.Addons, f.ImageRepository, f.ImageRepoSecret = cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}, own, "pull"
		}), plan.KMMPrebuilt, false},
		{"one is missing, built in the cluster", with(facts(public, one, two, third), func(f *plan.Facts) {
			f.BuildConfigMap, f.ImageRepository = "pf-ring-build", own
		}), plan.KMMBuild, false},
		{"one is missing, built by Dockerfiles of the chart", with(facts(public, one, on(two, "Ubuntu 24.04.1 LTS"),
			on(node("r", "5.14.0-427.el9.x86_64", cluster.Generic), "Rocky Linux 9.4 (Blue Onyx)"), on(node("s", "5.14.0-1.custom", cluster.Generic), "Slackware 15")), func(f *plan.Facts) {
			f.ImageRepository, f.Addons = own, cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}
		}), plan.KMMBuild, false},
		{"one is missing on two architectures", with(facts(public, on(two, "Ubuntu 24.04.1 LTS"), on(arm64(node("b2", lacking, cluster.Generic)), "Ubuntu 24.04.1 LTS")), func(f *plan.Facts) {
			f.ImageRepository, f.ImageRepoSecret, f.Addons = own, "push", cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}
		}), plan.KMMBuild, true},
		{"one is missing, no egress to build", with(facts(public, on(two, "Ubuntu 24.04.1 LTS")), func(f *plan.Facts) {
			f.ImageRepository, f.NoEgress, f.Addons = own, true, cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}
		}), plan.KMMPrebuilt, false},
		{"one is missing, OpenShift", with(facts(public, two), func(f *plan.Facts) { f.Addons = cluster.Addons{Known: true, OpenShift: true} }), plan.AutoPrivate, false},
		{"kmm asked for on OpenShift", with(facts(public, two), func(f *plan.Facts) {
			f.Mode, f.Addons = "kmm", cluster.Addons{Known: true, OpenShift: true}
		}), plan.KMMPrebuilt, false},
		{"one is missing, auto asked for", with(facts(public, one, two), func(f *plan.Facts) { f.Mode = "auto" }), plan.AutoPrivate, false},
		{"one is missing, auto from own source", with(facts(private, one, two), func(f *plan.Facts) { f.Mode = "auto" }), plan.Auto, false},
		{"all there, kmm asked for", with(facts(public, one), func(f *plan.Facts) {
			f.Mode, f.Addons = "kmm", cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}
		}), plan.KMMPrebuilt, true},
		{"nodes refuse the source", plan.Facts{Report: unsigned, SourceURL: public, PublicSource: true}, plan.Auto, false},
		{"no node can", facts(public, windows, node("f", there, cluster.Fargate)), plan.None, false},
		{"no node at all", facts(public), plan.None, false},
		{"bottlerocket may refuse", facts(private, node("a", there, cluster.Bottlerocket)), plan.Auto, true},
		{"no recipe for a system", facts(private, one, on(two, "Buildroot 2023.02.9")), plan.Auto, false},
		{"a kernel that some nodes refuse", facts(private, one, two, node("w2", lacking, cluster.Windows)), plan.Auto, false},
		{"a folder of the nodes", facts("file:///srv/pf-ring", one), plan.Auto, true},
		{"kernels alone", with(facts("", two), func(f *plan.Facts) {
			untried := compatibility.Match([]cluster.Node{two}, func(string, string) compatibility.Answer {
				return compatibility.Answer{Supported: compatibility.Unknown, Reason: verdict.BuildUntried, Message: "Whether it can be built depends on the system of its nodes, which is unknown."}
			})
			f.Supply = &untried
		}), plan.AutoSupply, true},
		{"nodes are cut off", with(facts(public, one), func(f *plan.Facts) { f.Seen = []plan.Seen{cutOff(there)} }), plan.AutoPrivate, false},
		{"some nodes are cut off", with(facts(public, one), func(f *plan.Facts) {
			f.Seen = []plan.Seen{cutOff(there), {Kernel: "6.12.0", Arch: "amd64", Nodes: 1, Signed: "no", AskedSource: true}}
		}), plan.Auto, false},
		{"nodes do not reach an own source", with(facts(private, one), func(f *plan.Facts) { f.Seen = []plan.Seen{cutOff(there)} }), plan.Auto, false},
		{"nodes reach everything", with(facts(public, one), func(f *plan.Facts) {
			f.Seen = []plan.Seen{{Kernel: there, Arch: "amd64", Nodes: 1, Signed: "no", AskedSource: true}}
		}), plan.Auto, true},
		{"a kernel takes only signed modules", with(facts(private, one), func(f *plan.Facts) {
			f.Seen = []plan.Seen{{Kernel: there, Arch: "amd64", Nodes: 1, Signed: "yes", AskedSource: true}}
		}), plan.Auto, false},
		{"a kernel takes no modules", with(facts(public, one), func(f *plan.Facts) {
			f.Seen = []plan.Seen{{Kernel: there, Arch: "amd64", Nodes: 1, Signed: "no", TakesNone: "kernel.modules_disabled is 1 there"}}
		}), plan.None, false},
		{"kmm, and the registry is out of reach", with(facts(public, two), func(f *plan.Facts) {
			f.ImageRepository = own
			f.Seen = []plan.Seen{{Kernel: lacking, Arch: "amd64", Nodes: 1, Signed: "no", Registry: "cannot reach the registry: connection refused (source-unreachable, seen on b)"}}
		}), plan.KMMPrebuilt, false},
		{"a long name", with(facts(public, two), func(f *plan.Facts) { f.Release, f.Mode = "a-release-with-a-rather-long-name", "kmm" }), plan.KMMPrebuilt, false},
		{"kmm keeps what it has", with(facts(private, one, two), func(f *plan.Facts) {
			current := compatibility.Match([]cluster.Node{one, two}, func(string, string) compatibility.Answer {
				return compatibility.Answer{Supported: compatibility.Yes, Present: true, Image: own + ":x"}
			})
			f.Current = &current
		}), plan.Keep, true},
		{"images were looked up", with(facts(public, one, two), func(f *plan.Facts) {
			f.Addons, f.ImageRepository, f.ImageRepoSecret = cluster.Addons{Known: true, KMM: true, KMMRuns: "yes", CertManager: true}, own, "pull"
			f.Images = func(kernel, _ string) compatibility.Answer {
				if kernel == there {
					return compatibility.Answer{Supported: compatibility.Yes}
				}
				return compatibility.Answer{Supported: compatibility.No, Message: "It is not in the registry."}
			}
		}), plan.KMMPrebuilt, false},
	}
}

func TestTheWayFollowsFromTheFacts(t *testing.T) {
	for _, test := range cases() {
		p := plan.Make(test.facts)
		if p.Way != test.way || p.Ready != test.ready {
			t.Errorf("%s: %s, ready %v; want %s, %v\n%v", test.name, p.Way, p.Ready, test.way, test.ready, p.First)
		}
		if len(p.Why) == 0 || p.Title == "" || p.Mode != test.way.Mode() {
			t.Errorf("%s: %+v", test.name, p)
		}
	}
}

func TestValidateAcceptsTheWrittenValues(t *testing.T) {
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range cases() {
		data, err := plan.Make(test.facts).ValuesYAML()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{
			Files: []string{"-"}, Stdin: bytes.NewReader(data), Defaults: defaults, ReleaseName: test.facts.Release, Namespace: test.facts.Namespace,
		})
		if err != nil {
			t.Fatal(err)
		}
		problems := doc.Validate()
		if errs, _ := valuesschema.Count(problems); errs > 0 {
			t.Errorf("%s: %v\n%s", test.name, problems, data)
		}
		values, err := doc.Typed()
		if err != nil {
			t.Fatal(err)
		}
		if way := plan.Make(test.facts).Way; values.Installs() == (way == plan.None) || way.Mode() != "" && values.Tap.KernelModule.Mode != way.Mode() {
			t.Errorf("%s: the values install %v in mode %s", test.name, values.Installs(), values.Tap.KernelModule.Mode)
		}
	}
}

// KMM must find for each kernel the very image that the plan names.
func TestTheMappingsGiveEachKernelItsImage(t *testing.T) {
	for _, test := range cases() {
		p := plan.Make(test.facts)
		if p.Mode != "kmm" {
			continue
		}
		data, err := plan.Make(test.facts).ValuesYAML()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		values, err := doc.Typed()
		if err != nil {
			t.Fatal(err)
		}
		m := compatibility.Mappings{List: values.Tap.KernelModule.KernelMappings}
		for _, k := range p.Kernels {
			got, ok, err := m.Find(k.Kernel)
			if err != nil || ok != (k.Image != "") || got.Image != k.Image || (got.Mapping.Build != nil) != (k.By == "build") {
				t.Errorf("%s: %s is mapped to %+v, %v; the plan says %+v", test.name, k.Kernel, got, err, k)
			}
		}
	}
}

func TestArchitecturesOfAKernelShareAMapping(t *testing.T) {
	arm := node("b", lacking, cluster.Generic)
	arm.Arch = "arm64"
	p := plan.Make(with(facts(public, node("a", lacking, cluster.Generic), arm), func(f *plan.Facts) { f.Mode = "kmm" }))
	data, err := p.ValuesYAML()
	if err != nil || strings.Count(string(data), "literal:") != 1 || len(p.Kernels) != 2 {
		t.Errorf("%v, %d kernels\n%s", err, len(p.Kernels), data)
	}
}

func TestNodesThatDoNotCountAreLeftOut(t *testing.T) {
	out := node("x", lacking, cluster.Generic)
	out.Excluded = true
	p := plan.Make(facts(public, node("a", there, cluster.Generic), out, node("fresh", "", cluster.Generic)))
	if p.Way != plan.Auto || len(p.Kernels) != 1 {
		t.Errorf("%s, %+v", p.Way, p.Kernels)
	}
}

func TestCommentsCannotLeaveTheirLine(t *testing.T) {
	f := facts(public, node("a", there, cluster.Generic))
	f.Report.Source = "x\ntap: {kernelModule: {enabled: false}}\r\u2028y"
	data, err := plan.Make(f).ValuesYAML()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "tap: {") || strings.HasPrefix(line, "y") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}

func TestOutputsAreAsRecorded(t *testing.T) {
	for _, test := range cases() {
		for _, format := range plan.Formats() {
			var out bytes.Buffer
			if err := plan.Make(test.facts).Write(&out, format); err != nil {
				t.Fatal(err)
			}
			name := strings.NewReplacer(" ", "-", ",", "").Replace(test.name) + "." + format + ".golden"
			goldentest.File(t, filepath.Join("testdata", name), out.Bytes())
		}
	}
	if err := (plan.Plan{}).Write(&bytes.Buffer{}, "xml"); err == nil {
		t.Error("xml was written")
	}
}

// Helm refuses the chart on an older Kubernetes, which is to be known before.
func TestPlanTellsOfAnOldKubernetes(t *testing.T) {
	for version, old := range map[string]bool{"v1.24.17": true, "v1.20.15-eks-1": true, "v1.25.0": false, "v1.36.2": false, "": false, "unknown": false} {
		p := plan.Make(with(facts(private, node("a", there, cluster.Generic)), func(f *plan.Facts) { f.Addons = cluster.Addons{Known: true, Kubernetes: version} }))
		told := len(p.First) > 0 && strings.Contains(p.First[0].What, "Upgrade the cluster to Kubernetes 1.25 or newer: it has "+version)
		if told != old {
			t.Errorf("%s: %v", version, p.First)
		}
	}
}
