package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// runner is one run.
type runner struct {
	Options
	// id is on every Job and pod of this run.
	id string
	// end is when all of it is over.
	end time.Time
	// account is the ServiceAccount of the pods, and pod what they are made from.
	account string
	pod     corev1.PodTemplateSpec
	known   []*group
	active  map[string]*attempt
	made    int
	report  *Report
}

// attempt is one Job.
type attempt struct {
	group *group
	job   string
	node  string
	since time.Time
	// seen says that it has had a pod; looked is when its events were last read.
	seen   bool
	looked time.Time
}

// all runs the Jobs, a bounded number at once, until every group is through or
// the time is over.
func (r *runner) all(ctx context.Context, waiting []*group) {
	total, done := len(waiting), 0
	for len(waiting)+len(r.active) > 0 {
		if ctx.Err() != nil || time.Now().After(r.end) {
			r.giveUp(ctx, waiting)
			return
		}
		for len(waiting) > 0 && len(r.active) < r.parallel && ctx.Err() == nil {
			if !r.start(ctx, waiting[0]) {
				done++
			}
			waiting = waiting[1:]
		}
		again, through := r.look(ctx)
		waiting, done = append(waiting, again...), done+through
		if r.Progress != nil {
			r.Progress(done, total)
		}
		if len(waiting)+len(r.active) > 0 {
			_ = wait.For(ctx, interval) // the loop looks at ctx
		}
	}
}

// giveUp says why the rest has no answer.
func (r *runner) giveUp(ctx context.Context, waiting []*group) {
	reason, message := reasonNotReached, fmt.Sprintf("the time for all probes (%s) ended before this one started", r.Timeout)
	if ctx.Err() != nil {
		reason, message = reasonInterrupted, "it was interrupted"
	}
	for _, g := range waiting {
		if len(g.result.Failed) == 0 {
			g.fail(Failure{g.candidates[0], reason, message})
		}
	}
	for _, a := range r.active {
		if ctx.Err() == nil {
			reason, message = reasonDeadline, fmt.Sprintf("no answer within the time for all probes (%s)", r.Timeout)
		}
		a.group.fail(Failure{a.node, reason, message})
	}
}

// start makes the Job of a group's next node. False means that the group is
// through, because the API server refuses.
func (r *runner) start(ctx context.Context, g *group) bool {
	node := g.candidates[0]
	g.candidates = g.candidates[1:]
	r.made++
	name := r.jobName(r.made)
	// Not interrupted: a Job of which one does not know could not be removed.
	creating, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if _, err := r.Jobs.Create(creating, r.job(name, node), metav1.CreateOptions{}); err != nil {
		g.fail(refusal(node, err))
		return false
	}
	r.active[name] = &attempt{group: g, job: name, node: node, since: time.Now()}
	return true
}

// look reads all pods of the run at once, and settles the attempts that have
// come to an end. It returns the groups to be tried on another node, and how
// many are through.
func (r *runner) look(ctx context.Context) (again []*group, through int) {
	list, err := r.Pods.List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + r.id})
	if apierrors.IsForbidden(err) {
		return nil, r.blind(ctx, err)
	}
	if err != nil {
		// The next look may go well; the deadline ends it if none does.
		return nil, 0
	}
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].Labels["job-name"]] = &list.Items[i]
	}
	for name, a := range r.active {
		report, failed := r.judge(ctx, a, pods[name])
		if report == nil && failed == nil {
			continue
		}
		delete(r.active, name)
		r.delete(ctx, name)
		switch {
		case report != nil:
			a.group.result.Node, a.group.result.Report = a.node, report
			through++
		case len(a.group.candidates) > 0 && elsewhere(failed.Reason):
			a.group.fail(*failed)
			again = append(again, a.group)
		default:
			a.group.fail(*failed)
			through++
		}
	}
	return again, through
}

// blind gives all attempts up: their pods may not be read.
func (r *runner) blind(ctx context.Context, err error) (through int) {
	for name, a := range r.active {
		a.group.fail(Failure{a.node, reasonForbidden, oneLine(err.Error())})
		delete(r.active, name)
		r.delete(ctx, name)
		through++
	}
	return through
}

// elsewhere tells whether another node may fare better.
func elsewhere(reason string) bool {
	switch reason {
	case reasonPodSecurity, reasonQuota, reasonRefused, reasonForbidden, reasonInterrupted:
		return false
	}
	return true
}

// judge tells what came of an attempt; two nils are nothing yet.
func (r *runner) judge(ctx context.Context, a *attempt, pod *corev1.Pod) (*outcome.Probe, *Failure) {
	waited := time.Since(a.since)
	fail := func(reason, message string) *Failure { return &Failure{a.node, reason, message} }
	switch {
	case pod == nil && a.seen:
		return nil, fail(reasonGone, "its pod was deleted before it answered")
	case pod == nil:
		if f := r.whyNoPod(ctx, a, waited); f != nil {
			return nil, f
		}
	default:
		a.seen = true
		if report, f := read(pod, waited); report != nil || f != nil {
			if f != nil {
				f.Node = a.node
			}
			return report, f
		}
		if f := r.whyPending(ctx, a, pod, waited); f != nil {
			return nil, f
		}
	}
	if waited < patience {
		return nil, nil
	}
	message := "no answer within " + patience.String()
	if pod != nil {
		if last := r.lastWarning(ctx, "Pod", pod.Name); last != nil {
			message += ": " + last.Message
		}
	}
	return nil, fail(reasonDeadline, message)
}

// delete removes a Job that is through; what it misses, remove gets.
func (r *runner) delete(ctx context.Context, name string) {
	background := metav1.DeletePropagationBackground
	_ = r.Jobs.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
}

// remove takes every Job of the run away, also when ctx has ended.
func (r *runner) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	background := metav1.DeletePropagationBackground
	mine := metav1.ListOptions{LabelSelector: runLabel + "=" + r.id}
	err := r.Jobs.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, mine)
	if err == nil {
		return
	}
	left, listErr := r.Jobs.List(ctx, mine)
	if listErr != nil {
		r.report.Left = errors.Join(err, listErr)
		return
	}
	for i := range left.Items {
		if one := r.Jobs.Delete(ctx, left.Items[i].Name, metav1.DeleteOptions{PropagationPolicy: &background}); one != nil && !apierrors.IsNotFound(one) {
			r.report.Left = errors.Join(r.report.Left, one)
		}
	}
}
