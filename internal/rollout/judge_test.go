package rollout

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	start = now.Add(-time.Hour)
)

// message is an agent's termination message.
func message(reason outcome.Reason, boot string) string {
	o := outcome.Outcome{Node: "n", BootID: boot, Backend: outcome.Libpcap, Reason: reason, Message: "what the agent saw", Time: start}
	if reason.Good() {
		o.Backend, o.Module = outcome.PFRing, outcome.Module{Version: "8.9.0", Verified: outcome.VerifiedSignature}
	}
	line, err := o.Encode()
	if err != nil {
		panic(err)
	}
	return string(line)
}

func ended0(reason outcome.Reason) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message(reason, "b1"), FinishedAt: metav1.NewTime(start)}}
}

func endedBad(reason outcome.Reason) corev1.ContainerState {
	s := ended0(reason)
	s.Terminated.ExitCode = 1
	return s
}

func waiting(reason, text string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: text}}
}

func runningSince(t time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t)}}
}

// agentPod is a pod on node n1; change makes it what a case needs.
func agentPod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.UID, p.CreationTimestamp = "agent-1", "1", metav1.NewTime(start)
	p.Labels = map[string]string{generationLabel: "2"}
	p.Spec.NodeName = "n1"
	change(p)
	return p
}

func initStatus(p *corev1.Pod, state, last corev1.ContainerState) {
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "load", State: state, LastTerminationState: last}}
}

func runStatus(p *corev1.Pod, state corev1.ContainerState, ready bool, changed time.Time) {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "run", State: state, Ready: ready}}
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(changed)}}
}

// factsOf is a release whose newest template is of generation 2, on node n1.
func factsOf(pods ...*corev1.Pod) *facts {
	f := &facts{
		release: &Release{Name: "r", Namespace: "ns", Mode: "auto", generation: "2"},
		targets: map[string]*target{"n1": {name: "n1", kernel: "6.1.0-18-amd64", arch: "amd64", bootID: "b1"}},
		pods:    map[string]*corev1.Pod{}, workers: map[string]*corev1.Pod{},
	}
	for _, p := range pods {
		f.pods[string(p.UID)] = p
	}
	return f
}

