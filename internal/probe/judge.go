package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const (
	// settle is how long something may stand in the way that often passes by
	// itself, such as a node that has no room just now.
	settle = 6 * time.Second
	// mounting is how long a volume may take.
	mounting = 20 * time.Second
	// eventInterval is the pause between two readings of an attempt's events.
	eventInterval = 2 * time.Second
)

// hopeless are reasons of a waiting container that no waiting fixes.
var hopeless = map[string]string{
	"ImagePullBackOff": reasonImagePull, "InvalidImageName": reasonImagePull, "ErrImageNeverPull": reasonImagePull,
	"ImageInspectError": reasonImagePull, "RegistryUnavailable": reasonImagePull, "SignatureValidationFailed": reasonImagePull,
	"CreateContainerConfigError": reasonVolume, "CreateContainerError": reasonNoReport, "RunContainerError": reasonNoReport,
}

// read is what a pod's status tells: the report, or why there will be none; two
// nils are nothing yet.
func read(pod *corev1.Pod, waited time.Duration) (*outcome.Probe, *Failure) {
	for i := range pod.Status.ContainerStatuses {
		state := pod.Status.ContainerStatuses[i].State
		switch {
		case state.Terminated != nil:
			if p, err := outcome.ParseProbe([]byte(state.Terminated.Message)); err == nil {
				return &p, nil
			}
			if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
				return nil, evicted(pod)
			}
			return nil, &Failure{Reason: reasonNoReport, Message: exitMessage(state.Terminated)}
		case state.Waiting != nil && hopeless[state.Waiting.Reason] != "":
			return nil, &Failure{Reason: hopeless[state.Waiting.Reason], Message: state.Waiting.Reason + ": " + oneLine(state.Waiting.Message)}
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return nil, evicted(pod)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && waited > settle {
			return nil, &Failure{Reason: reasonUnschedulable, Message: oneLine(c.Message)}
		}
	}
	return nil, nil
}

func evicted(pod *corev1.Pod) *Failure {
	return &Failure{Reason: reasonEvicted, Message: strings.TrimSpace(pod.Status.Reason + ": " + oneLine(pod.Status.Message))}
}

// exitMessage says how a container ended that left no report.
func exitMessage(t *corev1.ContainerStateTerminated) string {
	s := fmt.Sprintf("the agent ended with exit code %d and no result (%s)", t.ExitCode, t.Reason)
	if text := oneLine(t.Message); text != "" {
		s += ": " + text
	}
	return s
}

// whyNoPod looks for why a Job has no pod.
func (r *runner) whyNoPod(ctx context.Context, a *attempt, waited time.Duration) *Failure {
	if waited < eventInterval || !a.due() {
		return nil
	}
	e := r.lastWarning(ctx, "Job", a.job)
	if e == nil || e.Reason != "FailedCreate" {
		return nil
	}
	f := refusalText(a.node, oneLine(e.Message))
	return &f
}

// whyPending looks for why a pod's container does not begin.
func (r *runner) whyPending(ctx context.Context, a *attempt, pod *corev1.Pod, waited time.Duration) *Failure {
	if pod.Status.Phase != corev1.PodPending || pod.Spec.NodeName == "" || waited < mounting || !a.due() {
		return nil
	}
	if e := r.lastWarning(ctx, "Pod", pod.Name); e != nil && e.Reason == "FailedMount" {
		return &Failure{a.node, reasonVolume, oneLine(e.Message)}
	}
	return nil
}

// due tells whether it is time to read the events again.
func (a *attempt) due() bool {
	if time.Since(a.looked) < eventInterval {
		return false
	}
	a.looked = time.Now()
	return true
}

// lastWarning is the newest event of type Warning about an object; nil if there
// is none, or no right to see it.
func (r *runner) lastWarning(ctx context.Context, kind, name string) *corev1.Event {
	list, err := r.Events.List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
		"involvedObject.kind": kind, "involvedObject.name": name, "type": corev1.EventTypeWarning,
	}.String()})
	if err != nil || len(list.Items) == 0 {
		return nil
	}
	last := slices.MaxFunc(list.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return &last
}

func eventTime(e corev1.Event) time.Time {
	if t := e.LastTimestamp.Time; !t.IsZero() {
		return t
	}
	if t := e.EventTime.Time; !t.IsZero() {
		return t
	}
	return e.CreationTimestamp.Time
}

// refusal says why the API server does not take a Job or pod.
func refusal(node string, err error) Failure {
	text := oneLine(err.Error())
	if apierrors.IsForbidden(err) && strings.Contains(text, "cannot create resource") {
		return Failure{node, reasonForbidden, text}
	}
	return refusalText(node, text)
}

func refusalText(node, text string) Failure {
	reason := reasonRefused
	switch {
	case strings.Contains(text, "violates PodSecurity"), strings.Contains(text, "unable to validate against any security context constraint"):
		reason = reasonPodSecurity
	case strings.Contains(text, "exceeded quota"), strings.Contains(text, "failed quota"):
		reason = reasonQuota
	}
	return Failure{node, reason, text}
}

// oneLine shortens what servers and kubelets say.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 300 {
		s = string(runes[:300]) + "…"
	}
	return s
}
