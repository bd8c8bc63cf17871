package build

import (
	"errors"
	"strings"
	"testing"
)

func TestTheNewestVersionThatFitsAKernelIsChosen(t *testing.T) {
	for _, c := range []struct {
		kernel  string
		version string
		known   bool
		says    string
	}{
		{"6.1.0-56-amd64", "8.9.0", true, "built here"},
		{"6.12.117+deb12-cloud-amd64", "8.9.0", true, "built here"},
		{"5.4.0-150-generic", "8.9.0", true, "built here"},
		{"4.18.0-553.el8_10.x86_64", "8.9.0", true, "built here"},
		{"6.13.0-1-amd64", "8.9.0", false, "is 6.13"},
		{"7.0.1", "8.9.0", false, "is 7.0"},
		{"next-20260101", "8.9.0", false, "does not begin with a version"},
	} {
		if got := VersionFor(c.kernel); got.Version != c.version || got.Known != c.known || !strings.Contains(got.Why, c.says) {
			t.Errorf("%s: %+v", c.kernel, got)
		}
	}
}

func TestWhatIsKnownOfAVersionIsSaid(t *testing.T) {
	for _, c := range []struct {
		version, kernel string
		known           bool
		says            string
	}{
		{"8.4.0", "6.1.192", false, "known not to compile"},
		{"8.4.0", "6.8.0-31-generic", false, "known not to compile"},
		{"8.6.1", "6.1.0-56-cloud-amd64", true, "6.4+"},
		{"8.6.1", "6.8.0", false, "6.4"},
		{"9.9.9", "6.1.0", false, "unknown whether"},
	} {
		if got := FitOf(c.version, c.kernel); got.Known != c.known || !strings.Contains(got.Why, c.says) {
			t.Errorf("%s on %s: %+v", c.version, c.kernel, got)
		}
	}
}

func TestTheArchitectureIsReadFromARelease(t *testing.T) {
	for kernel, want := range map[string]string{
		"6.1.0-18-cloud-amd64": "amd64", "6.1.0-18-arm64": "arm64", "5.14.0-362.el9.x86_64": "amd64", "5.14.0-362.el9.aarch64+64k": "arm64",
		"6.8.0-31-generic": "", "6.1.112": "",
	} {
		if got := GuessArch(kernel); got != want {
			t.Errorf("%s: %q", kernel, got)
		}
	}
}

func TestAnEndlessLogIsNoModule(t *testing.T) {
	endless := strings.NewReader(strings.Repeat(strings.Repeat("x", 8<<10)+"\n", maxLog/(8<<10)))
	r, err := Decode(endless, mark, nil, nil)
	if err != nil || r.Module != nil || !errors.Is(r.Problem, errEndless) {
		t.Errorf("%v, %v", r.Problem, err)
	}
}

func TestAJobForAKernelThatNoNodeRunsGoesByArchitecture(t *testing.T) {
	s := Settings{Namespace: "x", NodeSelector: map[string]string{"pool": "build"}, Mirrors: map[string]string{"http://b": "http://m/b", "http://a": "http://m/a"}}
	target := Target{Kernel: "6.1.0-18-amd64", Arch: "amd64", Nodes: []string{"n1"}, Recipe: Recipes()[0]}
	pod := s.Job(target, "run", mark, 0).Spec.Template.Spec
	if pod.Affinity != nil || pod.NodeSelector["pool"] != "build" || pod.NodeSelector["kubernetes.io/arch"] != "amd64" {
		t.Errorf("%+v %+v", pod.NodeSelector, pod.Affinity)
	}
	for _, e := range pod.Containers[0].Env {
		if e.Name == "PFRING_MIRRORS" && e.Value != "http://a http://m/a\nhttp://b http://m/b" {
			t.Errorf("%q", e.Value)
		}
	}
	s.HostHeaders = true
	if pod := s.Job(target, "run", mark, 0).Spec.Template.Spec; pod.Affinity == nil {
		t.Error("headers of the node need a node that runs the kernel")
	}
	target.Nodes = nil
	if pod := s.Job(target, "run", mark, 0).Spec.Template.Spec; pod.Affinity != nil || pod.NodeSelector["kubernetes.io/arch"] != "amd64" {
		t.Error("no node runs the kernel")
	}
	if job := s.Job(target, "run", mark, 0); markOf(job) != mark {
		t.Errorf("mark %q", markOf(job))
	}
}
