package decide

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

const debian = "Debian GNU/Linux 12 (bookworm)"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func node(name, kernel string) cluster.Node {
	return cluster.Node{Name: name, Kernel: kernel, Arch: "amd64", OS: "linux", OSImage: debian, Ready: true}
}

func entry(kernel, version string) module.Entry {
	return module.Entry{KernelRelease: kernel, Arch: "amd64", Version: version, Size: 1, SHA256: kernel + version, Path: kernel + "/" + version}
}

func situation(nodes ...cluster.Node) Situation {
	return Situation{
		Now: now, Parallel: 2, Keep: 30 * 24 * time.Hour, Wants: Wants(nodes, nil), Last: &supply.Status{},
		Inputs: func(_ build.Target, version string) string { return "i" + version },
	}
}

func state(t *testing.T, p Plan, kernel string) supply.KernelStatus {
	t.Helper()
	for _, k := range p.Kernels {
		if k.Kernel == kernel {
			return k
		}
	}
	t.Fatalf("no state of %s in %+v", kernel, p.Kernels)
	return supply.KernelStatus{}
}

func begun(p Plan) string {
	var list []string
	for _, b := range p.Begin {
		list = append(list, fmt.Sprintf("%s:%s:%d", b.Target.Kernel, b.Version, b.Try))
	}
	return strings.Join(list, " ")
}

func TestKernelsAreBuiltForThatNoStoreHas(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"), node("b", "6.1.0-2-amd64"), node("c", "6.1.0-2-amd64"), node("d", "6.1.0-3-amd64"), node("e", "6.1.0-4-amd64"))
	s.Have = []module.Entry{entry("6.1.0-1-amd64", "8.9.0")}
	s.Sourced = func(k Key) bool { return k.Kernel == "6.1.0-4-amd64" }
	p := Decide(s)
	if got := begun(p); got != "6.1.0-2-amd64:8.9.0:1 6.1.0-3-amd64:8.9.0:1" {
		t.Errorf("begins %s", got)
	}
	for kernel, want := range map[string]supply.State{"6.1.0-1-amd64": supply.Built, "6.1.0-2-amd64": supply.Queued, "6.1.0-4-amd64": supply.Sourced} {
		if got := state(t, p, kernel).State; got != want {
			t.Errorf("%s is %s, want %s", kernel, got, want)
		}
	}
	if len(p.List) != 1 || len(p.Drop) != 0 {
		t.Errorf("lists %v, drops %v", p.List, p.Drop)
	}
}

func TestNoMoreBuildsRunThanAllowedAndMoreNodesGoFirst(t *testing.T) {
	var nodes []cluster.Node
	for k := range 5 {
		for n := range k + 1 {
			nodes = append(nodes, node(fmt.Sprintf("n%d-%d", k, n), fmt.Sprintf("6.1.0-%d-amd64", k)))
		}
	}
	s := situation(nodes...)
	s.Building = map[Key]bool{{"6.1.0-4-amd64", "amd64"}: true}
	if got := begun(Decide(s)); got != "6.1.0-3-amd64:8.9.0:1" {
		t.Errorf("begins %s", got)
	}
	s.Building[Key{"6.1.0-3-amd64", "amd64"}] = true
	if got := begun(Decide(s)); got != "" {
		t.Errorf("begins %s", got)
	}
}

func TestAFailedBuildWaitsLongerEachTime(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"))
	failed := supply.KernelStatus{Kernel: "6.1.0-1-amd64", Arch: "amd64", State: supply.Failed, Version: "8.9.0", Inputs: "i8.9.0", Tries: 3, NextTry: now.Add(Pause(3)), Reason: supply.NoEgress, Message: "no way"}
	s.Last = &supply.Status{Kernels: []supply.KernelStatus{failed}}
	p := Decide(s)
	if k := state(t, p, failed.Kernel); k.State != supply.Failed || k.Tries != 3 || k.Reason != supply.NoEgress || k.Message != "no way" || len(p.Begin) != 0 || !p.Next.Equal(failed.NextTry) {
		t.Errorf("%+v begins %s, next %v", k, begun(p), p.Next)
	}
	s.Now = failed.NextTry
	if got := begun(Decide(s)); got != "6.1.0-1-amd64:8.9.0:4" {
		t.Errorf("begins %s", got)
	}
	// Other inputs, such as a corrected proxy, begin again and at once.
	s.Now, s.Inputs = now, func(build.Target, string) string { return "other" }
	if got := begun(Decide(s)); got != "6.1.0-1-amd64:8.9.0:1" {
		t.Errorf("begins %s", got)
	}
	var pauses []time.Duration
	for n := range 14 {
		pauses = append(pauses, Pause(n+1))
	}
	if pauses[0] != time.Minute || pauses[3] != 8*time.Minute || pauses[13] != 12*time.Hour || !slices.IsSorted(pauses) {
		t.Errorf("%v", pauses)
	}
}