func TestANodesStateIsWhatItsPodTells(t *testing.T) {
	none := corev1.ContainerState{}
	for name, test := range map[string]struct {
		pod     func(*corev1.Pod)
		node    func(*target)
		state   State
		backend outcome.Backend
		reason  outcome.Reason
		words   string
	}{
		"loaded": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(start), true, start)
			},
			state: OK, backend: outcome.PFRing, reason: "loaded", words: "what the agent saw",
		},
		"fallback": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("no-module-for-kernel"), none)
				runStatus(p, runningSince(start), true, start)
			},
			state: Fallback, backend: outcome.Libpcap, reason: "no-module-for-kernel", words: "what the agent saw",
		},
		"failing, between two starts": {
			pod:   func(p *corev1.Pod) { initStatus(p, waiting("CrashLoopBackOff", "back-off"), endedBad("locked-down")) },
			state: Failed, backend: outcome.Libpcap, reason: "locked-down", words: "what the agent saw",
		},
		"failing, at it again": {
			pod:   func(p *corev1.Pod) { initStatus(p, runningSince(now), endedBad("locked-down")) },
			state: Failed, backend: outcome.Libpcap, reason: "locked-down", words: "what the agent saw",
		},
		"at it for the first time": {
			pod:   func(p *corev1.Pod) { initStatus(p, runningSince(now), none) },
			state: Pending, words: "the agent is loading the module",
		},
		"at it again after a reboot": {
			pod:   func(p *corev1.Pod) { initStatus(p, runningSince(now), ended0("loaded")) },
			state: Pending, words: "the agent is loading the module",
		},
		"killed without a word": {
			pod: func(p *corev1.Pod) {
				initStatus(p, waiting("CrashLoopBackOff", ""), corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}})
			},
			state: Failed, reason: outcome.Internal, words: "the agent ended with exit code 137 and no outcome: OOMKilled",
		},
		"image cannot be pulled": {
			pod:   func(p *corev1.Pod) { initStatus(p, waiting("ErrImagePull", "no such host"), none) },
			state: Pending, words: "the agent's container cannot start: ErrImagePull: no such host",
		},
		"being made": {
			pod:   func(p *corev1.Pod) { initStatus(p, waiting("PodInitializing", ""), none) },
			state: Pending, words: "the agent's container is being created since 2026-03-01T11:00:00Z",
		},
		"not scheduled": {
			pod: func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "insufficient memory"}}
			},
			state: Pending, words: "its pod is not scheduled: insufficient memory",
		},
		"evicted": {
			pod: func(p *corev1.Pod) {
				p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "disk pressure"
			},
			state: Pending, words: "its pod ended and is about to be replaced: Evicted disk pressure",
		},
		"the module has vanished": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(start), false, start.Add(time.Minute))
			},
			state: Fallback, backend: outcome.Libpcap, reason: outcome.ModuleGone, words: "the module was loaded and has been unloaded since; capture continues with libpcap",
		},
		"the module had vanished before the agent was started again": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(now.Add(-time.Minute)), false, start)
			},
			state: Fallback, backend: outcome.Libpcap, reason: outcome.ModuleGone, words: "the module was loaded and has been unloaded since; capture continues with libpcap",
		},
		"loaded, not ready yet": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(now), false, start)
			},
			state: Pending, words: "the module is loaded, the agent is about to be ready",
		},
		"the agent has crashed": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, waiting("CrashLoopBackOff", ""), false, start)
				p.Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}}
			},
			state: Unknown, words: "the agent ended while it watched over the module, last seen: loaded (exit code 2 Error)",
		},
		"the node is not ready": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(start), false, start.Add(time.Minute))
			},
			node:  func(t *target) { t.notReady = "Kubelet stopped posting node status." },
			state: Unknown, words: "the node is not ready (Kubelet stopped posting node status.); last seen: loaded",
		},
		"rebooted since": {
			pod: func(p *corev1.Pod) {
				initStatus(p, ended0("loaded"), none)
				runStatus(p, runningSince(start), true, start)
			},
			node:  func(t *target) { t.bootID = "b2" },
			state: Pending, words: "the node has been rebooted, and the agent has not run since",
		},
		"of an older template": {
			pod:   func(p *corev1.Pod) { p.Labels[generationLabel] = "1"; initStatus(p, ended0("loaded"), none) },
			state: Pending, words: "the agent is being replaced by a new one",
		},
		"not wanted": {
			pod:   func(p *corev1.Pod) { initStatus(p, ended0("loaded"), none) },
			node:  func(t *target) { t.excluded = "its taint a=b:NoSchedule is not tolerated" },
			state: Excluded, words: "its taint a=b:NoSchedule is not tolerated",
		},
	} {
		f := factsOf(agentPod(test.pod))
		if test.node != nil {
			test.node(f.targets["n1"])
		}
		list := f.judge(now)
		if len(list) != 1 {
			t.Fatalf("%s: %d nodes", name, len(list))
		}
		n := list[0]
		if n.State != test.state || n.Backend != test.backend || n.Reason != test.reason || n.Message != test.words {
			t.Errorf("%s:\n got %s %q %q %q\nwant %s %q %q %q", name, n.State, n.Backend, n.Reason, n.Message, test.state, test.backend, test.reason, test.words)
		}
		if (n.Version != "") != (n.Backend == outcome.PFRing) {
			t.Errorf("%s: version %q of backend %q", name, n.Version, n.Backend)
		}
		bad := n.State == Fallback || n.State == Failed
		if bad && n.Remedy == "" {
			t.Errorf("%s: nothing is said about what to do", name)
		}
	}
}

func TestTwoPodsOnANodeDuringARollingUpdate(t *testing.T) {
	older := agentPod(func(p *corev1.Pod) {
		p.Name, p.UID, p.Labels[generationLabel] = "agent-0", "0", "1"
		initStatus(p, ended0("loaded"), corev1.ContainerState{})
		runStatus(p, runningSince(start), true, start)
	})
	newer := agentPod(func(p *corev1.Pod) { initStatus(p, ended0("wrong-kernel"), corev1.ContainerState{}) })
	n := factsOf(older, newer).judge(now)[0]
	if n.Reason != "wrong-kernel" || n.Pod != "agent-1" {
		t.Errorf("the older pod was believed: %+v", n)
	}
	f := factsOf(older)
	f.release.onDelete = true
	if n := f.judge(now)[0]; n.State != OK {
		t.Errorf("with OnDelete an older pod is meant to stay, got %+v", n)
	}
}

func TestNoneOfNoneIsNoSuccess(t *testing.T) {
	f := factsOf()
	f.targets["n1"].excluded = "the release's node selector excludes it"
	r := f.report(now)
	if r.Complete || r.Summary.settled() || !strings.HasPrefix(r.Verdict, "No node is selected") {
		t.Errorf("%+v", r)
	}
	if r := (&facts{release: &Release{}}).report(now); r.Complete || r.Nodes == nil {
		t.Errorf("a cluster without nodes: %+v", r)
	}
}

