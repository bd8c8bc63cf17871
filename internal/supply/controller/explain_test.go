package controller

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Messages of package build and of the recipes name flags of pfring. Here they
// name values: a new message with a flag in it needs a line in flags.
func TestNoMessageOfABuildNamesAFlag(t *testing.T) {
	flag := regexp.MustCompile(`--(timeout|image|script|source-url|parallel|pull-secret|host-headers)\b|with -n`)
	message := regexp.MustCompile(`die "([^"\\]*(?:\\.[^"\\]*)*)"|(?:Sprintf|Errorf|New)\("((?:[^"\\]|\\.)*)"`)
	files, err := filepath.Glob("../../../module/build/recipes/*.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"follow.go", "run.go", "recipe.go", "decode.go"} {
		files = append(files, "../../../module/build/"+name)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range message.FindAllStringSubmatch(string(text), -1) {
			said := strings.ReplaceAll(m[1]+m[2], `\"`, `"`)
			if flag.MatchString(said) {
				seen++
			}
			if now := inValues(said); flag.MatchString(now) {
				t.Errorf("%s: %q", file, now)
			}
		}
	}
	if seen == 0 {
		t.Error("no message names a flag, so this test looks in the wrong place")
	}
}

func TestFailuresHaveReasonsAndRemedies(t *testing.T) {
	known, unknown := build.Fit{Known: true}, build.Fit{Why: "too new"}
	script := func(step, why string, lines ...string) error {
		return &build.Failure{Cause: build.CauseScript, Step: step, Why: why, Lines: lines}
	}
	quota := apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "x", errors.New("exceeded quota: small"))
	for _, c := range []struct {
		name string
		err  error
		fit  build.Fit
		want supply.Reason
		once bool
	}{
		{"no package index", script("packages", "the package index could not be read: is there a way to the distribution's archive, or a proxy to set?"), known, supply.NoEgress, false},
		{"no compiler", script("packages", "the compiler could not be installed: is there a way to Amazon's repositories, or a proxy to set?"), known, supply.NoEgress, false},
		{"no source", script("source", "https://x could not be fetched: name a mirror with --source-url, or a proxy"), known, supply.NoEgress, false},
		{"other source", script("source", "the source is not the one expected: its sha256 is a, not b"), known, supply.SourceMismatch, false},
		{"no headers", script("headers", "there are no headers: x is neither on the node nor in the archive"), known, supply.HeadersMissing, false},
		{"headers not installed", script("headers", "linux-headers-x could not be installed"), known, supply.HeadersMissing, false},
		{"clang", script("headers", "kernel x was built with clang, and this recipe has gcc: give one with --image and --script"), known, supply.NoRecipe, true},
		{"compile", script("compile", "PF_RING did not compile for kernel x"), known, supply.CompileFailed, false},
		{"compile on a new kernel", script("compile", "PF_RING did not compile for kernel x"), unknown, supply.TooNew, true},
		{"a script of one's own", script("compile", "the script given failed"), unknown, supply.CompileFailed, false},
		{"a script of one's own without a module", script("compile", "the script given left no module at PFRING_OUT"), known, supply.NoModule, false},
		{"disk", script("compile", "PF_RING did not compile for kernel x", "ld: No space left on device"), unknown, supply.DiskFull, false},
		{"memory", &build.Failure{Cause: build.CauseMemory, Why: "it ran out of memory"}, known, supply.OutOfMemory, false},
		{"timeout", &build.Failure{Cause: build.CauseTimeout, Why: "it did not finish within 30m (--timeout)"}, known, supply.TimedOut, false},
		{"full", fmt.Errorf("the module: %w", store.ErrFull), known, supply.StoreFull, false},
		{"quota of Jobs", quota, known, supply.QuotaExceeded, false},
		{"no rights", apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "x", errors.New("no")), known, supply.NotAllowed, false},
		{"anything", errors.New("anything"), known, supply.OtherFailure, false},
	} {
		w := explain(c.err, c.fit)
		if w.reason != c.want || w.once != c.once || w.message == "" {
			t.Errorf("%s: %+v", c.name, w)
		}
		if c.want != supply.OtherFailure && w.remedy == "" {
			t.Errorf("%s: no remedy", c.name)
		}
	}
}