func TestWhatWouldFailAgainIsTriedOnce(t *testing.T) {
	s := situation(node("a", "7.5.0-1-amd64"))
	p := Decide(s)
	if got := begun(p); got != "7.5.0-1-amd64:8.9.0:1" || !strings.Contains(state(t, p, "7.5.0-1-amd64").Message, "tried once") {
		t.Errorf("begins %s: %+v", got, p.Kernels)
	}
	s.Last = &supply.Status{Kernels: []supply.KernelStatus{{Kernel: "7.5.0-1-amd64", Arch: "amd64", State: supply.Failed, Version: "8.9.0", Inputs: "i8.9.0", Tries: 1, Reason: supply.TooNew}}}
	if p := Decide(s); len(p.Begin) != 0 || state(t, p, "7.5.0-1-amd64").Reason != supply.TooNew {
		t.Errorf("%+v", p)
	}
}

func TestSystemsWithoutARecipeAreUnsupportedAndSayWhy(t *testing.T) {
	alpine, cos, windows := node("a", "6.6.1-0-lts"), node("b", "6.6.2"), node("c", "10.0")
	alpine.OSImage = "Alpine Linux v3.20"
	cos.Platform, cos.OSImage = cluster.COS, "Container-Optimized OS from Google"
	windows.OS = "windows"
	s := situation(alpine, cos, windows, node("d", "6.1;rm"))
	p := Decide(s)
	if len(p.Kernels) != 3 || len(p.Begin) != 0 {
		t.Fatalf("%+v", p)
	}
	for kernel, says := range map[string]string{"6.6.1-0-lts": "no recipe for Alpine", "6.6.2": "modules cannot be loaded on Container-Optimized OS", "6.1;rm": "invalid kernel release"} {
		if k := state(t, p, kernel); k.State != supply.Unsupported || k.Reason != supply.NoRecipe || !strings.Contains(k.Message, says) {
			t.Errorf("%+v", k)
		}
	}
}

// What a Node object says of itself is whatever its kubelet says, which is bounded by
// nothing.
func TestNodesThatSayOddThingsOfThemselves(t *testing.T) {
	odd := func(kernel, arch, image string) cluster.Node {
		return cluster.FromObject(&corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux"}},
			Status:     corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KernelVersion: kernel, Architecture: arch, OSImage: image}},
		})
	}
	for name, c := range map[string]struct {
		kernel, arch, image string
		// state is "" where the node counts as none.
		state supply.State
		words string
	}{
		"no kernel":                   {"", "amd64", debian, "", ""},
		"200 characters":              {strings.Repeat("6", 200), "amd64", debian, supply.Unsupported, "invalid kernel release"},
		"64 characters":               {"6" + strings.Repeat("1", 63), "amd64", debian, supply.Queued, ""},
		"slashes":                     {"6.1/../../etc", "amd64", debian, supply.Unsupported, "invalid kernel release"},
		"dots":                        {"..", "amd64", debian, supply.Unsupported, "invalid kernel release"},
		"spaces":                      {"6.1 0", "amd64", debian, supply.Unsupported, "invalid kernel release"},
		"not ASCII":                   {"6.1.0-ö", "amd64", debian, supply.Unsupported, "invalid kernel release"},
		"an escape in the kernel":     {"6.1.0\x1b[31m", "amd64", debian, supply.Unsupported, `\x1b[31m`},
		"no architecture":             {"6.1.0-1-amd64", "", debian, supply.Queued, ""},
		"the architecture's own name": {"6.1.0-1-amd64", "x86_64", debian, supply.Queued, ""},
		"a line break in the system":  {"6.1.0-1-amd64", "amd64", debian + "\n", supply.Queued, ""},
		"an escape in the system":     {"6.1.0-1-amd64", "amd64", "\x1b]0;owned\x07Some\nLinux", supply.Unsupported, "no recipe for ]0;ownedSome Linux"},
	} {
		p := Decide(situation(odd(c.kernel, c.arch, c.image)))
		if c.state == "" {
			if len(p.Kernels) != 0 {
				t.Errorf("%s: %+v", name, p.Kernels)
			}
			continue
		}
		k := state(t, p, c.kernel)
		if k.State != c.state || k.Arch != "amd64" || !strings.Contains(k.Message, c.words) || strings.ContainsAny(k.Message+k.OSImage, "\n\x1b\x07") {
			t.Errorf("%s: %+v", name, k)
		}
		if (len(p.Begin) == 1) != (c.state == supply.Queued) {
			t.Errorf("%s: begins %q", name, begun(p))
		}
	}
}