func TestANodeWithoutAPodIsNotForgotten(t *testing.T) {
	f := factsOf()
	f.creating = "the agent's pod cannot be made: exceeded quota"
	r := f.report(now)
	if r.Complete || r.Summary.Pending != 1 || r.Nodes[0].Message != f.creating {
		t.Errorf("%+v", r)
	}
}

func TestNodesOfPodsAreShownWhereNodesMayNotBeListed(t *testing.T) {
	f := factsOf(agentPod(func(p *corev1.Pod) {
		initStatus(p, ended0("loaded"), corev1.ContainerState{})
		runStatus(p, runningSince(start), true, start)
	}))
	f.targets = nil
	if r := f.report(now); !r.Complete || r.Nodes[0].Node != "n1" {
		t.Errorf("%+v", r)
	}
}

func TestTolerationsAreCounted(t *testing.T) {
	dedicated := taint{"dedicated", "x", "NoSchedule"}
	for name, test := range map[string]struct {
		toleration corev1.Toleration
		covered    bool
	}{
		"everything":      {corev1.Toleration{Operator: "Exists"}, true},
		"its effect":      {corev1.Toleration{Operator: "Exists", Effect: "NoSchedule"}, true},
		"another effect":  {corev1.Toleration{Operator: "Exists", Effect: "NoExecute"}, false},
		"its key":         {corev1.Toleration{Key: "dedicated", Operator: "Exists"}, true},
		"its value":       {corev1.Toleration{Key: "dedicated", Value: "x"}, true},
		"another value":   {corev1.Toleration{Key: "dedicated", Value: "y", Operator: "Equal"}, false},
		"a larger number": {corev1.Toleration{Key: "dedicated", Value: "900", Operator: "Gt"}, false},
	} {
		if got := untolerated([]taint{dedicated}, []corev1.Toleration{test.toleration}) == ""; got != test.covered {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Kubernetes taints a node for as long as a condition lasts; the release wants it
// anyway. The numeric operators are those of the scheduler.
func TestOnlyTaintsThatStayExcludeANode(t *testing.T) {
	for name, test := range map[string]struct {
		taint       corev1.Taint
		tolerations []corev1.Toleration
		excluded    string
	}{
		"unreachable":    {taint: corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: "NoSchedule"}},
		"not ready":      {taint: corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: "NoExecute"}},
		"cordoned":       {taint: corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: "NoSchedule"}},
		"a preference":   {taint: corev1.Taint{Key: "a", Effect: "PreferNoSchedule"}},
		"another's":      {taint: corev1.Taint{Key: "a", Value: "b", Effect: "NoSchedule"}, excluded: "its taint a=b:NoSchedule is not tolerated"},
		"greater than":   {taint: corev1.Taint{Key: "sla", Value: "950", Effect: "NoSchedule"}, tolerations: []corev1.Toleration{{Key: "sla", Operator: "Gt", Value: "900"}}},
		"not less than":  {taint: corev1.Taint{Key: "sla", Value: "950", Effect: "NoSchedule"}, tolerations: []corev1.Toleration{{Key: "sla", Operator: "Lt", Value: "900"}}, excluded: "its taint sla=950:NoSchedule is not tolerated"},
		"not comparable": {taint: corev1.Taint{Key: "sla", Value: "high", Effect: "NoSchedule"}, tolerations: []corev1.Toleration{{Key: "sla", Operator: "Gt", Value: "900"}}, excluded: "its taint sla=high:NoSchedule is not tolerated"},
	} {
		n := &corev1.Node{}
		n.Spec.Taints = []corev1.Taint{test.taint}
		if got := (&Release{tolerates: test.tolerations}).target(n).excluded; got != test.excluded {
			t.Errorf("%s: %q, want %q", name, got, test.excluded)
		}
	}
}

// A cause that all nodes have in common is reported once, with what to do.
func TestACommonCauseIsToldOnce(t *testing.T) {
	f := factsOf()
	clear(f.targets)
	for i := range 40 {
		name := fmt.Sprintf("node-%02d", i)
		f.targets[name] = &target{name: name}
	}
	f.creating = `the agent's pod cannot be created: pods "pfring-agent-x" is forbidden: violates PodSecurity "restricted:latest": ` + strings.Repeat("seccompProfile ", 30)
	var b strings.Builder
	if err := f.report(now).Write(&b, "table"); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	if strings.Count(got, "violates PodSecurity") != 1 || !strings.Contains(got, "node-00 and 39 more") ||
		!strings.Contains(got, "kubectl label --overwrite namespace ns pod-security.kubernetes.io/enforce=privileged") || len(got) > 6000 {
		t.Errorf("%d characters:\n%s", len(got), got)
	}
}

