package node_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// suppliesItself runs the quick start on an empty cluster up to its last look at
// the status, and holds what that says against the node.
func suppliesItself(t *testing.T, b *bed, n *node.Node, p *quickstart) {
	p.run(t, "make build")
	p.run(t, "ctr images import")
	p.importImages(t, n)
	steps := b.watchSupply(t)
	p.run(t, "helm install")
	t.Logf("helm --wait returned after %.1f s; loaded: %v", time.Since(steps.began).Seconds(), n.Loaded(t, "pf_ring"))
	said := p.run(t, "pfring status")
	t.Logf("pfring status --wait returned after %.1f s", time.Since(steps.began).Seconds())
	if !regexp.MustCompile(regexp.QuoteMeta(n.Name)+` +yes +pf_ring +`).MatchString(said) || !strings.Contains(said, "1 of 1 nodes have PF_RING") {
		t.Errorf("pfring status does not show PF_RING on the node:\n%s", said)
	}
	b.isSupplied(t, n)
	poll(t, "the API to show that it is loaded", func() bool { return !steps.seen(momentLoaded).IsZero() })
	t.Logf("from helm install to PF_RING on the node:\n%s", steps.table(0))
	if info := n.Read(t, "/proc/net/pf_ring/info"); !strings.Contains(info, version) {
		t.Errorf("/proc/net/pf_ring/info says:\n%s", info)
	}
	memory := n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/sh", "-c", "grep -E 'VmHWM|VmRSS|RssAnon' /proc/$(pidof pfring-controller)/status"}}).Stdout
	t.Logf("the controller's memory:\n%s", memory)
}

// isSupplied waits until the node has PF_RING from the controller.
func (b *bed) isSupplied(t *testing.T, n *node.Node) rollout.Node {
	t.Helper()
	poll(t, "PF_RING on the node", func() bool {
		// Asking the machine costs its one processor time.
		time.Sleep(time.Second)
		return n.Loaded(t, "pf_ring")
	})
	got := b.says(t, n, outcome.Loaded)
	if got.Verified != outcome.VerifiedSignature || got.Source != supply.NamesOf(release).ServiceURL(namespace) {
		t.Errorf("%+v", got)
	}
	return got
}

// isKilled has a further kernel built, and kills the controller while that runs
// and again when the module is stored: the same Job goes on, and what is
// published is whole.
func isKilled(t *testing.T, b *bed, w *workshop, n *node.Node, next vm.Kernel) {
	w.shut()
	b.upgrade(t, "supply.kernels={"+next.Release+"}")
	poll(t, "the build to be under way", func() bool { return w.asked(next.Release) == 1 })
	job := b.onlyJob(t)
	b.killController(t, n)
	if again := b.onlyJob(t); again.UID != job.UID {
		t.Errorf("Job %s of before is %s now", job.Name, again.Name)
	}
	w.open()
	poll(t, "the module to be stored", func() bool { return len(b.modules(t)) == 2 })
	b.killController(t, n)
	b.builtFor(t, next.Release)
	if asked := w.asked(next.Release); asked != 1 {
		t.Errorf("%d builds for %s", asked, next.Release)
	}
	if stored := b.modules(t); len(stored) != 2 {
		t.Errorf("the store has %v", stored)
	}
	b.isPublished(t, n.Kernel.Release, next.Release)
	poll(t, "the Job to be gone", func() bool { return len(b.jobs(t)) == 0 })
	b.says(t, n, outcome.Loaded)
}

// killController ends it as a lack of memory does, and waits until its next
// container is ready.
func (b *bed) killController(t *testing.T, n *node.Node) {
	t.Helper()
	before := b.controller(t)
	n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/sh", "-c", "kill -9 $(pidof pfring-controller)"}})
	poll(t, "the controller to be there again", func() bool {
		after := b.controller(t)
		return after.Status.ContainerStatuses[0].RestartCount > before.Status.ContainerStatuses[0].RestartCount && isReady(after)
	})
}

// controller is its only pod.
func (b *bed) controller(t *testing.T) corev1.Pod {
	t.Helper()
	var found []corev1.Pod
	poll(t, "the controller to have one pod", func() bool {
		list, err := b.cluster.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
		if err != nil {
			t.Fatal(err)
		}
		found = list.Items
		return len(found) == 1 && len(found[0].Status.ContainerStatuses) == 1
	})
	return found[0]
}

