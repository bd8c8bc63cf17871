package rollout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const kmmNamespace, kmmName = "ns", "r-pf-ring"

// kmmCase is a Module that wants node n1, at the stage where its image exists and KMM has nothing more to wait for.
func kmmCase() (*kmmFacts, *target) {
	t := &target{name: "n1", kernel: "6.1.0-18-amd64", arch: "amd64", bootID: "b1", labels: map[string]string{"pool": "cap"}}
	m := &kmmModule{}
	m.Name, m.Namespace = kmmName, kmmNamespace
	m.Spec.Selector = map[string]string{"pool": "cap"}
	m.Spec.Loader.Container.Mappings = []kmmMapping{{Regexp: `^6\.1\.`}}
	images := &kmmImages{}
	images.Spec.Images = append(images.Spec.Images, struct {
		Image  string `json:"image"`
		Kernel string `json:"kernelVersion"`
	}{"reg/pf:6.1", t.kernel})
	images.Status.States = []kmmImageState{{"reg/pf:6.1", "Exists"}}
	nmc := &kmmNode{}
	nmc.Spec.Modules = []kmmEntry{{Name: kmmName, Namespace: kmmNamespace, Config: map[string]any{"kernelVersion": t.kernel}}}
	return &kmmFacts{module: m, images: images, nodes: map[string]*kmmNode{"n1": nmc}, lost: map[string]*corev1.Pod{}}, t
}

func kmmPod(labels map[string]string, node, image string, status corev1.PodStatus) *corev1.Pod {
	p := &corev1.Pod{Status: status}
	p.Name, p.Namespace, p.Labels, p.Spec.NodeName = "pod-1", kmmNamespace, labels, node
	p.Spec.Containers = []corev1.Container{{Image: image}}
	return p
}

func workerPod(node string, status corev1.PodStatus) *corev1.Pod {
	return kmmPod(map[string]string{labelComponent: "worker", labelName: "kmm", "kmm.node.kubernetes.io/module.name": kmmName, "kmm.node.kubernetes.io/worker-action": "Load"}, node, "w", status)
}

func containerWaits(reason, text string) corev1.PodStatus {
	return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", State: waiting(reason, text)}}}
}

