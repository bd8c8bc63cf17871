package rollout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
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
	images.Spec.Images = []kmmImage{{"reg/pf:6.1", t.kernel}}
	images.Status.States = []kmmImageState{{"reg/pf:6.1", "Exists"}}
	nmc := &kmmNode{}
	nmc.Spec.Modules = []kmmEntry{{Name: kmmName, Namespace: kmmNamespace, Config: kmm.Config{"kernelVersion": t.kernel}}}
	return &kmmFacts{module: m, images: images, nodes: map[string]*kmmNode{"n1": nmc}, lost: map[string]*corev1.Pod{}}, t
}

func kmmPod(labels map[string]string, node, image string, status corev1.PodStatus) *corev1.Pod {
	p := &corev1.Pod{Status: status}
	p.Name, p.Namespace, p.Labels, p.Spec.NodeName = "pod-1", kmmNamespace, labels, node
	p.Spec.Containers = []corev1.Container{{Image: image}}
	return p
}

func loaderPod(node string, status corev1.PodStatus) *corev1.Pod {
	return kmmPod(map[string]string{labelComponent: "worker", labelName: "kmm", "kmm.node.kubernetes.io/module.name": kmmName, "kmm.node.kubernetes.io/worker-action": "Load"}, node, "w", status)
}

func pullerPod(status corev1.PodStatus) *corev1.Pod {
	return kmmPod(map[string]string{"kmm.node.kubernetes.io/image-owner": kmmName}, "x", "reg/pf:6.1", status)
}

func builderPod(name, kind, kernel string, status corev1.PodStatus) *corev1.Pod {
	p := kmmPod(map[string]string{"kmm.node.kubernetes.io/module.name": kmmName, "kmm.node.kubernetes.io/resource-type": kind, "kmm.node.kubernetes.io/target-kernel": kernel}, "x", "kaniko", status)
	p.Name = name
	return p
}

// needs makes the image one that KMM builds, in this state.
func (k *kmmFacts) needs(state string) {
	k.images.Status.States[0].Status = state
	k.module.Spec.Loader.Container.Build = &kmmBuild{}
}

func failedWith(code int32, text string) corev1.PodStatus {
	end := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: text}}
	return corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{Name: "worker", State: end}}}
}