func (b *bed) jobs(t *testing.T) []batchv1.Job {
	t.Helper()
	list, err := b.cluster.Client.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (b *bed) onlyJob(t *testing.T) batchv1.Job {
	t.Helper()
	jobs := b.jobs(t)
	if len(jobs) != 1 {
		t.Fatalf("%d Jobs, want the one that builds", len(jobs))
	}
	return jobs[0]
}

// modules are the names of the ConfigMaps with modules.
func (b *bed) modules(t *testing.T) []string {
	t.Helper()
	list, err := b.cluster.Client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, release+"-pfring-module-") {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// builtFor waits until the controller says that a kernel's module is there.
func (b *bed) builtFor(t *testing.T, kernel string) {
	t.Helper()
	poll(t, "the module for "+kernel+" to be built", func() bool {
		status, err := supply.ReadStatus(t.Context(), b.cluster.Client.CoreV1().ConfigMaps(namespace), supply.NamesOf(release))
		if err != nil {
			t.Fatal(err)
		}
		k := status.Find(kernel, "amd64")
		return k != nil && k.State == supply.Built
	})
}

// isPublished checks the index against the key that agents trust, and against
// the store.
func (b *bed) isPublished(t *testing.T, kernels ...string) {
	t.Helper()
	names := supply.NamesOf(release)
	get := func(name string) *corev1.ConfigMap {
		cm, err := b.cluster.Client.CoreV1().ConfigMaps(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return cm
	}
	cm, public := get(names.Index), get(names.Public)
	text := cm.BinaryData[module.IndexName]
	if err := module.VerifyIndex(text, cm.BinaryData[module.SignatureName], strings.Fields(public.Data[supply.PublicKeysKey])); err != nil {
		t.Fatal(err)
	}
	index, err := module.ParseIndex(text)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, e := range index.Modules {
		listed[e.KernelRelease] = true
		if get(names.ModuleOf(e.SHA256)).Annotations["kubeshark-pfring/kernel"] != e.KernelRelease {
			t.Errorf("no ConfigMap has the module for %s", e.KernelRelease)
		}
	}
	for _, k := range kernels {
		if !listed[k] || len(index.Modules) != len(kernels) {
			t.Errorf("the index lists %v, want %v", listed, kernels)
		}
	}
}

// scaleController sets how many there are, and waits until it is so.
func (b *bed) scaleController(t *testing.T, replicas int32) {
	t.Helper()
	api, name := b.cluster.Client.AppsV1().Deployments(namespace), supply.NamesOf(release).Controller
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if _, err := api.Patch(t.Context(), name, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, fmt.Sprintf("%d controllers", replicas), func() bool {
		d, err := api.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pods, err := b.cluster.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
		return err == nil && d.Status.ReadyReplicas == replicas && len(pods.Items) == int(replicas)
	})
}

// rebootsWithoutController boots the node while nobody serves the module: it has
// kept it.
func rebootsWithoutController(t *testing.T, b *bed, n *node.Node) {
	b.scaleController(t, 0)
	n.Reboot(t)
	poll(t, "the outcome of the new boot", func() bool { return said(t, b.pod(t)).BootID == n.BootID })
	if o := said(t, b.pod(t)); o.Reason != outcome.Loaded || !o.Module.Cached || o.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("%+v", o)
	}
	b.says(t, n, outcome.Loaded)
	t.Logf("without the controller: %+v", said(t, b.pod(t)))
	b.scaleController(t, 1)
}

// upgradesKernel boots the node into the kernel that supply.kernels has named.
func upgradesKernel(t *testing.T, b *bed, n *node.Node, next vm.Kernel) {
	n.Kernel = next
	began := time.Now()
	n.Reboot(t)
	poll(t, "the outcome of the new boot", func() bool { return said(t, b.pod(t)).BootID == n.BootID })
	b.isSupplied(t, n)
	t.Logf("PF_RING on kernel %s %.1f s after the machine was switched off", next.Release, time.Since(began).Seconds())
	if len(b.jobs(t)) > 0 {
		t.Error("it is built a second time")
	}
}

// failsToBuild goes from values with a repository that has nothing for the kernel
// to a build that cannot go well: the node stays on libpcap, and status says why.
func failsToBuild(t *testing.T, b *bed, n *node.Node) {
	b.addLogin(t)
	empty := moduletest.NewRepository(t).Sign()
	b.serve(t, "empty", empty)
	err := b.install(t.Context(), "install", "supply.enabled=false", "source.url=s3://modules/empty", "source.endpoint=http://"+node.Reachable(b.bucket.Address),
		"source.pathStyle=true", "source.credentialsSecret=repository", "source.publicKeys={"+empty.PublicKey+"}")
	if err != nil {
		t.Fatal(err)
	}
	b.says(t, n, outcome.NoModuleForKernel)
	b.upgrade(t, "supply.builder.script=echo 'no headers for this kernel'; exit 1")
	var got rollout.Node
	poll(t, "status to say that the build failed", func() bool {
		var report rollout.Report
		r := b.onCluster(t, "status", "-o", "json")
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Nodes) != 1 {
			return false
		}
		got = report.Nodes[0]
		return got.State == rollout.BuildFailed
	})
	if n.Loaded(t, "pf_ring") || !strings.Contains(got.Message+strings.Join(got.Log, "\n"), "no headers for this kernel") || !strings.Contains(got.Remedy, "supply.builder.script") {
		t.Errorf("%+v", got)
	}
	if pod := b.pod(t); !isReady(pod) {
		t.Errorf("pod %s is not ready: capture waits for a build", pod.Name)
	}
	t.Logf("pfring status:\n%s", b.onCluster(t, "status").out)
}

// isCorrected upgrades to values with which the build goes well: nobody waits for the pause
// after the failure.
func isCorrected(t *testing.T, b *bed, n *node.Node) {
	b.upgrade(t)
	b.isSupplied(t, n)
}

// uninstallSupplied uninstalls; what the controller has made goes with it.
func (b *bed) uninstallSupplied(t *testing.T) {
	t.Helper()
	if err := b.runHelm(t.Context(), "uninstall", release, "--wait", "--timeout", patience.String()); err != nil {
		t.Fatal(err)
	}
	b.isUninstalled(t)
}

// isUninstalled checks that nothing of the release is left.
func (b *bed) isUninstalled(t *testing.T) {
	t.Helper()
	b.nothingIsLeft(t)
	own := metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release}
	roles, err := b.cluster.Client.RbacV1().ClusterRoles().List(t.Context(), own)
	if err != nil || len(roles.Items) > 0 {
		t.Errorf("%v, %d ClusterRoles are left", err, len(roles.Items))
	}
}
