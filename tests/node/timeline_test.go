package node_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// The moments between helm install and a loaded module, in the order in which
// one leads to the next.
const (
	momentController = "the controller's image is pulled and it runs"
	momentJob        = "it knows nodes and key, and makes the build's Job"
	momentBuild      = "the builder's image is pulled and it runs"
	momentPackages   = "packages, source and headers are there"
	momentCompiled   = "compiled (or fetched, where the test compiles outside)"
	momentBuilt      = "the module is in the log, and the container has ended"
	momentPublished  = "read, verified, stripped, stored, and the index signed"
	momentRetried    = "the agent that fell back is started again"
	momentLoading    = "its container runs"
	momentLoaded     = "fetched, verified and loaded"
)

var moments = []string{
	momentController, momentJob, momentBuild, momentPackages, momentCompiled, momentBuilt, momentPublished, momentRetried, momentLoading, momentLoaded,
}

// timeline notes when each moment is first seen. Jobs, and what is in their logs, are gone
// when the test could ask for them.
type timeline struct {
	began  time.Time
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu sync.Mutex
	at map[string]time.Time
	// agents are the pods that there have been.
	agents map[string]bool
	// logs are the builds whose log is being read.
	logs map[string]bool
}

// watchSupply begins now, before anything is installed, and ends with the test
// or by stop.
func (b *bed) watchSupply(t *testing.T) *timeline {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &timeline{began: time.Now(), cancel: cancel, at: map[string]time.Time{}, agents: map[string]bool{}, logs: map[string]bool{}}
	t.Cleanup(l.stop)
	core := b.cluster.Client.CoreV1()
	for _, w := range []struct {
		open func(context.Context, metav1.ListOptions) (watch.Interface, error)
		see  func(object any)
	}{
		{core.Pods(namespace).Watch, func(o any) { l.seePod(ctx, b, o) }},
		{b.cluster.Client.BatchV1().Jobs(namespace).Watch, l.seeJob},
		{core.ConfigMaps(namespace).Watch, l.seeConfigMap},
	} {
		events, err := w.open(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l.ended.Go(func() {
			defer events.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case e, open := <-events.ResultChan():
					if !open {
						return
					}
					w.see(e.Object)
				}
			}
		})
	}
	return l
}

func (l *timeline) stop() {
	l.cancel()
	l.ended.Wait()
}

// note keeps the first time.
func (l *timeline) note(moment string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at[moment].IsZero() {
		l.at[moment] = at
	}
}

func (l *timeline) seeJob(o any) {
	if _, ok := o.(*batchv1.Job); ok {
		l.note(momentJob, time.Now())
	}
}

func (l *timeline) seeConfigMap(o any) {
	cm, ok := o.(*corev1.ConfigMap)
	if !ok || cm.Name != supply.NamesOf(release).Index {
		return
	}
	if index, err := module.ParseIndex(cm.BinaryData[module.IndexName]); err == nil && len(index.Modules) > 0 {
		l.note(momentPublished, time.Now())
	}
}

func (l *timeline) seePod(ctx context.Context, b *bed, o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	began, over := false, false
	var message string
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		if len(list) > 0 {
			s := list[0].State
			began, over = s.Running != nil || s.Terminated != nil, s.Terminated != nil
			if over {
				message = s.Terminated.Message
			}
			break
		}
	}
	now := time.Now()
	switch pod.Labels["app.kubernetes.io/component"] {
	case "controller":
		if began {
			l.note(momentController, now)
		}
	case supply.Component:
		if began {
			l.note(momentBuild, now)
			l.readLog(ctx, b, pod)
		}
		if over {
			l.note(momentBuilt, now)
		}
	case "agent":
		l.seeAgent(pod, began, over, message, now)
	}
}

func (l *timeline) seeAgent(pod *corev1.Pod, began, over bool, message string, now time.Time) {
	l.mu.Lock()
	l.agents[string(pod.UID)] = true
	again := len(l.agents) > 1
	l.mu.Unlock()
	if again && pod.DeletionTimestamp == nil {
		l.note(momentRetried, now)
		if began {
			l.note(momentLoading, now)
		}
	}
	if o, err := outcome.Parse([]byte(message)); over && err == nil && o.Backend == outcome.PFRing {
		l.note(momentLoaded, now)
	}
}

// readLog follows the log of a build for the steps that it prints.
func (l *timeline) readLog(ctx context.Context, b *bed, pod *corev1.Pod) {
	l.mu.Lock()
	known := l.logs[pod.Name]
	l.logs[pod.Name] = true
	l.mu.Unlock()
	if known {
		return
	}
	l.ended.Go(func() {
		stream, err := b.cluster.Client.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
		if err != nil {
			return
		}
		defer func() { _ = stream.Close() }()
		for lines := bufio.NewScanner(stream); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.HasSuffix(line, " step compile"):
				l.note(momentPackages, time.Now())
			case strings.HasSuffix(line, " step deliver"):
				l.note(momentCompiled, time.Now())
			}
		}
	})
}

// seen is when a moment was seen; zero if it was not.
func (l *timeline) seen(moment string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[moment]
}

// between is how long it took from one moment to another; 0 if one was not seen.
func (l *timeline) between(from, to string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at[from].IsZero() || l.at[to].IsZero() {
		return 0
	}
	return l.at[to].Sub(l.at[from])
}

// table shows the seconds of each step, and its share of all. bare is what the
// same compile takes by itself; 0 is left out.
func (l *timeline) table(bare time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.at[momentLoaded].Sub(l.began)
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	heading, times := "after\tseconds\tshare\t  until\n", func(time.Duration) string { return "" }
	if bare > 0 {
		heading = "after\tseconds\tshare\tbare compiles\t  until\n"
		times = func(d time.Duration) string { return fmt.Sprintf("%.2f\t", d.Seconds()/bare.Seconds()) }
	}
	fmt.Fprint(w, heading)
	last := l.began
	for _, m := range moments {
		at := l.at[m]
		if at.IsZero() {
			fmt.Fprintf(w, "-\t-\t-\t%s  %s\n", strings.Repeat("-\t", strings.Count(times(0), "\t")), m)
			continue
		}
		// Watches of different kinds may tell of one thing before that which led to it.
		took := max(0, at.Sub(last))
		last = last.Add(took)
		fmt.Fprintf(w, "%.1f\t%.1f\t%.0f %%\t%s  %s\n", last.Sub(l.began).Seconds(), took.Seconds(), 100*took.Seconds()/all.Seconds(), times(took), m)
	}
	_ = w.Flush()
	return out.String()
}
