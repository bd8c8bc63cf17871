package build

import (
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func node(name, kernel, arch, osImage string) cluster.Node {
	return cluster.Node{Name: name, Kernel: kernel, Arch: arch, OS: "linux", OSImage: osImage, Ready: true}
}

const (
	debian = "Debian GNU/Linux 12 (bookworm)"
	ubuntu = "Ubuntu 22.04.5 LTS"
)

func TestPlanTakesEachKernelOnceOnNodesThatTakePods(t *testing.T) {
	cordoned, notReady := node("b", "6.1.0-18-amd64", "amd64", debian), node("c", "6.1.0-18-amd64", "amd64", debian)
	cordoned.Cordoned, notReady.Ready = true, false
	talos := node("t", "6.12.1-talos", "amd64", "Talos (v1.9.0)")
	talos.Platform = cluster.Talos
	fargate := node("f", "5.10.1-fargate", "amd64", "Amazon Linux 2")
	fargate.Platform = cluster.Fargate
	windows := node("w", "10.0.20348", "amd64", "Windows Server")
	windows.OS = "windows"
	alone := node("z", "6.1.0-19-amd64", "amd64", debian)
	alone.Cordoned = true
	left := node("x", "6.1.0-20-amd64", "amd64", debian)
	left.Excluded = true
	nodes := []cluster.Node{
		node("a2", "6.1.0-18-amd64", "amd64", debian), node("a1", "6.1.0-18-amd64", "amd64", debian), cordoned, notReady, talos, fargate, windows, alone, left,
		node("u", "6.8.0-51-generic", "amd64", ubuntu), node("v", "6.8.0-51-generic", "arm64", ubuntu), node("has", "6.1.0-10-amd64", "amd64", debian),
		node("s", "6.6.1-gentoo", "amd64", "Gentoo Linux 2.15"),
	}
	targets, skipped, err := Plan(nodes, Choice{
		Has: func(kernel, _ string) bool { return kernel == "6.1.0-10-amd64" },
		Refuses: func(n cluster.Node) string {
			if n.Platform == cluster.Fargate {
				return "no module is of use there"
			}
			return ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range targets {
		got = append(got, target.String()+" on "+strings.Join(target.Nodes, ",")+" by "+target.Recipe.Name)
	}
	want := "6.1.0-18-amd64 amd64 on a1,a2 by debian; 6.8.0-51-generic amd64 on u by debian; 6.8.0-51-generic arm64 on v by debian"
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	reasons := map[string]string{"6.12.1-talos": "Talos", "6.1.0-19-amd64": "cordoned", "6.6.1-gentoo": "--image and --script"}
	for _, s := range skipped {
		if says := reasons[s.Kernel]; says == "" || !strings.Contains(s.Err.Error(), says) {
			t.Errorf("skipped %s: %v", s.Kernel, s.Err)
		}
		delete(reasons, s.Kernel)
	}
	if len(reasons) > 0 {
		t.Errorf("not told: %v", reasons)
	}
}

func TestPlanByName(t *testing.T) {
	nodes := []cluster.Node{
		node("a", "6.1.0-18-amd64", "amd64", debian), node("u", "6.8.0-51-generic", "amd64", ubuntu), node("v", "6.8.0-51-generic", "arm64", ubuntu),
		node("bad", "6.1/../../etc", "amd64", debian), node("plus", "5.14.0-503.el9.aarch64+64k", "arm64", "Rocky Linux 9.5 (Blue Onyx)"),
		node("odd", "4.19.0-custom", "amd64", "My Linux"),
	}
	has := func(string, string) bool { return true }
	for _, c := range []struct {
		name   string
		choice Choice
		want   string
		fails  string
	}{
		{"also where there is a module", Choice{Kernels: []string{"6.1.0-18-amd64"}, Has: has}, "6.1.0-18-amd64 amd64", ""},
		{"one architecture of it", Choice{Kernels: []string{"6.8.0-51-generic"}, Archs: []string{"arm64"}}, "6.8.0-51-generic arm64", ""},
		{"a flavour behind a plus", Choice{Kernels: []string{"5.14.0-503.el9.aarch64+64k"}}, "5.14.0-503.el9.aarch64+64k arm64", ""},
		{"that no node runs", Choice{Kernels: []string{"6.1.0-99-amd64"}}, "", "no node runs kernel 6.1.0-99-amd64, only "},
		{"on an architecture that no node has", Choice{Kernels: []string{"6.1.0-18-amd64"}, Archs: []string{"arm64"}}, "", "no node runs kernel 6.1.0-18-amd64 arm64"},
		{"with a slash", Choice{Kernels: []string{"../6.1"}}, "", "invalid kernel release"},
		{"with a line break", Choice{Kernels: []string{"6.1\nevil"}}, "", "invalid kernel release"},
		{"of a system that is not known, with a builder", Choice{Kernels: []string{"4.19.0-custom"}, AnySystem: true}, "4.19.0-custom amd64", ""},
		{"none lacks one", Choice{Has: has}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			targets, _, err := Plan(nodes, c.choice)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("error %v, want %q", err, c.fails)
			}
			var got []string
			for _, target := range targets {
				got = append(got, target.String())
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%q", got)
			}
		})
	}
	_, skipped, err := Plan(nodes[3:4], Choice{})
	if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0].Err.Error(), "invalid kernel release") {
		t.Errorf("a node whose kernel has a slash: %v %v", skipped, err)
	}
}
