package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/builds"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// follower follows one build to its end.
type follower struct {
	job             string
	key             decide.Key
	try             int
	inputs, version string
	began           time.Time
	cancel          context.CancelFunc

	mu   sync.Mutex
	step string
	over bool
	mod  build.Module
	err  error

	// entry is the module once it is in the store, and held why it is not yet.
	entry *module.Entry
	held  error
}

// made is a Job that was created a moment ago.
type made struct {
	key decide.Key
	at  time.Time
}

func keyOf(e module.Entry) decide.Key { return decide.Key{Kernel: e.KernelRelease, Arch: e.Arch} }

// seeJobs finds the builds that there are, whoever has begun them, and attends
// those that nobody attends.
func (r *reconciler) seeJobs(ctx context.Context, l *look) error {
	var list batchv1.JobList
	if err := r.client.List(ctx, &list, client.InNamespace(r.o.Namespace), client.MatchingLabels{builds.Label: builds.LabelValue}); err != nil {
		return err
	}
	l.building, l.ending = map[decide.Key]string{}, map[decide.Key]string{}
	there := map[string]bool{}
	for i := range list.Items {
		job := &list.Items[i]
		key := decide.Key{Kernel: job.Annotations[build.KernelAnnotation], Arch: job.Annotations[build.ArchAnnotation]}
		there[job.Name] = true
		switch {
		case job.DeletionTimestamp != nil:
			l.ending[key] = job.Name
		case r.counted(l, job, key):
			l.ending[key] = job.Name
			l.settled = append(l.settled, job.Name)
		default:
			if err := r.followJob(ctx, l, job, key); err != nil {
				return err
			}
			l.building[key] = job.Name
		}
	}
	for name, made := range r.made {
		// The cache may be behind.
		if there[name] || l.now.Sub(made.at) > time.Minute {
			delete(r.made, name)
		} else {
			l.building[made.key] = name
		}
	}
	return nil
}

// counted tells whether a Job's result is in the store or in the status already.
func (r *reconciler) counted(l *look, job *batchv1.Job, key decide.Key) bool {
	try, _ := strconv.Atoi(job.Annotations[tryAnnotation])
	version, inputs := job.Annotations[versionAnnotation], job.Annotations[inputsAnnotation]
	if slices.ContainsFunc(l.have, func(e module.Entry) bool { return keyOf(e) == key && e.Version == version }) {
		return true
	}
	k := l.status.Find(key.Kernel, key.Arch)
	return k != nil && k.Inputs == inputs && k.Tries >= try && k.Version == version
}

// followJob follows a Job unless somebody does.
func (r *reconciler) followJob(ctx context.Context, _ *look, job *batchv1.Job, key decide.Key) error {
	if r.followers[job.Name] != nil {
		return nil
	}
	try, _ := strconv.Atoi(job.Annotations[tryAnnotation])
	f := &follower{
		job: job.Name, key: key, try: try, began: job.CreationTimestamp.Time, step: build.StepWaiting,
		inputs: job.Annotations[inputsAnnotation], version: job.Annotations[versionAnnotation],
	}
	settings, err := r.of(f.version)
	if err != nil {
		settings = r.settings // the Job knows where its source is
	}
	builder, err := build.NewBuilder(r.o.REST, settings)
	if err != nil {
		return err
	}
	builder.PodOf = r.podOf
	builder.Observe = func(_ build.Target, step string) {
		if f.setStep(step) {
			r.enqueue()
		}
	}
	base, cancel := context.WithCancel(r.base)
	f.cancel = cancel
	r.followers[job.Name] = f
	job = job.DeepCopy()
	r.log.Info("following a build", "job", job.Name, "kernel", key.Kernel, "arch", key.Arch, "try", try)
	go func() {
		mod, err := builder.Attach(base, build.Target{Kernel: key.Kernel, Arch: key.Arch}, job)
		if base.Err() != nil {
			return
		}
		f.mu.Lock()
		f.over, f.mod, f.err = true, mod, err
		f.mu.Unlock()
		r.enqueue()
	}()
	return ctx.Err()
}

// setStep notes a step, and tells whether it is another.
func (f *follower) setStep(step string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.step
	f.step = step
	return was != step
}

func (f *follower) done() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

func (f *follower) state() (step string, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.step, f.over
}

// podOf finds a Job's pod in the cache.
func (r *reconciler) podOf(job string) (*corev1.Pod, error) {
	var list corev1.PodList
	if err := r.client.List(r.base, &list, client.InNamespace(r.o.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job}); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}

