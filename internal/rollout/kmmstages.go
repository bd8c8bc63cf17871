package rollout

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// state is what a list says of an image, "" if nothing.
func (i *kmmImages) state(image string) string {
	if i == nil {
		return ""
	}
	for _, s := range i.Status.States {
		if s.Image == image {
			return s.Status
		}
	}
	return ""
}

func (k *kmmFacts) imageState(t *target) words {
	image := k.image(t.kernel)
	if image == "" || k.images.state(image) != "DoesNotExist" {
		return words{}
	}
	return words{
		"the image " + image + " does not exist in its registry",
		"Make it with `pfring module pack` and `pfring module push`, or map the kernel to another image.",
	}
}

// pull: a pull pod waits for ever, and one that has failed is never looked at
// again.
func (k *kmmFacts) pull(t *target) words {
	image := k.image(t.kernel)
	if image == "" || k.images.state(image) != "" {
		return words{}
	}
	for _, p := range k.pods {
		if kmmLabel(p, "image-owner") != k.module.Name || len(p.Spec.Containers) == 0 || p.Spec.Containers[0].Image != image {
			continue
		}
		if text := troubles(p); text != "" {
			return words{"the image " + image + " cannot be pulled: " + text, "Check the image's name and tap.kernelModule.imageRepoSecret. If the pod " + p.Name + " has failed, delete it: KMM makes another."}
		}
		return words{"the image " + image + " is being pulled", ""}
	}
	return words{}
}

func (k *kmmFacts) build(t *target) words {
	image := k.image(t.kernel)
	state := k.images.state(image)
	if image == "" || state == "Exists" || !k.built(t.kernel) {
		return words{}
	}
	for _, p := range k.pods {
		kind := strings.ToLower(strings.TrimSuffix(kmmLabel(p, "resource-type"), "Image"))
		if kind == "" || kmmLabel(p, "target-kernel") != t.kernel {
			continue
		}
		if text := troubles(p); text != "" {
			return words{"the " + kind + " of the image " + image + " does not get on: " + text, "Read its log: kubectl logs " + p.Name + " -n " + p.Namespace}
		}
		return words{"the image " + image + " is at its " + kind, ""}
	}
	if s := k.builds.state(image); strings.Contains(strings.ToLower(s), "fail") {
		return words{"building or signing the image " + image + " has failed", "See the ModuleBuildSignConfig and the log of KMM's controller."}
	}
	switch state {
	case "NeedsBuilding":
		return words{"the image " + image + " is to be built, and no pod does it yet", "Look into the log of KMM's controller if it stays so."}
	case "NeedsSigning":
		return words{"the image " + image + " is to be signed, and no pod does it yet", "Look into the log of KMM's controller if it stays so."}
	}
	return words{}
}

// version: a Module with a version loads nothing before an administrator has
// labelled the node.
func (k *kmmFacts) version(t *target) words {
	want := k.module.Spec.Loader.Container.Version
	label := fmt.Sprintf("kmm.node.kubernetes.io/version-module.%s.%s", k.module.Namespace, k.module.Name)
	if have, ok := t.labels[label]; want == "" || ok && have == want {
		return words{}
	}
	return words{
		"the Module has the version " + want + ", and the node lacks the label " + label + "=" + want,
		"kubectl label node " + t.name + " --overwrite " + label + "=" + want,
	}
}

func (k *kmmFacts) config(t *target) words {
	nmc := k.nodes[t.name]
	if nmc == nil {
		return words{"KMM's controller has not taken up the node yet", "If it stays so, look whether its controller runs: kubectl get pods -A -l app.kubernetes.io/name=kmm"}
	}
	want := k.entry(nmc.Spec.Modules)
	if want == nil || want.text("kernelVersion") == t.kernel || want.text("kernelVersion") == strings.TrimRight(t.kernel, "+") {
		return words{}
	}
	return words{
		"KMM still goes by the kernel " + want.text("kernelVersion") + ", but the node runs " + t.kernel,
		"KMM looks at a node again only when its taints or labels change: cordon and uncordon it.",
	}
}

// worker is a live worker pod of KMM on a node, or nil.
func (k *kmmFacts) worker(node string) *corev1.Pod {
	for _, p := range k.pods {
		if p.Spec.NodeName == node && p.Labels[labelComponent] == "worker" && p.Labels["app.kubernetes.io/name"] == "kmm" {
			return p
		}
	}
	return nil
}

// load: KMM replaces a worker pod that has failed, and its last words go with
// it, unless a watch has seen them.
func (k *kmmFacts) load(t *target) words {
	p := k.worker(t.name)
	text := ""
	if p != nil {
		text = troubles(p)
	}
	if lost := k.lost[t.name]; text == "" && lost != nil {
		text = troubles(lost)
	}
	switch {
	case text != "":
		return words{"loading does not work: " + text, loadRemedy(text)}
	case p == nil:
		return words{}
	}
	action := strings.ToLower(cmp.Or(kmmLabel(p, "worker-action"), "load"))
	return words{"its worker pod " + p.Name + " is about to " + action + " the module" + age(p), ""}
}

func loadRemedy(text string) string {
	switch {
	case strings.Contains(text, "ImagePull"):
		return "Mend the image or the pull secret, then delete the Module and upgrade the release: KMM does not replace a stuck worker pod."
	case strings.Contains(text, "Key was rejected"), strings.Contains(text, "Required key not available"):
		return "Secure Boot wants a signed module: sign it and enroll the key, see the reason signature-required."
	case strings.Contains(text, "Exec format"), strings.Contains(text, "Invalid module format"):
		return "The module in the image was built for another kernel: pack one for this kernel."
	case strings.Contains(text, "not found in"), strings.Contains(text, "No such file"):
		return "The image has no module for this kernel, or no depmod files: pack it with `pfring module pack`."
	}
	return "See the reasons in the documentation by the kernel's words."
}

// silence is what is left when KMM wants to load and there is no worker pod.
func (k *kmmFacts) silence(t *target) words {
	nmc := k.nodes[t.name]
	if nmc == nil || k.loaded(t) {
		return words{}
	}
	want := k.entry(nmc.Spec.Modules)
	switch {
	case want == nil:
		return words{"KMM has not given the node its module yet", "If it stays so, look into the log of KMM's controller."}
	case k.podSecurity == "baseline" || k.podSecurity == "restricted":
		return words{
			"there is no worker pod: the namespace enforces Pod Security " + k.podSecurity + ", which refuses KMM's worker pods",
			"kubectl label namespace " + k.module.Namespace + " --overwrite pod-security.kubernetes.io/enforce=privileged",
		}
	}
	return words{"there is no worker pod on the node, and KMM does not say why", "A refused pod shows only in the log of KMM's controller."}
}

// troubles are the words of the first container of a pod that cannot get on,
// "" if all is well so far.
func troubles(p *corev1.Pod) string {
	for _, c := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
		end := c.State.Terminated
		if end == nil {
			end = c.LastTerminationState.Terminated
		}
		switch w := c.State.Waiting; {
		case end != nil && end.ExitCode != 0:
			return fmt.Sprintf("%s ended with exit code %d: %s", c.Name, end.ExitCode, cmp.Or(lastLines(end.Message), end.Reason, "no message"))
		case w != nil && w.Reason != "" && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating":
			return strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + c.Message
		}
	}
	return ""
}

// lastLines keeps the end of a message, where modprobe says what went wrong.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