func TestTheFirstStageThatIsNotPassedIsTold(t *testing.T) {
	crash := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "worker", State: waiting("CrashLoopBackOff", "back-off"),
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "insmod x\na\nb\nmodprobe: ERROR: could not insert pf_ring: Key was rejected by service\n"}},
	}}}
	for name, test := range map[string]struct {
		change        func(*kmmFacts, *target)
		words, remedy string
	}{
		"the Module goes":  {func(k *kmmFacts, _ *target) { k.module.DeletionTimestamp = &metav1.Time{Time: now} }, "is being deleted", "Wait until it is gone"},
		"no label":         {func(_ *kmmFacts, n *target) { n.labels = nil }, "wants the label pool=cap, and the node has none of that name", "kmm.selector"},
		"another value":    {func(_ *kmmFacts, n *target) { n.labels = map[string]string{"pool": "db"} }, "and the node has pool=db", "kmm.selector"},
		"a taint":          {func(_ *kmmFacts, n *target) { n.taints = []taint{{"gpu", "", "NoExecute"}} }, "taint gpu:NoExecute", "tolerations"},
		"pressure is fine": {func(_ *kmmFacts, n *target) { n.taints = []taint{{corev1.TaintNodeMemoryPressure, "", "NoSchedule"}} }, "there is no worker pod", ""},
		"no mapping":       {func(_ *kmmFacts, n *target) { n.kernel = "5.15.0" }, "no kernel mapping matches the kernel 5.15.0", "pfring plan"},
		"no image":         {func(k *kmmFacts, _ *target) { k.images.Status.States[0].Status = "DoesNotExist" }, "reg/pf:6.1 does not exist", "pfring module pack"},
		"pulling": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{kmmPod(map[string]string{"kmm.node.kubernetes.io/image-owner": kmmName}, "x", "reg/pf:6.1", containerWaits("ContainerCreating", ""))}
		}, "is being pulled", ""},
		"pull fails": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{
				kmmPod(map[string]string{"image-owner": kmmName}, "x", "other", containerWaits("ErrImagePull", "not this one")),
				kmmPod(map[string]string{"image-owner": kmmName}, "x", "reg/pf:6.1", containerWaits("ImagePullBackOff", "unauthorized")),
			}
		}, "cannot be pulled: ImagePullBackOff: unauthorized", "imageRepoSecret"},
		"build fails": {func(k *kmmFacts, n *target) {
			k.images.Status.States[0].Status = "NeedsBuilding"
			k.module.Spec.Loader.Container.Build = map[string]any{}
			k.pods = []*corev1.Pod{kmmPod(map[string]string{"module.name": kmmName, "resource-type": "BuildImage", "target-kernel": n.kernel}, "x", "kaniko", crash)}
		}, "the build of the image reg/pf:6.1 does not get on: worker ended with exit code 1", "kubectl logs pod-1 -n ns"},
		"no build yet": {func(k *kmmFacts, _ *target) {
			k.images.Status.States[0].Status = "NeedsBuilding"
			k.module.Spec.Loader.Container.Mappings[0].Build = map[string]any{}
		}, "is to be built, and no pod does it", "controller"},
		"no signature yet": {func(k *kmmFacts, _ *target) {
			k.images.Status.States[0].Status = "NeedsSigning"
			k.module.Spec.Loader.Container.Sign = map[string]any{}
		}, "is to be signed", "controller"},
		"the build has failed": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.module.Spec.Loader.Container.Build = map[string]any{}
			k.builds = &kmmImages{}
			k.builds.Status.States = []kmmImageState{{"reg/pf:6.1", "ActionFailure"}}
		}, "building or signing the image reg/pf:6.1 has failed", "ModuleBuildSignConfig"},
		"a version": {func(k *kmmFacts, _ *target) { k.module.Spec.Loader.Container.Version = "9" }, "lacks the label kmm.node.kubernetes.io/version-module.ns.r-pf-ring=9", "kubectl label node n1"},
		"a version, labelled": {func(k *kmmFacts, n *target) {
			k.module.Spec.Loader.Container.Version = "9"
			n.labels["kmm.node.kubernetes.io/version-module.ns.r-pf-ring"] = "9"
		}, "there is no worker pod", ""},
		"no controller": {func(k *kmmFacts, _ *target) { k.nodes = nil }, "has not taken up the node", "kubectl get pods"},
		"a new kernel": {func(k *kmmFacts, _ *target) {
			k.nodes["n1"].Spec.Modules[0].Config["kernelVersion"] = "6.1.0-17-amd64"
		}, "still goes by the kernel 6.1.0-17-amd64", "cordon"},
		"a kernel with a plus": {func(_ *kmmFacts, n *target) { n.kernel += "+" }, "there is no worker pod", ""},
		"the worker starts":    {func(k *kmmFacts, _ *target) { k.pods = []*corev1.Pod{workerPod("n1", corev1.PodStatus{})} }, "worker pod pod-1 is about to load", ""},
		"the worker crashes": {func(k *kmmFacts, _ *target) {
			k.pods = []*corev1.Pod{workerPod("n2", containerWaits("X", "")), workerPod("n1", crash)}
		}, "a; b; modprobe: ERROR: could not insert pf_ring: Key was rejected by service", "Secure Boot"},
		"the worker has crashed and is gone": {func(k *kmmFacts, _ *target) {
			k.lost["n1"] = workerPod("n1", crash)
		}, "Key was rejected by service", "Secure Boot"},
		"the worker's image": {func(k *kmmFacts, _ *target) {
			k.pods = []*corev1.Pod{workerPod("n1", containerWaits("ImagePullBackOff", "no"))}
		}, "loading does not work: ImagePullBackOff: no", "delete the Module"},
		"Pod Security": {func(k *kmmFacts, _ *target) { k.podSecurity = "baseline" }, "enforces Pod Security baseline", "enforce=privileged"},
		"silence":      {func(*kmmFacts, *target) {}, "KMM does not say why", "log of KMM's controller"},
		"nothing wanted of the node yet": {func(k *kmmFacts, _ *target) {
			k.nodes["n1"].Spec.Modules = nil
		}, "has not given the node its module", "controller"},
		"loaded": {func(k *kmmFacts, _ *target) {
			e := k.nodes["n1"].Spec.Modules[0]
			e.BootID = "b1"
			k.nodes["n1"].Status.Modules = []kmmEntry{e}
		}, "", ""},
	} {
		k, n := kmmCase()
		test.change(k, n)
		got := k.why(n)
		if !strings.Contains(got.message, test.words) || test.words == "" && got.message != "" || !strings.Contains(got.remedy, test.remedy) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestKMMIsBelievedWhenItCameLate(t *testing.T) {
	k, n := kmmCase()
	entry := k.nodes["n1"].Spec.Modules[0]
	entry.BootID, entry.Version = "b1", "8.9.0"
	report := func() *Report {
		return &Report{Nodes: []Node{{Node: "n1", Wanted: true, State: Fallback, Backend: outcome.Libpcap, Reason: outcome.WaitTimeout, Remedy: "r"}}}
	}
	f := &facts{targets: map[string]*target{"n1": n}}

	k.nodes["n1"].Status.Modules = []kmmEntry{entry}
	r := report()
	k.explain(f, r)
	if got := r.Nodes[0]; !r.Complete || got.Backend != outcome.PFRing || got.Version != "8.9.0" || got.Remedy != "" {
		t.Errorf("%+v", got)
	}

	// The status outlives a reboot.
	entry.BootID = "b0"
	k.nodes["n1"].Status.Modules = []kmmEntry{entry}
	r = report()
	if k.explain(f, r); r.Complete {
		t.Error("a load of an earlier boot was believed")
	}
}

// Recordings of the real operator lie beside this repository where it is
// developed; each is what the API held at one stage.
func TestExplanationsFitWhatTheOperatorWrites(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "recordings", "kmm")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recordings in ../shared/recordings/kmm; the other tests have the same shapes written by hand")
	}
	for stage, want := range map[string]map[string]string{
		"1-pull-pending":                  {"n1": "is being pulled", "n2": "is being pulled", "n4": "no kernel mapping matches", "n6": "taint other=x:NoSchedule"},
		"2-pull-backoff":                  {"n1": "is being pulled", "n3": "cannot be pulled: ImagePullBackOff: "},
		"3-image-exists-no-version-label": {"n1": "lacks the label kmm.node.kubernetes.io/version-module.hostd-system.pf-ring=9.0.0"},
		"4-worker-pending":                {"n1": "worker pod kmm-worker-n1-pf-ring is about to load"},
		"5-worker-n2-imagepullbackoff":    {"n2": "loading does not work: ImagePullBackOff: Back-off pulling image"},
		"6-n1-loaded":                     {"n1": ""},
		"7-n2-crashloop":                  {"n1": "", "n2": "Key was rejected by service"},
		"10-param-change-unload":          {"n1": "about to unload"},
		"11-module-deleting":              {"n1": "is being deleted"},
	} {
		k, targets := recorded(t, dir, stage)
		for node, words := range want {
			got := k.why(targets[node])
			if !strings.Contains(got.message, words) || words == "" && got.message != "" {
				t.Errorf("%s, %s: %+v", stage, node, got)
			}
		}
	}
}

func recorded(t *testing.T, dir, stage string) (*kmmFacts, map[string]*target) {
	t.Helper()
	read := func(what string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, stage+"."+what+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	k := &kmmFacts{module: &kmmModule{}, nodes: map[string]*kmmNode{}, lost: map[string]*corev1.Pod{}}
	read("module", k.module)
	var nmcs struct{ Items []*kmmNode }
	read("nmc", &nmcs)
	for _, n := range nmcs.Items {
		k.nodes[n.Name] = n
	}
	var images struct{ Items []*kmmImages }
	read("mic", &images)
	k.images = images.Items[0]
	var pods corev1.PodList
	read("pods", &pods)
	for i := range pods.Items {
		k.pods = append(k.pods, slim(&pods.Items[i]))
	}
	var nodes corev1.NodeList
	read("nodes", &nodes)
	targets := map[string]*target{}
	for i := range nodes.Items {
		targets[nodes.Items[i].Name] = (&Release{}).target(&nodes.Items[i])
	}
	return k, targets
}
