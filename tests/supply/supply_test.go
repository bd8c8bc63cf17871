package supply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestEachKernelIsBuiltOnceAndEveryAgentLoads(t *testing.T) {
	t.Parallel()
	const n = 40
	b := newBed(t, "", kernelsOf(n)...)
	b.config = "supply: {parallel: 8}"
	account := b.account(t)
	stop := b.start(t, account)
	s := b.status(t, "all kernels to be built", allOf(supply.Built, n))
	if s.Index.Modules != n || s.Index.Serial < 1 || len(s.Problems) != 0 {
		t.Errorf("%+v %+v", s.Index, s.Problems)
	}
	b.loaded(t, n)
	noJobs(t, b)
	if got := b.built(); got != n {
		t.Errorf("%d builds for %d kernels", got, n)
	}
	events, err := cluster.Client.EventsV1().Events(b.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool { return e.Reason == "ModuleBuilt" && e.Regarding.Kind == "DaemonSet" }) {
		t.Error("no event of the DaemonSet tells of a module")
	}
	// Another start finds everything as it is.
	stop()
	serial := s.Index.Serial
	b.start(t, account)
	b.addNodes(t, "late", "6.1.0-99-amd64")
	s = b.status(t, "the late kernel to be built", allOf(supply.Built, n+1))
	if s.Index.Serial <= serial || b.built() != n+1 {
		t.Errorf("serial %d after %d, %d builds", s.Index.Serial, serial, b.built())
	}
	b.loaded(t, n+1)
}

func noJobs(t *testing.T, b *bed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the Jobs to be gone", func(ctx context.Context) (bool, error) {
		jobs, err := cluster.Client.BatchV1().Jobs(b.namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(jobs.Items) == 0, err
	})
	if err != nil {
		t.Error(err)
	}
}