func TestKernelsOfTheValuesAreBuiltBeforeANodeRunsThem(t *testing.T) {
	rocky := node("r", "5.14.0-362.el9.x86_64")
	rocky.OSImage = "Rocky Linux 9.4 (Blue Onyx)"
	s := situation()
	s.Wants = Wants([]cluster.Node{node("a", "6.1.0-1-amd64"), rocky}, []string{"6.1.0-9-amd64", "5.14.0-503.el9.x86_64", "6.1.0-1-amd64", "6.12.1-generic"})
	var got []string
	for _, w := range s.Wants {
		got = append(got, fmt.Sprintf("%s/%s/%d/%s", w.Kernel, w.Arch, w.Nodes, w.Example.OSImage))
	}
	want := []string{
		"5.14.0-362.el9.x86_64/amd64/1/Rocky Linux 9.4 (Blue Onyx)", "5.14.0-503.el9.x86_64/amd64/0/Rocky Linux 9.4 (Blue Onyx)",
		"6.1.0-1-amd64/amd64/1/" + debian, "6.1.0-9-amd64/amd64/0/" + debian, "6.12.1-generic/amd64/0/",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if k := state(t, Decide(s), "6.12.1-generic"); k.State != supply.Unsupported || !strings.Contains(k.Message, "none has a kernel release of this form") {
		t.Errorf("%+v", k)
	}
}

func TestModulesOfKernelsThatAreGoneStayForAWhile(t *testing.T) {
	s := situation(node("a", "6.1.0-2-amd64"))
	s.Have = []module.Entry{entry("6.1.0-1-amd64", "8.9.0"), entry("6.1.0-2-amd64", "8.9.0")}
	p := Decide(s)
	k := state(t, p, "6.1.0-1-amd64")
	if !k.LastSeen.Equal(now) || k.Nodes != 0 || len(p.List) != 2 || !p.Next.Equal(now.Add(s.Keep)) {
		t.Fatalf("%+v, next %v", k, p.Next)
	}
	s.Last, s.Now = &supply.Status{Kernels: p.Kernels}, now.Add(s.Keep-time.Second)
	if p := Decide(s); len(p.Drop) != 0 || !state(t, p, "6.1.0-1-amd64").LastSeen.Equal(now) {
		t.Errorf("drops %v too early", p.Drop)
	}
	s.Now = now.Add(s.Keep)
	if p := Decide(s); len(p.Drop) != 1 || p.Drop[0].KernelRelease != "6.1.0-1-amd64" || len(p.List) != 1 || len(p.Kernels) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestAnotherVersionIsListedWhenAllKernelsHaveIt(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"), node("b", "6.1.0-2-amd64"), node("c", "6.1.0-3-amd64"))
	s.Have = []module.Entry{entry("6.1.0-1-amd64", "8.8.0"), entry("6.1.0-2-amd64", "8.8.0"), entry("6.1.0-1-amd64", "8.9.0")}
	s.Published = s.Have[:2]
	listed := func(p Plan) string {
		var list []string
		for _, e := range p.List {
			list = append(list, e.KernelRelease+"="+e.Version)
		}
		return strings.Join(list, " ")
	}
	p := Decide(s)
	if got := listed(p); got != "6.1.0-1-amd64=8.8.0 6.1.0-2-amd64=8.8.0" || len(p.Drop) != 0 {
		t.Errorf("lists %s, drops %v", got, p.Drop)
	}
	// A kernel with no module at all comes first.
	if got := begun(p); got != "6.1.0-3-amd64:8.9.0:1 6.1.0-2-amd64:8.9.0:1" {
		t.Errorf("begins %s", got)
	}
	s.Have = append(s.Have, entry("6.1.0-2-amd64", "8.9.0"))
	p = Decide(s)
	if got := listed(p); got != "6.1.0-1-amd64=8.9.0 6.1.0-2-amd64=8.9.0" || len(p.Drop) != 2 {
		t.Errorf("lists %s, drops %v", got, p.Drop)
	}
}

func TestAKernelThatTheNewVersionDoesNotCompileOnKeepsTheOld(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"), node("b", "6.1.0-2-amd64"))
	s.Have = []module.Entry{entry("6.1.0-1-amd64", "8.8.0"), entry("6.1.0-2-amd64", "8.8.0"), entry("6.1.0-1-amd64", "8.9.0")}
	s.Published = s.Have[:2]
	s.Last = &supply.Status{Kernels: []supply.KernelStatus{{Kernel: "6.1.0-2-amd64", Arch: "amd64", State: supply.Failed, Version: "8.9.0", Inputs: "i8.9.0", Tries: 1, NextTry: now.Add(time.Hour), Reason: supply.CompileFailed}}}
	p := Decide(s)
	if len(p.List) != 2 || p.List[0].Version != "8.9.0" || p.List[1].Version != "8.8.0" || len(p.Drop) != 1 {
		t.Errorf("lists %+v, drops %+v", p.List, p.Drop)
	}
}

func TestAFullStoreGoesOnWithWhatFits(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"), node("b", "6.1.0-2-amd64"), node("c", "6.1.0-3-amd64"), node("d", "6.1.0-3-amd64"))
	s.Room = 2
	s.Have = []module.Entry{entry("6.1.0-1-amd64", "8.9.0")}
	p := Decide(s)
	if got := begun(p); got != "6.1.0-2-amd64:8.9.0:1" {
		t.Errorf("begins %s", got)
	}
	if k := state(t, p, "6.1.0-3-amd64"); k.State != supply.Failed || k.Reason != supply.StoreFull || k.Remedy == "" {
		t.Errorf("%+v", k)
	}
	// What is only kept makes room.
	s.Have = append(s.Have, entry("5.10.0-1-amd64", "8.9.0"))
	s.Wants = s.Wants[:2]
	p = Decide(s)
	if got := begun(p); got != "6.1.0-2-amd64:8.9.0:1" || len(p.Drop) != 1 || p.Drop[0].KernelRelease != "5.10.0-1-amd64" {
		t.Errorf("begins %s, drops %v", got, p.Drop)
	}
}

func TestTheSourceIsWaitedForBeforeAnythingIsBuilt(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"))
	s.Waiting = true
	if p := Decide(s); len(p.Begin) != 0 || state(t, p, "6.1.0-1-amd64").State != supply.Queued {
		t.Errorf("%+v", p)
	}
}

func TestTheSameSituationGivesTheSameStates(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"), node("b", "6.1.0-2-amd64"))
	first := Decide(s)
	s.Last, s.Now = &supply.Status{Kernels: first.Kernels}, now.Add(time.Hour)
	second := Decide(s)
	if fmt.Sprint(first.Kernels) != fmt.Sprint(second.Kernels) {
		t.Errorf("\n%v\n%v", first.Kernels, second.Kernels)
	}
}

// A clock that was set back leaves times to come, which nothing waits for.
func TestAClockThatWasSetBackIsNotWaitedFor(t *testing.T) {
	s := situation(node("a", "6.1.0-1-amd64"))
	s.Have = []module.Entry{entry("6.1.0-2-amd64", "8.9.0")}
	s.Last = &supply.Status{Kernels: []supply.KernelStatus{
		{Kernel: "6.1.0-1-amd64", Arch: "amd64", State: supply.Failed, Version: "8.9.0", Inputs: "i8.9.0", Tries: 3, NextTry: now.AddDate(2, 0, 0)},
		{Kernel: "6.1.0-2-amd64", Arch: "amd64", State: supply.Built, Version: "8.9.0", LastSeen: now.AddDate(2, 0, 0)},
	}}
	p := Decide(s)
	if got := begun(p); got != "6.1.0-1-amd64:8.9.0:4" {
		t.Errorf("begins %q", got)
	}
	if k := state(t, p, "6.1.0-2-amd64"); !k.LastSeen.Equal(now) {
		t.Errorf("kept until %s", k.LastSeen.Add(s.Keep))
	}
}