func unscheduled(text string) corev1.PodStatus {
	return corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: text}}}
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
		"the Module goes":        {func(k *kmmFacts, _ *target) { k.module.DeletionTimestamp = &metav1.Time{Time: now} }, "is being deleted", "Wait until it is gone"},
		"no label":               {func(_ *kmmFacts, n *target) { n.labels = nil }, "requires the label pool=cap, and the node has none with that key", "kmm.selector"},
		"another value":          {func(_ *kmmFacts, n *target) { n.labels = map[string]string{"pool": "db"} }, "and the node has pool=db", "kmm.selector"},
		"a taint":                {func(_ *kmmFacts, n *target) { n.taints = []taint{{"gpu", "", "NoExecute"}} }, "taint gpu:NoExecute", "tolerations"},
		"pressure is fine":       {func(_ *kmmFacts, n *target) { n.taints = []taint{{corev1.TaintNodeMemoryPressure, "", "NoSchedule"}} }, "there is no worker pod", ""},
		"no mapping":             {func(_ *kmmFacts, n *target) { n.kernel = "5.15.0" }, "no kernel mapping matches the kernel 5.15.0", "pfring plan"},
		"no image":               {func(k *kmmFacts, _ *target) { k.images.Status.States[0].Status = "DoesNotExist" }, "reg/pf:6.1 does not exist", "pfring module pack"},
		"the plus is not served": {func(_ *kmmFacts, n *target) { n.kernel += "+" }, "KMM does not support a kernel release that ends in a plus sign", "mode auto"},
		"another kernel stalls": {func(k *kmmFacts, _ *target) {
			k.module.Spec.Loader.Container.Mappings[0].Regexp = `^6\.1`
			k.stall(map[string]*target{"n7": {name: "n7", kernel: "6.1", labels: map[string]string{"pool": "cap"}}})
		}, "KMM fails on the kernel release 6.1 of the node n7", "Leave n7 out"},
		"a kernel that no mapping matches stalls nobody": {func(k *kmmFacts, _ *target) {
			k.stall(map[string]*target{"n7": {name: "n7", kernel: "7.1", labels: map[string]string{"pool": "cap"}}})
		}, "there is no worker pod", ""},

		"pulling": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{pullerPod(containerWaits("ContainerCreating", ""))}
		}, "is being pulled", ""},
		"pull fails": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{
				kmmPod(map[string]string{"image-owner": kmmName}, "x", "other", containerWaits("ErrImagePull", "not this one")),
				pullerPod(containerWaits("ImagePullBackOff", "unauthorized")),
			}
		}, "cannot be pulled: ImagePullBackOff: unauthorized", "imageRepoSecret"},
		"pull fails, and the Secret is missing": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.module.Spec.ImageRepoSecret = &corev1.LocalObjectReference{Name: "login"}
			k.around.missing = []string{"Secret login"}
			k.pods = []*corev1.Pod{pullerPod(containerWaits("ImagePullBackOff", "failed to authorize: 401 Unauthorized"))}
		}, "401 Unauthorized", "Create the Secret login"},
		"no image to pull": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{pullerPod(containerWaits("ErrImagePull", "manifest unknown"))}
		}, "manifest unknown", "Push the image reg/pf:6.1"},
		"no shell in the image": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{pullerPod(failedWith(128, "exec: /bin/sh: no such file or directory"))}
		}, "/bin/sh", "pfring module pack"},
		"all nodes have taints": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.pods = []*corev1.Pod{pullerPod(unscheduled("0/3 nodes are available: 3 node(s) had untolerated taint(s)"))}
		}, "not scheduled", "KMM before 2.7 creates the pods that pull images without tolerations"},
		"nobody pulls": {func(k *kmmFacts, _ *target) { k.images.Status.States = nil }, "must be pulled, and no pod pulls it yet", "log of KMM's controller"},
		"the pods that pull are refused": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.around.podSecurity = "restricted"
		}, "enforces Pod Security restricted", "enforce=privileged"},
		"pods that pull pass baseline": {func(k *kmmFacts, _ *target) {
			k.images.Status.States = nil
			k.around.podSecurity = "baseline"
		}, "no pod pulls it yet", "log of KMM's controller"},

		"building": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageNeedsBuild)
			k.pods = []*corev1.Pod{builderPod("b", "BuildImage", "6-1-0-18-amd64", corev1.PodStatus{Phase: corev1.PodRunning})}
		}, "is at its build, by the pod b", ""},
		"building, by an older release's label": {func(k *kmmFacts, n *target) {
			k.needs(kmm.ImageNeedsBuild)
			n.kernel = "6.1.48+deb13-amd64"
			k.images.Spec.Images[0].Kernel = n.kernel
			k.pods = []*corev1.Pod{builderPod("b", "build", "6.1.48_deb13-amd64", corev1.PodStatus{Phase: corev1.PodRunning})}
		}, "is at its build, by the pod b", ""},
		"build of another kernel": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageNeedsBuild)
			k.pods = []*corev1.Pod{builderPod("b", "BuildImage", "6-12-48-deb13-amd64", crash)}
		}, "must be built, and no pod builds it yet", "log of KMM's controller"},
		"the build failed": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageDoesNotExist)
			k.pods = []*corev1.Pod{builderPod("b", "BuildImage", "6-1-0-18-amd64", failedWith(1, "E: Unable to locate package linux-headers"))}
		}, "the build of the image reg/pf:6.1 failed: worker ended with exit code 1: E: Unable to locate package", "kubectl delete pod b -n ns"},
		"the signature failed": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageNeedsSign)
			k.builds = &kmmBuilds{}
			k.builds.Generation = 79
			k.pods = []*corev1.Pod{
				builderPod("s", "SignImage", "6-1-0-18-amd64", failedWith(1, "sign-file: no such file")),
				builderPod("b", "BuildImage", "6-1-0-18-amd64", corev1.PodStatus{Phase: corev1.PodRunning}),
			}
		}, "the signature of the image reg/pf:6.1 failed: worker ended with exit code 1: sign-file: no such file (KMM starts build and signature over and over)", "kubectl logs s -n ns"},
		"the build failed, and its pod is gone": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageDoesNotExist)
			k.builds = &kmmBuilds{}
			k.builds.Status.States = []kmmImageState{{"reg/pf:6.1", kmm.ActionFailure}}
		}, "the build or signature of the image reg/pf:6.1 failed", "log of KMM's controller"},
		"no build yet": {func(k *kmmFacts, _ *target) { k.needs(kmm.ImageNeedsBuild) }, "must be built, and no pod builds it", "controller"},
		"no signature yet": {func(k *kmmFacts, _ *target) {
			k.images.Status.States[0].Status = kmm.ImageNeedsSign
			k.module.Spec.Loader.Container.Sign = &kmmSign{}
		}, "must be signed", "controller"},
		"the keys are missing": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageNeedsSign)
			k.around.missing = []string{"Secret mok-key", "Secret mok-cert"}
		}, "no pod signs it yet: Secret mok-key, Secret mok-cert is missing in the namespace ns", "Create it there"},
		"the keys may not be read": {func(k *kmmFacts, _ *target) {
			k.needs(kmm.ImageNeedsSign)
			k.around.unseen = []string{"Secret mok-key"}
		}, "no pod signs it yet", "See that Secret mok-key exist"},

		"a version": {func(k *kmmFacts, _ *target) { k.module.Spec.Loader.Container.Version = "9" }, "lacks the label kmm.node.kubernetes.io/version-module.ns.r-pf-ring=9", "kubectl label node n1"},
		"a version, labelled": {func(k *kmmFacts, n *target) {
			k.module.Spec.Loader.Container.Version = "9"
			n.labels["kmm.node.kubernetes.io/version-module.ns.r-pf-ring"] = "9"
		}, "there is no worker pod", ""},
		"no controller": {func(k *kmmFacts, _ *target) { k.nodes = nil }, "has not processed the node", "kubectl get pods"},
		"the controller is down": {func(k *kmmFacts, _ *target) {
			k.nodes = nil
			k.around.down, k.around.see = "KMM's controller does not run: kmm/c has no available pod", "Find out why"
		}, "has not processed the node yet: KMM's controller does not run: kmm/c has no available pod", "Find out why"},
		"the Module goes, and the controller is down": {func(k *kmmFacts, _ *target) {
			k.module.DeletionTimestamp = &metav1.Time{Time: now}
			k.around.down, k.around.see = "KMM's controller does not run", "Find out why"
		}, "nothing continues it: KMM's controller does not run", "Find out why"},
		"a new kernel": {func(k *kmmFacts, _ *target) {
			k.nodes["n1"].Spec.Modules[0].Config["kernelVersion"] = "6.1.0-17-amd64"
		}, "still uses the kernel release 6.1.0-17-amd64", "cordon"},
		"the worker starts": {func(k *kmmFacts, _ *target) { k.pods = []*corev1.Pod{loaderPod("n1", corev1.PodStatus{})} }, "worker pod pod-1 is about to load", ""},
		"the worker crashes": {func(k *kmmFacts, _ *target) {
			k.pods = []*corev1.Pod{loaderPod("n2", containerWaits("X", "")), loaderPod("n1", crash)}
		}, "a; b; modprobe: ERROR: could not insert pf_ring: Key was rejected by service", "Secure Boot"},
		"the worker has crashed and is gone": {func(k *kmmFacts, _ *target) {
			k.lost["n1"] = loaderPod("n1", crash)
		}, "Key was rejected by service", "Secure Boot"},
		"the worker's image": {func(k *kmmFacts, _ *target) {
			k.pods = []*corev1.Pod{loaderPod("n1", containerWaits("ImagePullBackOff", "no"))}
		}, "loading fails: ImagePullBackOff: no", "Do not delete the Module"},
		"the worker's image has changed": {func(k *kmmFacts, _ *target) {
			p := loaderPod("n1", containerWaits("ImagePullBackOff", "no"))
			p.Spec.InitContainers = []corev1.Container{{Image: "reg/pf:old"}}
			k.nodes["n1"].Spec.Modules[0].Config["containerImage"] = "reg/pf:6.1"
			k.pods = []*corev1.Pod{p}
		}, "loading fails: ImagePullBackOff: no", `kubectl patch pod pod-1 -n ns --type=merge -p '{"metadata":{"finalizers":null}}' && kubectl delete pod pod-1 -n ns`},
		"Pod Security": {func(k *kmmFacts, _ *target) { k.around.podSecurity = "baseline" }, "enforces Pod Security baseline", "enforce=privileged"},
		"a quota":      {func(k *kmmFacts, _ *target) { k.around.full = "q allows 0 of pods and has 0 in use" }, "no room for KMM's pods: q allows 0", "Raise the ResourceQuota"},
		"no account":   {func(k *kmmFacts, _ *target) { k.around.account = "nosuch" }, "the ServiceAccount nosuch of its worker pods is missing", "kubectl create serviceaccount nosuch -n ns"},
		"silence":      {func(*kmmFacts, *target) {}, "there is no worker pod", "log of KMM's controller"},
		"nothing wanted of the node yet": {func(k *kmmFacts, _ *target) {
			k.nodes["n1"].Spec.Modules = nil
		}, "has not assigned the module to the node", "controller"},
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