func TestWordsOfAFailureAreBounded(t *testing.T) {
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = strings.Repeat("é", 1000)
	}
	w := explain(&build.Failure{Cause: build.CauseNoModule, Why: strings.Repeat("x", 5000), Lines: lines}, build.Fit{Known: true})
	if len(w.message) > maxMessage+10 || len(w.log) != maxLines || len(w.log[0]) > maxLine+10 {
		t.Errorf("%d, %d lines of %d", len(w.message), len(w.log), len(w.log[0]))
	}
}

func TestAgentsAreStartedAgainAtABoundedPace(t *testing.T) {
	p := &pacer{nodes: map[string]paced{}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	begun := func(now time.Time, nodes int) int {
		p.allow(now, nodes)
		n := 0
		for i := range nodes {
			if p.take(fmt.Sprint(i), now) {
				n++
			}
		}
		return n
	}
	if n := begun(now, 500); n != 50 {
		t.Errorf("%d in the first minute", n)
	}
	if n := begun(now.Add(30*time.Second), 500); n != 0 {
		t.Errorf("%d more in the same minute", n)
	}
	if next := p.next(now); !next.Equal(now.Add(time.Minute)) {
		t.Errorf("next at %v", next)
	}
	if n := begun(now.Add(time.Minute), 500); n != 50 {
		t.Errorf("%d in the second minute", n)
	}
	// One node that falls back again and again waits longer each time.
	one, at := &pacer{nodes: map[string]paced{}}, now
	var gaps []time.Duration
	for len(gaps) < 9 {
		one.allow(at, 1)
		if one.take("n", at) {
			gaps = append(gaps, one.nodes["n"].until.Sub(at))
		}
		at = at.Add(time.Minute)
	}
	if gaps[0] != firstPause || gaps[1] != 2*firstPause || gaps[8] != mostPause {
		t.Errorf("%v", gaps)
	}
}

func TestWhatTheCacheKeepsOfAPodIsEnoughToJudgeIt(t *testing.T) {
	line, err := outcome.Outcome{Backend: outcome.Libpcap, Reason: outcome.NoModuleForKernel, Kernel: "6.1.0-18-amd64", Arch: "amd64", Message: strings.Repeat("long ", 300)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"app.kubernetes.io/component": "agent"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}}},
		Status:     corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "load", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: string(line)}}}}},
	}
	slim := slimPod(pod)
	if len(slim.ManagedFields) != 0 || len(slim.Status.InitContainerStatuses[0].State.Terminated.Message) > 300 {
		t.Errorf("%+v", slim)
	}
	if again := slimPod(slim); !equality.Semantic.DeepEqual(again, slim) {
		t.Errorf("a page's pod is cut down a second time by the cache, to something else: %+v", again)
	}
	if o, ok := lastOutcome(slim); !ok || o.Reason != outcome.NoModuleForKernel || o.Kernel != "6.1.0-18-amd64" {
		t.Errorf("%+v", o)
	}
}

func TestTheCacheKeepsLittleOfAgentsThatWork(t *testing.T) {
	said := func(backend outcome.Backend, reason outcome.Reason) *corev1.Pod {
		line, err := outcome.Outcome{Backend: backend, Reason: reason, Kernel: "6.1.0-18-amd64", Arch: "amd64"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "p", ResourceVersion: "7", Labels: map[string]string{"app.kubernetes.io/component": "agent"}},
			Status:     corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "load", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: string(line)}}}}},
		}
	}
	builds := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{"app.kubernetes.io/component": "supply"}}}
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		whole bool
	}{
		"works": {said(outcome.PFRing, outcome.Loaded), false}, "has not said": {&corev1.Pod{ObjectMeta: said(outcome.PFRing, outcome.Loaded).ObjectMeta}, false},
		"fell back": {said(outcome.Libpcap, outcome.NoModuleForKernel), true}, "builds": {builds, true},
	} {
		kept, err := keepPod(c.pod)
		if _, whole := kept.(*corev1.Pod); whole != c.whole || err != nil {
			t.Errorf("%s: %T %v", name, kept, err)
		}
	}
	working, _ := keepPod(said(outcome.PFRing, outcome.Loaded))
	later := said(outcome.Libpcap, outcome.NoModuleForKernel)
	later.ResourceVersion = "8"
	fallen, _ := keepPod(later)
	object := func(o any) client.Object { return o.(client.Object) }
	if changesInput(object(working), object(working)) || !changesInput(object(working), object(fallen)) || !changesInput(object(fallen), object(working)) {
		t.Error("what changes for a node is not distinguished from what does not")
	}
}
