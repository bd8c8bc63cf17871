package build

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// Builder runs builds as Jobs.
type Builder struct {
	Settings
	// Parallel is how many run at a time.
	Parallel int
	// Observe hears of each step of a build, and Log of each line of its log.
	// Both may be nil, and are called by several goroutines.
	Observe func(t Target, step string)
	Log     func(t Target, line string)

	// PodOf, if not nil, finds a Job's pod instead of asking the API each time; nil
	// and no error if there is none.
	PodOf func(job string) (*corev1.Pod, error)

	jobs   batchv1client.JobInterface
	pods   corev1client.PodInterface
	events corev1client.EventInterface
	run    string
	// made says that the run has had a Job.
	made atomic.Bool
	// interval is how often a Job is looked at.
	interval time.Duration
}

// Module is what came of a build that went well.
type Module struct {
	Data   []byte
	Info   module.Info
	SHA256 string
	// KernelVersion is what uname -v prints on the nodes that it was built for; ""
	// where the build does not know.
	KernelVersion string
}

// Result is what came of a build.
type Result struct {
	Target   Target
	Module   Module
	Duration time.Duration
	// Err is why there is no module: a *Failure where it was tried.
	Err error
}

// Failure is why a build gave no module.
type Failure struct {
	// Why says what is wrong and what to do, for people, and Cause what kind of
	// failure it is.
	Why   string
	Cause Cause
	// Step is the last that the script has begun.
	Step string
	// Lines are those of the log that tell most.
	Lines []string
}

func (f *Failure) Error() string { return f.Why }

// Cause is a kind of failure.
type Cause string

// The causes.
const (
	CausePodSecurity Cause = "pod-security"
	CauseQuota       Cause = "quota"
	CauseRefused     Cause = "refused"
	CauseImage       Cause = "image"
	CauseContainer   Cause = "container"
	CauseTimeout     Cause = "timeout"
	// CauseUnscheduled: no node took the pod.
	CauseUnscheduled Cause = "unscheduled"
	CauseMemory      Cause = "memory"
	// CauseLost: the pod was deleted, or its node ended it.
	CauseLost Cause = "lost"
	// CauseScript: the script said why it gave up, at Step.
	CauseScript  Cause = "script"
	CauseLog     Cause = "log"
	CauseEndless Cause = "endless"
	// CauseRotated: the kubelet has thrown away the beginning of the log.
	CauseRotated  Cause = "rotated"
	CauseNoModule Cause = "no-module"
	CauseModule   Cause = "other-module"
)

// ErrInterrupted is why a build gave no module whose context has ended.
var ErrInterrupted = errors.New("interrupted")

// The steps that a build has before its script begins, for Observe.
const (
	StepWaiting  = "waiting"
	stepStarting = "starting"
)

const (
	// cleanUp bounds what is done to leave nothing behind.
	cleanUp = 20 * time.Second
	// margin is how much longer than a Job's own deadline it is waited for.
	margin = time.Minute
)

// NewBuilder builds on the cluster of config.
func NewBuilder(config *rest.Config, s Settings) (*Builder, error) {
	if len(s.Script) > maxScript {
		return nil, fmt.Errorf("the script has %d KiB: must have at most %d", len(s.Script)>>10, maxScript>>10)
	}
	config = rest.CopyConfig(config)
	// A warning that the namespace's policy might object says less than the
	// refusal does.
	config.WarningHandler = rest.NoWarnings{}
	batch, err := batchv1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	return &Builder{
		Settings: s, Parallel: 1, run: random(3), interval: time.Second,
		jobs: batch.Jobs(s.Namespace), pods: core.Pods(s.Namespace), events: core.Events(s.Namespace),
	}, nil
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Run builds for all targets, and calls done with each result as it comes, one
// at a time. When it returns, also after ctx has ended, the Jobs are gone or on
// their way; an error says that some may be left.
func (b *Builder) Run(ctx context.Context, targets []Target, done func(Result)) error {
	var workers sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, max(b.Parallel, 1))
	for i, t := range targets {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		workers.Go(func() {
			began := time.Now()
			r := Result{Target: t, Err: ErrInterrupted}
			if ctx.Err() == nil {
				r.Module, r.Err = b.build(ctx, t, i)
				r.Duration = time.Since(began)
				<-slots
			}
			if ctx.Err() != nil && errors.Is(r.Err, ctx.Err()) {
				r.Err = ErrInterrupted
			}
			mu.Lock()
			defer mu.Unlock()
			done(r)
		})
	}
	workers.Wait()
	return b.remove(ctx)
}

