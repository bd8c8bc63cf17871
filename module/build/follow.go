package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

const (
	// shownLines of a log go with a failure.
	shownLines = 8
	// rereads is how often a log is read again that did not arrive whole.
	rereads = 5
	// logPatience is how long a log is asked for that cannot be read: a kubelet that
	// starts again, or a tunnel to it, is back in less, and the log is there still.
	logPatience = 2 * time.Minute
	// longestPause is the most between two such tries.
	longestPause = 10 * time.Second
)

// started waits until the Job has a pod whose script runs or has run.
func (b *Builder) started(ctx context.Context, t Target, job string) (*corev1.Pod, error) {
	seen, place := false, ""
	for {
		pod, err := b.pod(ctx, job)
		switch {
		case err != nil:
			return nil, err
		case pod == nil && seen && b.tooLong(ctx, job):
			return nil, b.late(place)
		case pod == nil && seen:
			return nil, &Failure{Why: "its pod was deleted from outside", Cause: CauseLost}
		case pod == nil:
			if failure := b.whyNoPod(ctx, job); failure != nil {
				return nil, failure
			}
		default:
			seen = true
			ready, failure, wait := begun(pod)
			if failure != nil {
				return nil, failure
			}
			if ready {
				return pod, nil
			}
			place, _ = strings.CutPrefix(wait, waitingForPlace)
			b.observe(t, cmp.Or(wait, StepWaiting))
		}
		if err := b.pause(ctx); err != nil {
			if f := (*Failure)(nil); errors.As(err, &f) {
				return nil, b.late(place)
			}
			return nil, err
		}
	}
}

// waitingForPlace begins the step of a build whose pod no node has taken yet.
const waitingForPlace = "waiting to be scheduled: "

// late is why a build whose script has not begun ends at the timeout; place is
// what the scheduler says, if it is that.
func (b *Builder) late(place string) *Failure {
	if place != "" {
		return &Failure{Why: fmt.Sprintf("no node took its pod within %s: %s", b.Timeout, place), Cause: CauseUnscheduled}
	}
	return &Failure{Why: fmt.Sprintf("it did not finish within %s (--timeout)", b.Timeout), Cause: CauseTimeout}
}

// tooLong tells whether the Job has ended by its own deadline.
func (b *Builder) tooLong(ctx context.Context, job string) bool {
	j, err := b.jobs.Get(ctx, job, metav1.GetOptions{})
	return err == nil && slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) && c.Reason == batchv1.JobReasonDeadlineExceeded
	})
}

// pause waits for the next look. The error of a deadline that was ours, not the
// caller's, says so.
func (b *Builder) pause(ctx context.Context) error { return b.pauseFor(ctx, b.interval) }

func (b *Builder) pauseFor(ctx context.Context, d time.Duration) error {
	err := wait.For(ctx, d)
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return b.late("")
	}
	return err
}