// Recordings of the real operator: each is what the API held at one stage.
func TestExplanationsFitWhatTheOperatorWrites(t *testing.T) {
	for stage, want := range map[string]map[string]string{
		"1-pull-pending":                  {"n1": "is being pulled", "n2": "is being pulled", "n4": "no kernel mapping matches", "n6": "taint other=x:NoSchedule"},
		"2-pull-backoff":                  {"n1": "is being pulled", "n3": "cannot be pulled: ImagePullBackOff: "},
		"3-image-exists-no-version-label": {"n1": "lacks the label kmm.node.kubernetes.io/version-module.hostd-system.pf-ring=9.0.0"},
		"4-worker-pending":                {"n1": "worker pod kmm-worker-n1-pf-ring is about to load"},
		"5-worker-n2-imagepullbackoff":    {"n2": "loading fails: ImagePullBackOff: Back-off pulling image"},
		"6-n1-loaded":                     {"n1": ""},
		"7-n2-crashloop":                  {"n1": "", "n2": "Key was rejected by service"},
		"10-param-change-unload":          {"n1": "about to unload"},
		"11-module-deleting":              {"n1": "is being deleted"},
	} {
		k, targets := recorded(t, stage)
		for node, words := range want {
			got := k.why(targets[node])
			if !strings.Contains(got.message, words) || words == "" && got.message != "" {
				t.Errorf("%s, %s: %+v", stage, node, got)
			}
		}
	}
}