// A controller that is killed while builds run, and again while it publishes,
// goes on where it was: no build is begun a second time.
func TestAKilledControllerGoesOn(t *testing.T) {
	t.Parallel()
	const n = 6
	b := newBed(t, "", kernelsOf(n)...)
	b.config = "supply: {parallel: 3}"
	b.becomes(func(*corev1.Pod, string) (string, kube.Result) { return "", kube.Result{Hold: true} })
	b.spawn(t, cluster.Kubeconfig)
	b.status(t, "three builds to run", func(s *supply.Status) bool { return count(s, supply.Building) == 3 })
	b.kill()
	b.becomes(good)
	b.identity = "the same pod" // as when its container is started again
	b.spawn(t, cluster.Kubeconfig)
	modules := func(ctx context.Context) (int, error) {
		list, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).List(ctx, metav1.ListOptions{})
		found := 0
		for i := range list.Items {
			if strings.HasPrefix(list.Items[i].Name, release+"-pfring-module-") {
				found++
			}
		}
		return found, err
	}
	for round := 1; round <= 3; round++ {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		err := kube.Poll(ctx, "the next module", func(ctx context.Context) (bool, error) {
			got, err := modules(ctx)
			return got >= round, err
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		b.kill()
		b.spawn(t, cluster.Kubeconfig)
	}
	b.status(t, "all kernels to be built", allOf(supply.Built, n))
	b.loaded(t, n)
	noJobs(t, b)
	if got := b.built(); got != n {
		t.Errorf("%d builds for %d kernels", got, n)
	}
	if got, err := modules(t.Context()); err != nil || got != n {
		t.Errorf("%d modules are kept, %v", got, err)
	}
}

func count(s *supply.Status, state supply.State) int {
	n := 0
	for _, k := range s.Kernels {
		if k.State == state {
			n++
		}
	}
	return n
}

func TestTheNextLeaderTakesOverAndBuildsNothingTwice(t *testing.T) {
	t.Parallel()
	const n = 4
	b := newBed(t, "", kernelsOf(n)...)
	account := b.account(t)
	b.becomes(func(*corev1.Pod, string) (string, kube.Result) { return "", kube.Result{Hold: true} })
	stop := b.start(t, account)
	b.status(t, "two builds to run", func(s *supply.Status) bool { return count(s, supply.Building) == 2 })
	second := &bed{namespace: b.namespace, names: b.names, serve: freePort(t), config: b.config}
	second.start(t, account)
	stop()
	b.becomes(good)
	b.status(t, "all kernels to be built", allOf(supply.Built, n))
	if got := b.built(); got != n {
		t.Errorf("%d builds for %d kernels", got, n)
	}
}

func TestWhatKeepsABuildFromRunningIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, level string
		without     []string
		config      string
		prepare     func(t *testing.T, b *bed)
		build       func(*corev1.Pod, string) (string, kube.Result)
		reason      supply.Reason
		message     string
		remedy      string
		log         string
	}{
		{name: "Pod Security", level: "restricted", reason: supply.PodSecurity, message: "violates PodSecurity", remedy: "kubectl label namespace"},
		{name: "quota", prepare: quota, reason: supply.QuotaExceeded, message: "exceeded quota", remedy: "ResourceQuota"},
		{name: "quota of Jobs", prepare: jobQuota, reason: supply.QuotaExceeded, message: "exceeded quota", remedy: "ResourceQuota"},
		{name: "limit range", prepare: limitRange, reason: supply.PodRefused, message: "maximum memory usage per Container is 64Mi", remedy: "supply.builder.resources"},
		{name: "no node fits", config: "supply: {timeout: 5s, builder: {nodeSelector: {nowhere: 'yes'}}}", reason: supply.NoNode, message: "no node took its pod within 5s", remedy: "supply.builder.nodeSelector"},
		{name: "no egress", build: bad("packages", "the package index could not be read: is there a way to the distribution's archive, or a proxy to set?"), reason: supply.NoEgress, message: "could not be read", remedy: "supply.builder.proxy", log: "E: something is wrong"},
		{name: "no headers", build: bad("headers", "there are no headers: linux-headers-x is neither on the node nor in the archive"), reason: supply.HeadersMissing, message: "there are no headers", remedy: "supply.builder.hostHeaders", log: "E: something is wrong"},
		{name: "does not compile", build: bad("compile", "PF_RING did not compile for kernel x"), reason: supply.CompileFailed, message: "did not compile", remedy: "supply.pfringVersion", log: "E: something is wrong"},
		{name: "image", build: func(*corev1.Pod, string) (string, kube.Result) {
			return "", kube.Result{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}}
		}, reason: supply.ImageFailed, message: "could not be pulled", remedy: "supply.builder.images"},
		{name: "no module", build: func(*corev1.Pod, string) (string, kube.Result) { return "done\n", kube.Result{} }, reason: supply.NoModule, message: "no module found"},
		{name: "another module", build: func(pod *corev1.Pod, kernel string) (string, kube.Result) {
			return printed(pod, moduletest.KO{Kernel: kernel, Name: "dummy"}.Bytes()), kube.Result{}
		}, reason: supply.WrongModule, message: "dummy"},
		{name: "a module for another kernel", build: func(pod *corev1.Pod, _ string) (string, kube.Result) {
			return printed(pod, moduletest.KO{Kernel: "6.1.0-9999-amd64"}.Bytes()), kube.Result{}
		}, reason: supply.WrongModule, message: "6.1.0-9999-amd64"},
		{name: "a module for another architecture", build: func(pod *corev1.Pod, kernel string) (string, kube.Result) {
			return printed(pod, moduletest.KO{Kernel: kernel, Arch: "arm64"}.Bytes()), kube.Result{}
		}, reason: supply.WrongModule, message: "arm64"},
		{name: "two modules", build: func(pod *corev1.Pod, kernel string) (string, kube.Result) {
			one := printed(pod, moduletest.KO{Kernel: kernel}.Bytes())
			return one + one, kube.Result{}
		}, reason: supply.NoModule, message: "2 modules"},
		{name: "no module in the place of one", build: func(pod *corev1.Pod, _ string) (string, kube.Result) {
			return printed(pod, []byte("#!/bin/sh\n")), kube.Result{}
		}, reason: supply.WrongModule, message: "did not produce the module"},
		{name: "a module of other source", config: "supply: {pfringVersion: 8.8.0}", build: good, reason: supply.WrongModule, message: "not 8.8.0"},
		{name: "binary", build: func(*corev1.Pod, string) (string, kube.Result) {
			return "\x00\x7fELF\x02" + strings.Repeat("\xff\xfe\x1b[2J", 5000), kube.Result{}
		}, reason: supply.NoModule, message: "no module found"},
		{name: "too large to be one", build: func(pod *corev1.Pod, kernel string) (string, kube.Result) {
			return printed(pod, append(moduletest.KO{Kernel: kernel}.Bytes(), make([]byte, 20<<20)...)), kube.Result{}
		}, reason: supply.NoModule, message: "larger than 16 MiB"},
		{name: "another kernel is claimed", build: func(pod *corev1.Pod, _ string) (string, kube.Result) {
			mark := env(pod, "PFRING_MARK")
			return mark + " step compile\n" + mark + " kernel 6.1.0-9999-amd64\n" + printed(pod, moduletest.KO{Kernel: "6.1.0-9999-amd64"}.Bytes()), kube.Result{}
		}, reason: supply.WrongModule, message: "6.1.0-9999-amd64"},
		{name: "endless log", build: func(*corev1.Pod, string) (string, kube.Result) {
			return strings.Repeat(strings.Repeat("x", 8<<10)+"\n", 65<<20/(8<<10)), kube.Result{ExitCode: 1}
		}, reason: supply.LogEndless, message: "more than 64 MiB"},
		{name: "too large for the store", build: func(pod *corev1.Pod, kernel string) (string, kube.Result) {
			return printed(pod, moduletest.KO{Kernel: kernel, Padding: 1 << 20}.Bytes()), kube.Result{}
		}, reason: supply.StoreFull, message: "a ConfigMap can hold 900", remedy: "persistentVolumeClaim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, c.level, "6.1.0-18-amd64")
			if c.config != "" {
				b.config = c.config
			}
			if c.prepare != nil {
				c.prepare(t, b)
			}
			if c.build != nil {
				b.becomes(c.build)
			}
			b.start(t, b.account(t, c.without...))
			s := b.status(t, "the build to fail", allOf(supply.Failed, 1))
			k := s.Kernels[0]
			if k.Reason != c.reason || !strings.Contains(k.Message, c.message) || !strings.Contains(k.Remedy, c.remedy) || !strings.Contains(strings.Join(k.Log, "\n"), c.log) {
				t.Errorf("%+v", k)
			}
			if strings.Contains(k.Message, " --") {
				t.Errorf("it names a flag: %q %q", k.Message, k.Remedy)
			}
			if k.Tries != 1 || k.NextTry.Sub(k.Since) != time.Minute {
				t.Errorf("%d tries, the next %s later", k.Tries, k.NextTry.Sub(k.Since))
			}
			noJobs(t, b)
		})
	}
}