// remove takes away every Job of the run that is still there.
func (b *Builder) remove(ctx context.Context) error {
	if !b.made.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	mine := metav1.ListOptions{LabelSelector: runLabel + "=" + b.run}
	if err := b.jobs.DeleteCollection(ctx, deleteOptions(), mine); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cannot remove the Jobs with label %s (they end by themselves within %s): %w", mine.LabelSelector, b.Timeout, err)
	}
	return nil
}

// deleteOptions keep the Job until its pod is gone, so that nothing of it is
// left without an owner.
func deleteOptions() metav1.DeleteOptions {
	foreground := metav1.DeletePropagationForeground
	return metav1.DeleteOptions{PropagationPolicy: &foreground}
}

func (b *Builder) observe(t Target, step string) {
	if b.Observe != nil {
		b.Observe(t, step)
	}
}

// build runs one Job from its making to its removal.
func (b *Builder) build(ctx context.Context, t Target, number int) (Module, error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout+margin)
	defer cancel()
	mark := NewMark()
	job := b.Job(t, b.run, mark, number)
	// Not interrupted: a Job of which one does not know could not be removed.
	creating, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer stop()
	if _, err := b.jobs.Create(creating, job, metav1.CreateOptions{}); err != nil {
		return Module{}, b.refused(err)
	}
	b.made.Store(true)
	defer b.delete(ctx, job.Name)
	return b.followJob(ctx, t, job.Name, mark)
}

// Attach waits for the end of a Job that Settings.Job has made, whoever has
// created it, and returns its module, a *Failure, or another error when that
// cannot be determined. It also takes a Job that has ended already. It removes nothing.
func (b *Builder) Attach(ctx context.Context, t Target, job *batchv1.Job) (Module, error) {
	left := b.Timeout + margin
	if !job.CreationTimestamp.IsZero() {
		left = max(margin, left-time.Since(job.CreationTimestamp.Time))
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return b.followJob(ctx, t, job.Name, markOf(job))
}

// followJob follows a Job that there is.
func (b *Builder) followJob(ctx context.Context, t Target, job, mark string) (Module, error) {
	b.observe(t, StepWaiting)
	pod, err := b.started(ctx, t, job)
	if err != nil {
		return Module{}, err
	}
	b.observe(t, stepStarting)
	record, err := b.follow(ctx, t, pod, mark)
	if err != nil {
		return Module{}, err
	}
	if record.Module == nil {
		return Module{}, b.failed(ctx, job, pod.Name, record)
	}
	return b.check(t, record)
}

// NewMark returns a mark for Settings.Job that no log has by chance.
func NewMark() string { return DefaultMark + random(8) }

// markOf is the one that a Job was made with.
func markOf(job *batchv1.Job) string {
	for _, c := range job.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == "PFRING_MARK" {
				return e.Value
			}
		}
	}
	return DefaultMark
}

func (b *Builder) delete(ctx context.Context, job string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	// What is missed here, remove gets.
	_ = b.jobs.Delete(ctx, job, deleteOptions())
}

func (b *Builder) check(t Target, r *Record) (Module, error) {
	m, err := Check(r.Module, t.Kernel, t.Arch)
	m.KernelVersion = r.KernelVersion
	if err == nil && b.Script == "" && b.Source.Version != "" && m.Info.Version != b.Source.Version {
		err = fmt.Errorf("the source is PF_RING %s, not %s", m.Info.Version, b.Source.Version)
	}
	if err != nil {
		return Module{}, &Failure{Why: fmt.Sprintf("the build did not produce the module for kernel %s: %v", t, err), Cause: CauseModule, Step: r.Step, Lines: r.Lines(shownLines)}
	}
	return m, nil
}

// Check reads what was built and tells whether it is PF_RING for that kernel.
func Check(data []byte, kernel, arch string) (Module, error) {
	info, err := module.Inspect(data)
	if err == nil {
		err = info.Check(kernel, arch, "pf_ring")
	}
	if err == nil && info.Version == "" {
		err = errors.New("its PF_RING version is unknown")
	}
	if err != nil {
		if e := (*module.Error)(nil); errors.As(err, &e) && e.Why != "" {
			err = errors.New(e.Why)
		}
		return Module{}, err
	}
	sum := sha256.Sum256(data)
	return Module{Data: data, Info: info, SHA256: hex.EncodeToString(sum[:])}, nil
}

// refused explains why no Job could be made, which is not an answer about a build.
func (b *Builder) refused(err error) error {
	switch {
	case apierrors.IsForbidden(err) && apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("namespace %s is being deleted", b.Namespace)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("cannot create a Job: %w. deploy/rbac/build.yaml has the rights that it requires", err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("namespace %s not found. Create it, or name another with -n", b.Namespace)
	}
	return fmt.Errorf("cannot create the Job: %w", err)
}