func recorded(t *testing.T, stage string) (*kmmFacts, map[string]*target) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kmm", stage+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var held struct {
		Module   *kmmModule    `json:"module"`
		Configs  []*kmmNode    `json:"nodeModulesConfigs"`
		Images   []*kmmImages  `json:"moduleImagesConfigs"`
		Pods     []corev1.Pod  `json:"pods"`
		Machines []corev1.Node `json:"nodes"`
	}
	if err := yaml.Unmarshal(text, &held); err != nil {
		t.Fatal(err)
	}
	k := &kmmFacts{module: held.Module, images: held.Images[0], nodes: map[string]*kmmNode{}, lost: map[string]*corev1.Pod{}}
	for _, n := range held.Configs {
		k.nodes[n.Name] = n
	}
	for i := range held.Pods {
		k.pods = append(k.pods, slim(&held.Pods[i]))
	}
	targets := map[string]*target{}
	for i := range held.Machines {
		targets[held.Machines[i].Name] = (&Release{}).target(&held.Machines[i])
	}
	return k, targets
}

// A node that has the module is held against what the Module asks for.
func TestAnOldConfigurationIsToldOfNodesThatHaveTheModule(t *testing.T) {
	inUse := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "worker", State: waiting("CrashLoopBackOff", "back-off"),
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "modprobe: FATAL: Module pf_ring is in use."}},
	}}}
	for name, test := range map[string]struct {
		change        func(k *kmmFacts, have *kmmEntry)
		words, remedy string
	}{
		"as wanted": {func(*kmmFacts, *kmmEntry) {}, "", ""},
		"a parameter changed": {func(_ *kmmFacts, have *kmmEntry) {
			have.Config = kmm.Config{"kernelVersion": "6.1.0-18-amd64", "modprobe": map[string]any{"parameters": []any{"min_num_slots=1"}}}
		}, "an old configuration is loaded (modprobe changed)", "log of KMM's controller"},
		"and is in use": {func(k *kmmFacts, have *kmmEntry) {
			have.Config = kmm.Config{"kernelVersion": "6.1.0-18-amd64", "containerImage": "old"}
			k.pods = []*corev1.Pod{loaderPod("n1", inUse)}
		}, "an old configuration is loaded (containerImage changed), and KMM cannot unload it: worker ended with exit code 1: modprobe: FATAL: Module pf_ring is in use.", "Stop what uses PF_RING"},
		"an old version": {func(k *kmmFacts, have *kmmEntry) {
			k.module.Spec.Loader.Container.Version, have.Version = "2.0", "1.0"
		}, "version 1.0 is loaded, the Module has 2.0, and the node lacks the label", "kubectl label node n1 --overwrite kmm.node.kubernetes.io/version-module.ns.r-pf-ring=2.0"},
		"a new image that is not there": {func(k *kmmFacts, have *kmmEntry) {
			k.module.Spec.Loader.Container.Mappings[0].ContainerImage = "reg/pf:6.1"
			have.Config["containerImage"] = "reg/pf:old"
			k.images.Status.States = nil
			k.around.full = "q allows 2 of pods and has 2 in use"
		}, "the old image reg/pf:old is loaded, and the image reg/pf:6.1 must be pulled, and no pod pulls it yet: the namespace's quota", "Raise the ResourceQuota"},
		"a new image that KMM has not handed out": {func(k *kmmFacts, have *kmmEntry) {
			k.module.Spec.Loader.Container.Mappings[0].ContainerImage = "reg/pf:6.1"
			have.Config["containerImage"] = "reg/pf:old"
		}, "the old image reg/pf:old is loaded, and KMM has not given the node reg/pf:6.1 yet", "controller"},
		"no longer wanted": {func(k *kmmFacts, _ *kmmEntry) { k.nodes["n1"].Spec.Modules = nil }, "no longer assigns it to this node", "controller"},
	} {
		k, n := kmmCase()
		have := k.nodes["n1"].Spec.Modules[0]
		have.BootID = "b1"
		test.change(k, &have)
		k.nodes["n1"].Status.Modules = []kmmEntry{have}
		r := &Report{Nodes: []Node{{Node: "n1", Wanted: true, State: OK, Backend: outcome.PFRing, Reason: outcome.Loaded}}}
		k.explain(&facts{targets: map[string]*target{"n1": n}}, r)
		got := r.Nodes[0]
		if old := test.words != ""; got.Outdated != old || r.Complete == old || got.State != OK || !strings.Contains(got.Message, test.words) || !strings.Contains(got.Remedy, test.remedy) {
			t.Errorf("%s: %+v, %s", name, got, r.Verdict)
		}
	}
}

func TestADeletedModuleSaysWhyItIsStillThere(t *testing.T) {
	k, _ := kmmCase()
	if got := k.waitsFor(); !strings.Contains(got, "finalizer") {
		t.Error(got)
	}
	k.nodes["n1"].Status.Modules = k.nodes["n1"].Spec.Modules
	if got := k.waitsFor(); !strings.HasSuffix(got, "waits until the module is unloaded on n1") {
		t.Error(got)
	}
	k.pods = []*corev1.Pod{loaderPod("n1", failedWith(1, "Module pf_ring is in use."))}
	if got := k.waitsFor(); !strings.Contains(got, "cannot unload it on n1: worker ended with exit code 1: Module pf_ring is in use.") {
		t.Error(got)
	}
	k.around.down, k.around.see = "KMM's controller does not run", "Find out why"
	if got := k.waitsFor(); !strings.Contains(got, "nothing continues it: KMM's controller does not run. Find out why") {
		t.Error(got)
	}
}
