package main

import (
	"cmp"
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// fate is what happens to a pod: it ends well unless something is set.
type fate struct {
	// hold keeps it running.
	hold bool
	// waiting is why its first container does not begin.
	waiting, message string
	// exit ends its container, again and again where pods are restarted.
	exit int32
}

// kubelet moves the pods of all nodes, as a scenario says.
type kubelet struct {
	client kubernetes.Interface
	mu     sync.Mutex
	// fates by kind of pod (pull, build, sign, Load, Unload), and by kind and node
	// as kind/node, which goes first.
	fates map[string]fate
	// loaded are the nodes whose kernel has the module, with the boot.
	loaded map[string]string
}

func newKubelet(client kubernetes.Interface) *kubelet {
	return &kubelet{client: client, fates: map[string]fate{}, loaded: map[string]string{}}
}

// set replaces the fates.
func (k *kubelet) set(fates map[string]fate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fates = fates
}

// unhold lets one kind of pod end well.
func (k *kubelet) unhold(kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.fates, kind)
}

// reset forgets what was loaded, as a reboot of all nodes would.
func (k *kubelet) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fates, k.loaded = map[string]fate{}, map[string]string{}
}

func (k *kubelet) run(ctx context.Context) {
	for ctx.Err() == nil {
		k.round(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// round looks at each pod once. What fails, such as a conflict with KMM, is
// tried again in the next.
func (k *kubelet) round(ctx context.Context) {
	nodes, err := k.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	byName := map[string]*corev1.Node{}
	for i := range nodes.Items {
		byName[nodes.Items[i].Name] = &nodes.Items[i]
	}
	pods, err := k.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range pods.Items {
		p := &pods.Items[i]
		n := byName[p.Spec.NodeName]
		switch {
		case n == nil:
		case p.DeletionTimestamp != nil:
			_ = k.client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		case p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed:
			k.sync(ctx, p, n)
		}
	}
}

func (k *kubelet) sync(ctx context.Context, p *corev1.Pod, n *corev1.Node) {
	kind := kindOf(p)
	f, named := k.fates[kind+"/"+n.Name]
	if !named {
		f = k.fates[kind]
	}
	old := p.Status.DeepCopy()
	if kind == "agent" {
		k.agent(p, n)
	} else {
		settle(p, kind, f)
	}
	if equality.Semantic.DeepEqual(*old, p.Status) {
		return
	}
	if _, err := k.client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
		return
	}
	if p.Status.Phase == corev1.PodSucceeded {
		switch kind {
		case "Load":
			k.loaded[n.Name] = n.Status.NodeInfo.BootID
		case "Unload":
			delete(k.loaded, n.Name)
		}
	}
}

// kindOf tells KMM's pods apart by their labels.
func kindOf(p *corev1.Pod) string {
	switch kind := kmm.Label(p.Labels, kmm.LabelResourceType); {
	case p.Labels["app.kubernetes.io/component"] == "worker":
		return kmm.Label(p.Labels, kmm.LabelWorkerAction)
	case p.Labels["app.kubernetes.io/component"] == "agent":
		return "agent"
	case kind == "BuildImage" || kind == "build":
		return "build"
	case kind == "SignImage" || kind == "sign":
		return "sign"
	case kmm.Label(p.Labels, kmm.LabelImageOwner) != "":
		return "pull"
	}
	return "other"
}

// settle brings a pod where its fate has it.
func settle(p *corev1.Pod, kind string, f fate) {
	start := started(p)
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: f.message, StartedAt: start, FinishedAt: start}}
	}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}}
	first, main, last, restarts := ended(0), ended(0), corev1.ContainerState{}, int32(0)
	p.Status.Phase = corev1.PodSucceeded
	switch {
	case f.waiting != "":
		first, main, p.Status.Phase = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: f.waiting, Message: f.message}}, waits, corev1.PodPending
	case f.hold, kind == "other":
		main, p.Status.Phase = runs, corev1.PodRunning
	case f.exit != 0 && p.Spec.RestartPolicy == corev1.RestartPolicyNever:
		main, p.Status.Phase = ended(f.exit), corev1.PodFailed
	case f.exit != 0:
		main, last, restarts, p.Status.Phase = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, ended(f.exit), 3, corev1.PodRunning
	}
	if len(p.Spec.InitContainers) == 0 && f.waiting != "" {
		main = first
	}
	fill(p, first, main, last, restarts, kind == "other")
}

func fill(p *corev1.Pod, first, main, last corev1.ContainerState, restarts int32, ready bool) {
	p.Status.InitContainerStatuses, p.Status.ContainerStatuses = nil, nil
	for _, c := range p.Spec.InitContainers {
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: c.Image, State: first})
	}
	for _, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, State: main, LastTerminationState: last, RestartCount: restarts, Ready: ready,
		})
	}
	is := map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}[ready]
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		at := -1
		for i, c := range p.Status.Conditions {
			if c.Type == kind {
				at = i
			}
		}
		if at < 0 {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind})
			at = len(p.Status.Conditions) - 1
		}
		if p.Status.Conditions[at].Status != is {
			p.Status.Conditions[at].Status, p.Status.Conditions[at].LastTransitionTime = is, metav1.Now().Rfc3339Copy()
		}
	}
}

func started(p *corev1.Pod) metav1.Time {
	if p.Status.StartTime == nil {
		now := metav1.Now().Rfc3339Copy()
		p.Status.StartTime = &now
	}
	p.Status.PodIP = "10.0.0.1"
	p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	return *p.Status.StartTime
}

// agent plays `pfring-agent wait` and then `run`: it waits for the module, and is
// ready for as long as it is there.
func (k *kubelet) agent(p *corev1.Pod, n *corev1.Node) {
	start := started(p)
	has := k.loaded[n.Name] == n.Status.NodeInfo.BootID
	p.Status.Phase = corev1.PodRunning
	if list := p.Status.InitContainerStatuses; len(list) > 0 && list[0].State.Terminated != nil {
		fill(p, list[0].State, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: list[0].State.Terminated.FinishedAt}}, corev1.ContainerState{}, 0, has)
		return
	}
	if !has {
		p.Status.Phase = corev1.PodPending
		fill(p, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}}, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}, corev1.ContainerState{}, 0, false)
		return
	}
	o := outcome.Outcome{
		Node: n.Name, Kernel: n.Status.NodeInfo.KernelVersion, Arch: n.Status.NodeInfo.Architecture, BootID: n.Status.NodeInfo.BootID,
		Backend: outcome.PFRing, Reason: outcome.Loaded, Time: start.Time, Module: outcome.Module{Version: "8.9.0", Source: "kmm", Verified: outcome.VerifiedKMM},
	}
	line, err := o.Encode()
	message := cmp.Or(string(line), "no outcome")
	if err != nil {
		message = err.Error()
	}
	end := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: message, StartedAt: start, FinishedAt: start}}
	fill(p, end, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}}, corev1.ContainerState{}, 0, true)
}