// results takes over what builds have come to since.
func (r *reconciler) results(ctx context.Context, l *look) {
	for _, name := range sortedKeys(r.followers) {
		f := r.followers[name]
		if !f.done() {
			continue
		}
		if f.entry != nil && slices.ContainsFunc(l.have, func(e module.Entry) bool { return e.SHA256 == f.entry.SHA256 }) {
			continue // published; the Job is about to go
		}
		if f.err == nil && l.storeFails {
			continue
		}
		if f.err == nil {
			if err := r.keep(ctx, l, f); err != nil {
				r.failed(l, f, err)
			}
			continue
		}
		if known := (*build.Failure)(nil); !errors.As(f.err, &known) {
			// It says nothing of the build: look at the Job again.
			r.log.Info("following a build again", "job", name, "error", f.err.Error())
			delete(r.followers, name)
			continue
		}
		r.failed(l, f, f.err)
	}
}

// keep puts a module into the store. An error is why the build counts as failed;
// what may pass is tried again.
func (r *reconciler) keep(ctx context.Context, l *look, f *follower) error {
	file, err := strip.Small(f.mod.Data)
	if err != nil {
		return &build.Failure{Why: "the module cannot be stored: " + err.Error(), Cause: build.CauseModule}
	}
	e := entryOf(f.mod, file)
	err = r.store.Put(ctx, e, file)
	switch {
	case errors.Is(err, store.ErrFull):
		return err
	case err != nil:
		r.storeFailed(l, "cannot store the module for kernel "+f.key.Kernel, err)
		f.held = err
		return nil
	}
	f.held = nil
	l.have = slices.DeleteFunc(l.have, func(o module.Entry) bool { return keyOf(o) == keyOf(e) && o.Version == e.Version })
	l.have = append(l.have, e)
	if f.entry == nil {
		f.entry = &e
		buildsTotal.WithLabelValues(f.key.Kernel, f.key.Arch, "built").Inc()
		buildSeconds.Observe(r.now().Sub(f.began).Seconds())
		r.event(l, corev1.EventTypeNormal, "ModuleBuilt", "Built PF_RING %s for kernel %s on %s in %s (%d KB)",
			e.Version, e.KernelRelease, e.Arch, r.now().Sub(f.began).Round(time.Second), (e.Size+1023)>>10)
	}
	delete(l.building, f.key)
	l.ending[f.key] = f.job
	return nil
}

// entryOf describes a module as the index does. It names no kernelVersion: a Node
// object does not say its own, so one module is built for a release, and the kernel's
// checks of vermagic and symbols tell whether it fits another build of it.
func entryOf(m build.Module, file []byte) module.Entry {
	i, sum := m.Info, sha256Of(file)
	e := module.Entry{
		KernelRelease: i.KernelRelease, Arch: i.Arch, Version: i.Version,
		// By its digest it takes the place of no other file, and none takes its own.
		Path: fmt.Sprintf("modules/%s/%s/%s-%s/pf_ring.ko.zst", i.Arch, i.KernelRelease, i.Version, sum[:12]),
		Size: int64(len(file)), SHA256: sum, Vermagic: i.Vermagic, Signed: i.Signed,
		Compression: module.FormatZst, SrcVersion: i.SrcVersion,
	}
	if ko, _, err := module.Decompress(file, module.DefaultMaxSize); err == nil {
		e.ModuleSHA256 = sha256Of(ko)
	}
	return e
}

// failed counts a build that gave no module.
func (r *reconciler) failed(l *look, f *follower, err error) {
	k := l.status.Find(f.key.Kernel, f.key.Arch)
	if k == nil {
		l.status.Kernels = append(l.status.Kernels, supply.KernelStatus{Kernel: f.key.Kernel, Arch: f.key.Arch})
		k = &l.status.Kernels[len(l.status.Kernels)-1]
	}
	if k.Inputs == f.inputs && k.Tries >= f.try {
		l.settled = append(l.settled, f.job)
		return
	}
	fit := build.FitOf(f.version, f.key.Kernel)
	w := explain(err, fit)
	k.State, k.Version, k.Inputs, k.Tries, k.Since = supply.Failed, f.version, f.inputs, f.try, l.now
	k.Reason, k.Message, k.Remedy, k.Log = w.reason, w.message, w.remedy, w.log
	k.NextTry = l.now.Add(decide.Pause(f.try))
	if w.once {
		k.NextTry = time.Time{}
	}
	buildsTotal.WithLabelValues(f.key.Kernel, f.key.Arch, "failed").Inc()
	buildSeconds.Observe(r.now().Sub(f.began).Seconds())
	next := "It is not retried until something changes."
	if !k.NextTry.IsZero() {
		next = "The next try is in " + k.NextTry.Sub(l.now).String() + "."
	}
	r.event(l, corev1.EventTypeWarning, "BuildFailed", "No PF_RING %s for kernel %s on %s: %s. %s", f.version, f.key.Kernel, f.key.Arch, strings.TrimSuffix(w.message, "."), next)
	delete(l.building, f.key)
	l.ending[f.key] = f.job
	l.settled = append(l.settled, f.job)
}

