package compatibility_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

const kernel = "6.1.0-18-cloud-amd64"

func linux(name string, platform cluster.Platform) cluster.Node {
	return cluster.Node{Name: name, Kernel: kernel, Arch: "amd64", OS: "linux", OSImage: "Some Linux 1", Platform: platform, Ready: true}
}

func has(signed bool) compatibility.Lookup {
	return func(string, string) compatibility.Answer {
		return compatibility.Answer{Supported: compatibility.Yes, Present: true, Version: "8.9.0", Signed: signed}
	}
}

func lacks(kernel, _ string) compatibility.Answer {
	return compatibility.Answer{Supported: compatibility.No, Reason: "no-module-for-kernel", Message: "None for " + kernel + ".", Remedy: "Build it."}
}

func TestEachPlatformIsJudgedByWhatItsNodesTake(t *testing.T) {
	for _, test := range []struct {
		platform cluster.Platform
		find     compatibility.Lookup
		want     compatibility.Supported
		reason   string
	}{
		{cluster.Generic, has(false), compatibility.Yes, ""},
		{cluster.Generic, lacks, compatibility.No, "no-module-for-kernel"},
		{cluster.Flatcar, has(false), compatibility.Yes, ""},
		{cluster.RHCOS, has(false), compatibility.Yes, ""},
		{cluster.RHCOS, lacks, compatibility.No, "no-module-for-kernel"},
		{cluster.Talos, has(false), compatibility.No, verdict.PlatformSigned},
		{cluster.Talos, has(true), compatibility.Unknown, verdict.PlatformUnclear},
		{cluster.Talos, lacks, compatibility.No, "no-module-for-kernel"},
		{cluster.Bottlerocket, has(false), compatibility.Unknown, verdict.PlatformUnclear},
		{cluster.Bottlerocket, lacks, compatibility.No, "no-module-for-kernel"},
		{cluster.COSOther, has(false), compatibility.Unknown, verdict.PlatformUnclear},
		{cluster.COS, has(true), compatibility.No, verdict.PlatformForbids},
		{cluster.GKEAutopilot, has(true), compatibility.No, verdict.PlatformForbids},
		{cluster.EKSAutoMode, has(true), compatibility.Unknown, verdict.PlatformUnclear},
		{cluster.EKSAutoMode, lacks, compatibility.No, "no-module-for-kernel"},
		{cluster.Fargate, has(true), compatibility.No, verdict.PlatformForbids},
		{cluster.VirtualKubelet, has(true), compatibility.No, verdict.PlatformForbids},
		{cluster.Windows, has(true), compatibility.No, verdict.PlatformForbids},
	} {
		got := compatibility.Match([]cluster.Node{linux("n", test.platform)}, test.find).Nodes[0]
		if got.Supported != test.want || got.Reason != test.reason {
			t.Errorf("%q: %s (%s), want %s (%s)", test.platform, got.Supported, got.Reason, test.want, test.reason)
		}
		if test.want != compatibility.Yes && (got.Message == "" || got.Remedy == "") {
			t.Errorf("%q: neither why nor what to do: %+v", test.platform, got)
		}
		if test.platform != cluster.Generic && got.Source == "" {
			t.Errorf("%q: no page to read on: %+v", test.platform, got)
		}
	}
}

func TestWhatANodeDoesNotTellIsUnknown(t *testing.T) {
	for _, n := range []cluster.Node{{Name: "no-kernel", Arch: "amd64"}, {Name: "no-arch", Kernel: kernel}} {
		got := compatibility.Match([]cluster.Node{n}, func(string, string) compatibility.Answer {
			t.Errorf("%s: asked the source for what is not known", n.Name)
			return compatibility.Answer{}
		}).Nodes[0]
		if got.Supported != compatibility.Unknown || got.Reason != verdict.NotReported {
			t.Errorf("%s: %+v", n.Name, got)
		}
	}
}

func TestTheSourceIsAskedOnceForEachKernelAndArchitecture(t *testing.T) {
	var nodes []cluster.Node
	for i := range 300 {
		n := linux(fmt.Sprintf("n%03d", i), cluster.Generic)
		n.Kernel = fmt.Sprintf("6.1.0-%d", i%3)
		if i%2 == 1 {
			n.Arch = "arm64"
		}
		if i%7 == 0 {
			n.Platform = cluster.Windows
		}
		nodes = append(nodes, n)
	}
	var asked []string
	compatibility.Match(nodes, func(kernel, arch string) compatibility.Answer {
		asked = append(asked, kernel+" "+arch)
		return compatibility.Answer{Supported: compatibility.Yes}
	})
	slices.Sort(asked)
	want := []string{"6.1.0-0 amd64", "6.1.0-0 arm64", "6.1.0-1 amd64", "6.1.0-1 arm64", "6.1.0-2 amd64", "6.1.0-2 arm64"}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("asked for %q", asked)
	}
}

func TestVerdict(t *testing.T) {
	yes, no, unknown := linux("a", cluster.Generic), linux("b", cluster.Windows), linux("c", cluster.Bottlerocket)
	out := linux("d", cluster.Fargate)
	out.Excluded = true
	for _, test := range []struct {
		nodes      []cluster.Node
		compatible bool
		verdict    string
	}{
		{nil, false, "Cluster is not compatible: no node is selected"},
		{[]cluster.Node{out}, false, "Cluster is not compatible: no node is selected"},
		{[]cluster.Node{yes}, true, "Cluster is compatible"},
		{[]cluster.Node{yes, out}, true, "Cluster is compatible"},
		{[]cluster.Node{yes, no}, false, "Cluster is not compatible: 1 of 2 is not supported"},
		{[]cluster.Node{yes, unknown}, false, "Cluster may not be compatible: 1 of 2 is unknown"},
		{[]cluster.Node{no, no, unknown, out}, false, "Cluster is not compatible: 2 of 3 are not supported, 1 unknown"},
	} {
		r := compatibility.Match(test.nodes, has(false))
		r.Conclude()
		if r.Compatible != test.compatible || r.Verdict != test.verdict {
			t.Errorf("%d nodes: %v, %q, want %q", len(test.nodes), r.Compatible, r.Verdict, test.verdict)
		}
	}
}

func TestAKernelIsSummedUpByWhatCouldBeHelped(t *testing.T) {
	nodes := []cluster.Node{linux("a", cluster.Windows), linux("b", cluster.Generic), linux("c", cluster.Generic)}
	k := compatibility.Match(nodes, lacks).Kernels
	if len(k) != 1 || k[0].Nodes != 3 || k[0].No != 3 || k[0].Remedy != "Build it." {
		t.Errorf("%+v", k)
	}
}

func TestFindingsAreToldOnceWithTheirNodes(t *testing.T) {
	nodes := []cluster.Node{linux("b", cluster.Generic), linux("a", cluster.Generic), linux("c", cluster.Windows)}
	f := compatibility.Match(nodes, lacks).Findings()
	if len(f) != 2 || f[0].Nodes != 2 || f[0].Example != "a" || !strings.Contains(f[1].Message, "Windows") {
		t.Errorf("%+v", f)
	}
}

// BenchmarkMatch judges 5,000 nodes with 200 kernels.
func BenchmarkMatch(b *testing.B) {
	nodes := make([]cluster.Node, 5000)
	for i := range nodes {
		nodes[i] = linux(fmt.Sprintf("node-%05d", i), cluster.Generic)
		nodes[i].Kernel = fmt.Sprintf("6.1.%d-18-amd64", i%200)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := compatibility.Match(nodes, has(false)); !r.Compatible || len(r.Kernels) != 200 {
			b.Fatal(r.Totals)
		}
	}
}