// A command that several nodes need is one command, as kubectl takes it.
func TestACommandForSeveralNodesNamesThemAll(t *testing.T) {
	r := &Report{SchemaVersion: 1, Release: "pfring", Mode: "kmm", now: now}
	for i := range 12 {
		name := fmt.Sprintf("n%d", i)
		r.Nodes = append(r.Nodes, Node{Node: name, Wanted: true, State: Pending, Message: "it lacks a label", Remedy: "kubectl label node " + name + " --overwrite a=b"})
	}
	for format, first := range map[string]string{"table": "n0 and 11 more: ", "html": ""} {
		var b strings.Builder
		if err := r.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		want := "kubectl label node n0 n1 n2 n3 n4 n5 n6 n7 n8 n9 --overwrite a=b (and 2 more nodes"
		if got := b.String(); !strings.Contains(got, first) || strings.Count(got, "kubectl label") != 1 || !strings.Contains(got, want) || strings.Contains(got, "\x00") {
			t.Errorf("%s:\n%s", format, got)
		}
	}
}

// The pods of a deleted node linger until they are collected.
func TestANodeThatIsGoneIsNotWanted(t *testing.T) {
	f := factsOf(agentPod(func(p *corev1.Pod) { p.Spec.NodeName = "gone" }))
	f.targets["n1"].excluded = "the release's node selector excludes it"
	f.gone = map[string]bool{"gone": true}
	if r := f.report(now); r.Summary.Wanted != 0 || len(r.Nodes) != 1 {
		t.Errorf("%+v", r.Nodes)
	}
}

func TestTableShowsEachNodeAndEachRemedyOnce(t *testing.T) {
	r := &Report{SchemaVersion: 1, Release: "pfring", Namespace: "kubeshark", Mode: "auto", now: now, Nodes: []Node{
		{Node: "a", Wanted: true, State: OK, Backend: outcome.PFRing, Version: "8.9.0", Reason: "loaded", Message: "m", Since: now.Add(-3 * time.Hour), Kernel: "6.1.0", Arch: "amd64", Pod: "p-a", Verified: "signature"},
		{Node: "b", Wanted: true, State: Fallback, Backend: outcome.Libpcap, Reason: "no-module-for-kernel", Message: "no module for 6.8.0", Remedy: remedy("no-module-for-kernel"), Since: now.Add(-time.Minute), Kernel: "6.8.0", Arch: "amd64", Pod: "p-b"},
		{Node: "c", Wanted: true, State: Fallback, Backend: outcome.Libpcap, Reason: "no-module-for-kernel", Message: "no module for 6.8.0\n\x1b[31m", Remedy: remedy("no-module-for-kernel"), Kernel: "6.8.0", Arch: "arm64", Pod: "p-c"},
		{Node: "d", Wanted: true, State: Pending, Message: "the agent is loading the module", Since: now.Add(-5 * time.Second)},
		{Node: "e", State: Excluded, Message: "the release's node selector excludes it"},
	}}
	r.conclude()
	for _, format := range Formats() {
		var b strings.Builder
		if err := r.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		goldentest.File(t, filepath.Join("testdata", "status."+format+".golden"), []byte(b.String()))
	}
	if err := r.Write(&strings.Builder{}, "xml"); err == nil {
		t.Error("xml was written")
	}
}

func TestParseBatch(t *testing.T) {
	for text, want := range map[string]int{"10%": 2, "100%": 15, "1%": 1, "4": 4, "50": 50} {
		b, err := ParseBatch(text)
		if err != nil || b.of(15) != want {
			t.Errorf("%s of 15: %d, %v", text, b.of(15), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "101%", "%", "0%", "ten", "1.5"} {
		if _, err := ParseBatch(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	for _, text := range []string{"", "5", "10%", "0", "-1", "101%", "%", "99999999999999999999", "9223372036854775807", "1e3", "5 %"} {
		f.Add(text, 7)
	}
	f.Fuzz(func(t *testing.T, text string, nodes int) {
		b, err := ParseBatch(text)
		if err != nil || nodes < 0 {
			return
		}
		// A share is rounded up, and never more than all.
		if n := b.of(nodes % 100_000); n < 1 || b.percent > 0 && n > max(1, nodes%100_000) {
			t.Errorf("%q of %d nodes: %d", text, nodes%100_000, n)
		}
	})
}