// pod is the Job's, nil if there is none.
func (b *Builder) pod(ctx context.Context, job string) (*corev1.Pod, error) {
	if b.PodOf != nil {
		return b.PodOf(job)
	}
	list, err := b.pods.List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if ctx.Err() != nil {
		return nil, b.pause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find the build's pod: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}

// whyNoPod says why the Job has no pod, as far as its events tell; nil is nothing
// yet. Without the right to read events it is the timeout that ends it.
func (b *Builder) whyNoPod(ctx context.Context, job string) *Failure {
	events, err := b.events.List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Job,involvedObject.name=" + job})
	if err != nil {
		return nil //nolint:nilerr // without the right to read events the timeout ends it
	}
	for i := range events.Items {
		e := &events.Items[i]
		switch {
		case e.Type != corev1.EventTypeWarning || e.Reason != "FailedCreate":
		case strings.Contains(e.Message, "violates PodSecurity"):
			return &Failure{Cause: CausePodSecurity, Why: fmt.Sprintf("namespace %s admits no such pod: %s. Name a namespace that may have privileged pods with -n; with --host-headers=false its level \"baseline\" is enough", b.Namespace, printable(e.Message))}
		case strings.Contains(e.Message, "exceeded quota"):
			return &Failure{Cause: CauseQuota, Why: fmt.Sprintf("the quota of namespace %s is exhausted: %s. Free some, build fewer at a time with --parallel, or choose another namespace with -n", b.Namespace, printable(e.Message))}
		default:
			return &Failure{Cause: CauseRefused, Why: "its pod was refused: " + printable(e.Message)}
		}
	}
	return nil
}

// begun tells whether the script runs or has run, else why it never will, or
// what it waits for.
func begun(pod *corev1.Pod) (ready bool, failure *Failure, wait string) {
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.State.Running != nil || c.State.Terminated != nil:
			return true, nil, ""
		case c.State.Waiting == nil:
		default:
			if failure := cannotStart(c.State.Waiting, c.Image); failure != nil {
				return false, failure, ""
			}
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return false, &Failure{Cause: CauseLost, Why: fmt.Sprintf("its pod failed on node %s before it started: %s", pod.Spec.NodeName, strings.TrimSpace(pod.Status.Reason+" "+printable(pod.Status.Message)))}, ""
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Message != "" {
			return false, nil, waitingForPlace + printable(c.Message)
		}
	}
	return false, nil, ""
}

// cannotStart explains why a container does not begin. A pull that failed once is
// tried again by the kubelet; when that backs off it has failed for good.
func cannotStart(w *corev1.ContainerStateWaiting, image string) *Failure {
	message := printable(w.Message)
	switch w.Reason {
	case "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError":
		return &Failure{Cause: CauseImage, Why: fmt.Sprintf("the builder image %s could not be pulled: %s. Set --image to one that the nodes can reach, and --pull-secret to its Secret", image, cmp.Or(message, w.Reason))}
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return &Failure{Cause: CauseContainer, Why: fmt.Sprintf("the container could not be started (%s): %s", w.Reason, message)}
	}
	return nil
}

// follow reads the build's log while it is written. A log that breaks off, as
// when the connection is lost, is read again from its start once the pod is
// over.
func (b *Builder) follow(ctx context.Context, t Target, pod *corev1.Pod, mark string) (*Record, error) {
	record, err := b.read(ctx, t, pod.Name, mark, true)
	began := time.Now()
	for try := 1; ; try++ {
		if err == nil && (record.Module != nil || record.Failure != "" || errors.Is(record.Problem, errEndless) || errors.Is(record.Problem, errRotated)) {
			return record, nil
		}
		over, waitErr := b.over(ctx, pod)
		if waitErr != nil {
			return nil, waitErr
		}
		if over == nil && record == nil {
			return nil, &Failure{Why: "its pod was deleted before its log was read", Cause: CauseLost}
		}
		if over == nil {
			break // the pod is gone, and its log with it
		}
		if try == 1 {
			began = time.Now()
		}
		if record, err = b.read(ctx, t, pod.Name, mark, false); err == nil && record.Step != "" {
			return record, nil
		}
		if try >= rereads && (err == nil || apierrors.IsForbidden(err) || time.Since(began) > logPatience) {
			break
		}
		if err := b.pauseFor(ctx, min(max(1, time.Duration(try-rereads))*b.interval, longestPause)); err != nil {
			return nil, err
		}
	}
	if record == nil {
		return nil, &Failure{Why: fmt.Sprintf("the log of pod %s could not be read: %v", pod.Name, err), Cause: CauseLog}
	}
	return record, nil
}

// read reads the log once. Only a log that is followed is shown, so that no line
// of it shows twice.
func (b *Builder) read(ctx context.Context, t Target, pod, mark string, follow bool) (*Record, error) {
	stream, err := b.pods.GetLogs(pod, &corev1.PodLogOptions{Container: containerName, Follow: follow}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // only read
	if !follow {
		return decode(stream, decoder{mark: mark, max: b.MaxModule})
	}
	var line func(string)
	if b.Log != nil {
		line = func(text string) { b.Log(t, text) }
	}
	return decode(stream, decoder{mark: mark, max: b.MaxModule, step: func(step string) { b.observe(t, step) }, line: line})
}

// over waits until the pod has ended, and returns it, or nil when it is gone.
func (b *Builder) over(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	for {
		now, err := b.pod(ctx, pod.Labels[batchv1.JobNameLabel])
		if err != nil {
			return nil, err
		}
		if now == nil || now.UID != pod.UID {
			return nil, nil
		}
		if now.Status.Phase == corev1.PodSucceeded || now.Status.Phase == corev1.PodFailed {
			return now, nil
		}
		if err := b.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// failed says why a build that began has no module: what the script says comes
// first, then what the cluster does.
func (b *Builder) failed(ctx context.Context, job, pod string, r *Record) error {
	f := &Failure{Lines: r.Lines(shownLines), Step: r.Step}
	if r.Failure != "" {
		f.Why, f.Cause = r.Failure, CauseScript
		if r.Step != "compile" {
			f.Lines = r.Lines(3)
		}
		return f
	}
	if errors.Is(r.Problem, errEndless) {
		f.Why, f.Cause = r.Problem.Error(), CauseEndless
		return f
	}
	if errors.Is(r.Problem, errRotated) {
		f.Why, f.Cause = r.Problem.Error(), CauseRotated
		return f
	}
	f.Why, f.Cause = b.ended(ctx, job, pod)
	if f.Why == "" {
		f.Why, f.Cause = r.Problem.Error(), CauseNoModule
		if r.Step != "" && r.Step != "deliver" {
			f.Why = fmt.Sprintf("it ended at the step %q without an error message", r.Step)
		}
	}
	return f
}

// ended says how the cluster ended a build; "" if it did not.
func (b *Builder) ended(ctx context.Context, job, pod string) (string, Cause) {
	if b.tooLong(ctx, job) {
		return fmt.Sprintf("it did not finish within %s (--timeout)", b.Timeout), CauseTimeout
	}
	p, err := b.pods.Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return "its pod was deleted before it finished", CauseLost
	}
	if p.Status.Reason != "" {
		return fmt.Sprintf("node %s ended it (%s): %s", p.Spec.NodeName, p.Status.Reason, printable(p.Status.Message)), CauseLost
	}
	for _, c := range p.Status.ContainerStatuses {
		if end := c.State.Terminated; end != nil && end.Reason == "OOMKilled" {
			return "it ran out of memory; its limit is " + p.Spec.Containers[0].Resources.Limits.Memory().String(), CauseMemory
		}
	}
	return "", ""
}