// describe adds what is known of a build that runs.
func (r *reconciler) describe(k *supply.KernelStatus, job string) {
	k.Job = job
	if f := r.followers[job]; f != nil {
		k.Step, _ = f.state()
		k.Since = f.began
		k.Tries = f.try - 1
		if f.held != nil {
			k.Reason, k.Message, k.Remedy = supply.StoreFailed, "it is built, and cannot be stored: "+f.held.Error(), store.Remedy(f.held)
		}
	}
}

// begin makes the Jobs of the plan. The name of each is that of its inputs, so
// that there are never two of one; the errors are for trying again.
func (r *reconciler) begin(ctx context.Context, l *look) []error {
	var errs []error
	for _, b := range l.plan.Begin {
		s, err := r.of(b.Version)
		if err != nil {
			r.refused(l, b, err)
			continue
		}
		target := builds.Target(r.o.Config, b.Target)
		job := s.Job(target, r.runOf(b), build.NewMark(), b.Try)
		job.Annotations[tryAnnotation], job.Annotations[inputsAnnotation] = strconv.Itoa(b.Try), b.Inputs
		job.Annotations[versionAnnotation], job.Annotations[imageAnnotation] = b.Version, b.Target.OSImage
		err = r.client.Create(ctx, job)
		if err == nil {
			r.made[job.Name] = made{decide.Key{Kernel: target.Kernel, Arch: target.Arch}, l.now}
			r.event(l, corev1.EventTypeNormal, "BuildStarted", "Building PF_RING %s for kernel %s on %s (try %d)", b.Version, target.Kernel, target.Arch, b.Try)
		}
		if err == nil || apierrors.IsAlreadyExists(err) {
			continue
		}
		if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
			// It says nothing of the build, and is tried again soon.
			errs = append(errs, fmt.Errorf("cannot create the build Job for kernel %s: %w", b.Target.Kernel, err))
			continue
		}
		r.refused(l, b, err)
	}
	return errs
}

// runOf is the part of a Job's name that its inputs decide.
func (r *reconciler) runOf(b decide.Build) string {
	return sha256Of([]byte(r.o.Release + "\x00" + b.Target.Kernel + "\x00" + b.Target.Arch + "\x00" + b.Inputs))[:12]
}

// refused notes in the plan that a Job could not be made: a try like others, so
// that pauses grow.
func (r *reconciler) refused(l *look, b decide.Build, err error) {
	i := slices.IndexFunc(l.plan.Kernels, func(k supply.KernelStatus) bool { return k.Kernel == b.Target.Kernel && k.Arch == b.Target.Arch })
	if i < 0 {
		return
	}
	k := &l.plan.Kernels[i]
	w := explain(err, build.FitOf(b.Version, b.Target.Kernel))
	k.State, k.Since, k.Inputs, k.Tries, k.NextTry = supply.Failed, l.now, b.Inputs, b.Try, l.now.Add(decide.Pause(b.Try))
	k.Reason, k.Message, k.Remedy, k.Log = w.reason, w.message, w.remedy, nil
	r.event(l, corev1.EventTypeWarning, "BuildFailed", "No build for kernel %s on %s: %s", b.Target.Kernel, b.Target.Arch, w.message)
}

// removeJobs deletes Jobs that have told all, and those whose kernel or inputs
// are not wanted any more.
func (r *reconciler) removeJobs(ctx context.Context, l *look) error {
	names := slices.Clone(l.settled)
	for key, name := range l.building {
		f := r.followers[name]
		i := slices.IndexFunc(l.plan.Kernels, func(k supply.KernelStatus) bool { return k.Kernel == key.Kernel && k.Arch == key.Arch })
		if l.release != nil && f != nil && (i < 0 || l.plan.Kernels[i].State != supply.Building || l.plan.Kernels[i].Inputs != f.inputs) {
			names = append(names, name)
		}
	}
	for _, f := range r.followers {
		if f.entry != nil && slices.ContainsFunc(l.index.all, func(e module.Entry) bool { return e.SHA256 == f.entry.SHA256 }) {
			names = append(names, f.job)
		}
	}
	slices.Sort(names)
	var errs []error
	for _, name := range slices.Compact(names) {
		foreground := metav1.DeletePropagationForeground
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: r.o.Namespace, Name: name}}
		if err := r.client.Delete(ctx, job, &client.DeleteOptions{PropagationPolicy: &foreground}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("cannot delete Job %s: %w", name, err))
			continue
		}
		if f := r.followers[name]; f != nil {
			f.cancel()
			delete(r.followers, name)
		}
	}
	return errors.Join(errs...)
}