func limitRange(t *testing.T, b *bed) {
	t.Helper()
	small := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	l := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: small, Default: small, DefaultRequest: small}}}}
	if _, err := cluster.Client.CoreV1().LimitRanges(b.namespace).Create(t.Context(), l, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func quota(t *testing.T, b *bed) {
	t.Helper()
	quotaOf(t, b, corev1.ResourceList{"limits.memory": resource.MustParse("1Gi")})
}

func jobQuota(t *testing.T, b *bed) {
	t.Helper()
	quotaOf(t, b, corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")})
}

func quotaOf(t *testing.T, b *bed, hard corev1.ResourceList) {
	t.Helper()
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	if _, err := cluster.Client.CoreV1().ResourceQuotas(b.namespace).Create(t.Context(), q, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the quota to count", func(ctx context.Context) (bool, error) {
		now, err := cluster.Client.CoreV1().ResourceQuotas(b.namespace).Get(ctx, "small", metav1.GetOptions{})
		return err == nil && len(now.Status.Hard) > 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A build that failed is tried again with other settings at once, and by itself
// when its pause is over.
func TestACorrectedSettingIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	b.becomes(bad("source", "https://github.com/x could not be fetched: name a mirror with --source-url, or a proxy"))
	account := b.account(t)
	c := &clock{}
	b.now = c.now
	stop := b.start(t, account)
	b.status(t, "the build to fail", allOf(supply.Failed, 1))
	c.forward(t, b, 2*time.Minute)
	s := b.status(t, "the second try to fail", func(s *supply.Status) bool { return allOf(supply.Failed, 1)(s) && s.Kernels[0].Tries == 2 })
	if pause := s.Kernels[0].NextTry.Sub(s.Kernels[0].Since); pause != 2*time.Minute {
		t.Errorf("the next try is %s later", pause)
	}
	stop()
	b.becomes(good)
	b.config = "supply: {builder: {proxy: {https: 'http://proxy:3128'}}}"
	b.start(t, account)
	b.status(t, "the kernel to be built", allOf(supply.Built, 1))
}

// touch makes the controller look at everything.
func touch(t *testing.T, b *bed) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"touched":%q}}}}}`, time.Now().String())
	if _, err := cluster.Client.AppsV1().DaemonSets(b.namespace).Patch(t.Context(), release+"-agent", "application/strategic-merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// While key and CA are replaced, an agent that boots at any moment loads.
func TestRotationNeverMakesANodeFallBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	c := &clock{}
	b.now = c.now
	b.start(t, b.account(t))
	b.status(t, "the kernel to be built", allOf(supply.Built, 1))
	b.loaded(t, 1)
	node, err := cluster.Client.CoreV1().Nodes().Get(t.Context(), "n-"+b.namespace+"-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := public(t, b)
	for _, name := range []string{b.names.Key, b.names.CA} {
		if err := cluster.Client.CoreV1().Secrets(b.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ahead := time.Duration(0)
	for _, step := range []time.Duration{time.Minute, time.Minute, 2 * time.Minute, 25 * time.Hour} {
		ahead += step
		c.forward(t, b, step)
		end := time.Now().Add(3 * time.Second)
		for time.Now().Before(end) {
			if o := b.fetch(node); o.Backend != outcome.PFRing {
				t.Fatalf("%s into the rotation: %s", ahead, o.Reason)
			}
			// A kubelet brings what is published with delay.
			if o := b.fetchTrusting(node, before); o.Backend != outcome.PFRing && ahead < 3*time.Minute {
				t.Fatalf("%s into the rotation, with what was published before: %s", ahead, o.Reason)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	after := public(t, b)
	if after[supply.PublicKeysKey] == before[supply.PublicKeysKey] || after[supply.CAKey] == before[supply.CAKey] {
		t.Error("key and CA are the same as before")
	}
	if n := len(strings.Fields(after[supply.PublicKeysKey])); n != 1 {
		t.Errorf("%d keys are trusted at the end", n)
	}
}

func public(t *testing.T, b *bed) map[string]string {
	t.Helper()
	cm, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), b.names.Public, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm.Data
}

func TestModulesOfKernelsThatAreGoneAreDropped(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	c := &clock{}
	b.now = c.now
	b.config = "supply: {keep: 1h}"
	b.start(t, b.account(t))
	b.status(t, "both kernels to be built", allOf(supply.Built, 2))
	if err := cluster.RemoveNodes(t.Context(), "n-"+b.namespace+"-1"); err != nil {
		t.Fatal(err)
	}
	b.status(t, "one kernel to be unused", func(s *supply.Status) bool {
		k := s.Find("6.1.0-19-amd64", "amd64")
		return k != nil && k.Nodes == 0 && !k.LastSeen.IsZero() && s.Index.Modules == 2
	})
	c.forward(t, b, 2*time.Hour)
	b.status(t, "the module to be dropped", func(s *supply.Status) bool { return s.Index.Modules == 1 && len(s.Kernels) == 1 })
}

func TestAForeignConfigMapIsLeftAloneAndBuiltBeside(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	file, err := strip.Small(moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 40 << 10}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	name := b.names.ModuleOf(sum(file))
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"mine": "yes"}}
	if _, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.start(t, b.account(t))
	s := b.status(t, "the kernel to be built", func(s *supply.Status) bool { return allOf(supply.Built, 1)(s) && len(s.Problems) > 0 })
	b.loaded(t, 1)
	if p := s.Problems[0]; p.Reason != supply.ForeignObject || !strings.Contains(p.Message, name) {
		t.Errorf("%+v", s.Problems)
	}
	cm, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || cm.Data["mine"] != "yes" {
		t.Errorf("%+v %v", cm, err)
	}
	// What is damaged or gone is built again.
	if err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Delete(t.Context(), name+"-2", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := kube.Poll(ctx, "a second build", func(context.Context) (bool, error) { return b.built() == 2, nil }); err != nil {
		t.Fatal(err)
	}
	b.status(t, "the kernel to be built again", func(s *supply.Status) bool { return allOf(supply.Built, 1)(s) && s.Index.Modules == 1 })
}

// An index that somebody damages or deletes is written again with the modules that
// are there, at once and also by a controller that was away: nothing is built again,
// and no agent sees an index with less in it.
func TestADamagedIndexIsWrittenAgainFromWhatIsThere(t *testing.T) {
	t.Parallel()
	damage := func(t *testing.T, b *bed) {
		cms := cluster.Client.CoreV1().ConfigMaps(b.namespace)
		cm, err := cms.Get(t.Context(), b.names.Index, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cm.BinaryData[module.IndexName] = []byte("{}")
		if _, err := cms.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// As somebody does who edits it by hand.
	move := func(t *testing.T, b *bed) {
		cms := cluster.Client.CoreV1().ConfigMaps(b.namespace)
		cm, err := cms.Get(t.Context(), b.names.Index, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cm.Data = map[string]string{}
		for key, value := range cm.BinaryData {
			cm.Data[key] = string(value)
		}
		cm.BinaryData = nil
		if _, err := cms.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, b *bed) {
		if err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Delete(t.Context(), b.names.Index, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		harm func(*testing.T, *bed)
		away bool
	}{
		"moved to data": {move, false}, "damaged": {damage, false}, "deleted": {remove, false}, "damaged while the controller was away": {damage, true}, "deleted while the controller was away": {remove, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
			account := b.account(t)
			stop := b.start(t, account)
			s := b.status(t, "the kernels to be built", fine(2))
			b.loaded(t, 2)
			fewest := b.watchIndex(t)
			node, err := cluster.Client.CoreV1().Nodes().Get(t.Context(), "n-"+b.namespace+"-0", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c.away {
				stop()
			}
			c.harm(t, b)
			if c.away {
				b.start(t, account)
			}
			after := b.status(t, "a new index", func(n *supply.Status) bool {
				if !c.away {
					if o := b.fetch(node); o.Backend != outcome.PFRing {
						t.Errorf("an agent falls back meanwhile: %s", o.Reason)
					}
				}
				return fine(2)(n) && n.Index.Serial > s.Index.Serial
			})
			if after.Index.Modules != 2 || b.built() != 2 {
				t.Errorf("%d modules, %d builds", after.Index.Modules, b.built())
			}
			if n := fewest(); n != 2 {
				t.Errorf("an index with %d modules was published", n)
			}
		})
	}
}

// watchIndex returns what tells how many modules the smallest index has had that was
// published since.
func (b *bed) watchIndex(t *testing.T) (fewest func() int) {
	t.Helper()
	w, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + b.names.Index})
	if err != nil {
		t.Fatal(err)
	}
	least, done := 1<<30, make(chan struct{})
	go func() {
		defer close(done)
		for e := range w.ResultChan() {
			cm, ok := e.Object.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			if index, err := module.ParseIndex(cm.BinaryData[module.IndexName]); err == nil {
				least = min(least, len(index.Modules))
			}
		}
	}()
	t.Cleanup(w.Stop)
	return func() int {
		w.Stop()
		<-done
		return least
	}
}

func TestASourceThatHasAModuleSavesABuild(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	dir := t.TempDir()
	moduletest.NewRepository(t).Add(moduletest.KO{Kernel: "6.1.0-18-amd64"}, "zst").Sign().Write(dir)
	b.config = "source: {url: 'file://" + dir + "', verify: checksum}"
	b.start(t, b.account(t))
	s := b.status(t, "both kernels to be settled", func(s *supply.Status) bool { return count(s, supply.Built)+count(s, supply.Sourced) == 2 })
	if k := s.Find("6.1.0-18-amd64", "amd64"); k.State != supply.Sourced || b.built() != 1 {
		t.Errorf("%+v, %d builds", k, b.built())
	}
}

// listOptions select what the controller makes.
func listOptions(b *bed) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labels.Set(b.names.Labels()).String()}
}
