package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

const (
	// settle gathers changes that come together: judging thousands of nodes for
	// each of thousands of events would take longer than the events.
	settle = 100 * time.Millisecond
	// retryPause is before a watch that broke is opened again.
	retryPause = 500 * time.Millisecond
	// lookAgain is how often to judge without an event, for what only time tells.
	lookAgain = 5 * time.Second
)

// Wait follows the release by one watch until every wanted node has the module,
// or until nothing will change by itself, or until ctx ends, and returns the
// state then. progress, if not nil, is called with each change.
func (c *Client) Wait(ctx context.Context, r *Release, progress func(Summary)) (*Report, error) {
	w := &waiter{client: c, progress: progress}
	f, warnings, err := c.read(ctx, r)
	if err != nil {
		return nil, err
	}
	w.facts = f
	if err := w.until(ctx, func(s *Report) bool { return s.Summary.settled() && !c.driftStays(ctx, f, s) }); err != nil && ctx.Err() == nil {
		return nil, err
	}
	// The deadline may be over, but not the answer to why.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if !w.complete {
		c.readBuilt(last, f)
		if targets, err := r.readTargets(last, c.core.Nodes()); err == nil {
			f.targets = targets
		}
	}
	return c.finish(last, f, warnings), nil
}

// waiter follows the pods of a release.
type waiter struct {
	client   *Client
	facts    *facts
	progress func(Summary)
	last     Summary
	complete bool
}

// until follows the pods until done says so or ctx ends; the error is then ctx's.
// A watch that ends is opened again where it was. The pods are listed again only when
// the API server has forgotten that place.
func (w *waiter) until(ctx context.Context, done func(*Report) bool) error {
	version := ""
	for failures := 0; ; {
		var err error
		if version == "" {
			listed, listErr := w.client.listPods(ctx, w.facts)
			if err = listErr; err == nil {
				version = listed
				if w.check(done) {
					return nil
				}
			}
		}
		if before := version; err == nil {
			if err = w.follow(ctx, &version, done); version != before {
				failures = 0
			}
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errBroken):
			if w.check(done) { // what came just before the end was not judged yet
				return nil
			}
		case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
			failures++
			version = ""
		default:
			failures++
		}
		if !retryable(err) || failures >= 10 {
			return err
		}
		if err := wait.For(ctx, retryPause); err != nil {
			return err
		}
	}
}

// errBroken means that a watch ended, as every watch does at some time.
var errBroken = errors.New("the watch ended")

// retryable errors are worth another try.
func retryable(err error) bool {
	return !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) && !apierrors.IsNotFound(err)
}

// follow watches from version on, and leaves the version of the last event there.
func (w *waiter) follow(ctx context.Context, version *string, done func(*Report) bool) error {
	r := w.facts.release
	events, err := w.client.core.Pods(r.Namespace).Watch(ctx, metav1.ListOptions{
		LabelSelector: r.podSelector(), ResourceVersion: *version, AllowWatchBookmarks: true,
	})
	if err != nil {
		return fmt.Errorf("cannot watch pods in namespace %s: %w", r.Namespace, err)
	}
	defer events.Stop()
	arrived := bufferEvents(events.ResultChan())
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	dirty := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-arrived.some:
			list, ended := arrived.take()
			changed, err := w.takeAll(list, version)
			if err != nil {
				return err
			}
			if ended {
				return errBroken
			}
			if !dirty && changed {
				dirty = true
				timer.Reset(settle)
			}
		case <-timer.C:
			if !dirty && w.facts.missesPods() {
				// A node may have left since; its pod will then never come.
				if targets, err := r.readTargets(ctx, w.client.core.Nodes()); err == nil {
					w.facts.targets = targets
				}
			}
			if !dirty {
				w.client.readBuilt(ctx, w.facts)
			}
			dirty = false
			timer.Reset(lookAgain)
			if w.check(done) {
				return nil
			}
		}
	}
}

// takeAll takes events over and tells whether one of them changes anything; version
// is that of the last one.
func (w *waiter) takeAll(list []watch.Event, version *string) (changed bool, err error) {
	for _, event := range list {
		if err := w.take(event, version); err != nil {
			return changed, err
		}
		changed = changed || event.Type != watch.Bookmark
	}
	return changed, nil
}

func (w *waiter) take(event watch.Event, version *string) error {
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	pod, ok := event.Object.(*corev1.Pod)
	if !ok {
		return nil
	}
	*version = pod.ResourceVersion
	switch event.Type {
	case watch.Bookmark:
	case watch.Deleted:
		delete(w.facts.pods, string(pod.UID))
		if !w.facts.release.owns(pod) {
			w.facts.put(pod)
		}
	default:
		w.facts.put(pod)
	}
	return nil
}

// check judges and tells progress.
func (w *waiter) check(done func(*Report) bool) bool {
	report := w.facts.report(w.client.now())
	if w.progress != nil && report.Verdict != w.last.verdict() {
		w.progress(report.Summary)
	}
	w.last, w.complete = report.Summary, report.Complete
	return done(report)
}
