package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// build comes before what KMM says of the image: a build or signature that
// failed makes the image "DoesNotExist" there, and the cause stands with the pod.
func (k *kmmFacts) build(t *target) words {
	image := k.image(t.kernel)
	build, sign := k.made(t.kernel)
	if image == "" || build == nil && sign == nil || k.imageState(image) == kmm.ImageExists {
		return words{}
	}
	p := k.builder(t.kernel)
	if p == nil {
		return k.noBuilder(image)
	}
	action := map[string]string{"build": "build", "sign": "signature"}[kindOf(p)]
	if text := troubles(p); text != "" {
		remedy := "kubectl logs " + p.Name + " -n " + p.Namespace + " shows more. Fix the cause, then delete the pod, and KMM starts again: kubectl delete pod " + p.Name + " -n " + p.Namespace
		if p.Status.Phase != corev1.PodFailed {
			remedy = "kubectl describe pod " + p.Name + " -n " + p.Namespace + " shows more; KMM continues by itself after the cause is fixed."
		}
		return words{"the " + action + " of the image " + image + " failed: " + text + k.rebuildLoop(), remedy}
	}
	return words{"the image " + image + " is at its " + action + ", by the pod " + p.Name + age(p), ""}
}

// kindOf is "build" or "sign", or "" for a pod that does neither. Releases write
// BuildImage or build.
func kindOf(p *corev1.Pod) string {
	return strings.ToLower(strings.TrimSuffix(kmm.Label(p.Labels, kmm.LabelResourceType), "Image"))
}

// builder is the pod that builds or signs for a kernel: of several one that
// failed, else the newest.
func (k *kmmFacts) builder(kernel string) *corev1.Pod {
	var list []*corev1.Pod
	for _, p := range k.pods {
		if kindOf(p) != "" && kmm.IsTarget(kmm.Label(p.Labels, kmm.LabelTargetKernel), kernel) && p.Status.Phase != corev1.PodSucceeded {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return slices.MaxFunc(list, func(a, b *corev1.Pod) int {
		if failed := boolInt(troubles(a) != "") - boolInt(troubles(b) != ""); failed != 0 {
			return failed
		}
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rebuildLoop: where signing fails, KMM builds and signs without end.
func (k *kmmFacts) rebuildLoop() string {
	const often = 10
	if k.builds == nil || k.builds.Generation < often {
		return ""
	}
	return " (KMM starts build and signature over and over)"
}

// noBuilder: KMM wants a build or signature, and no pod does it.
func (k *kmmFacts) noBuilder(image string) words {
	if k.builds != nil && state(k.builds.Status.States, image) == kmm.ActionFailure {
		return words{"the build or signature of the image " + image + " failed, and its pod is gone" + k.rebuildLoop(), "Read the events of the namespace and the log of KMM's controller."}
	}
	switch k.imageState(image) {
	case kmm.ImageNeedsBuild, kmm.ImageDoesNotExist:
		return k.explainHeld(buildKind, "the image "+image+" must be built, and no pod builds it yet")
	case kmm.ImageNeedsSign:
		return k.explainHeld(buildKind, "the image "+image+" must be signed, and no pod signs it yet")
	}
	return words{}
}

func (k *kmmFacts) missingImage(t *target) words {
	image := k.image(t.kernel)
	if image == "" || k.imageState(image) != kmm.ImageDoesNotExist {
		return words{}
	}
	return words{
		"the image " + image + " does not exist in its registry",
		"Make it with `pfring module pack` and `pfring module push`, or map the kernel to another image.",
	}
}

// pull: a pull pod waits indefinitely, and one that has failed is never looked at
// again.
func (k *kmmFacts) pull(t *target) words {
	image := k.image(t.kernel)
	if image == "" || k.imageState(image) != "" {
		return words{}
	}
	for _, p := range k.pods {
		if kmm.Label(p.Labels, kmm.LabelImageOwner) != k.module.Name || len(p.Spec.Containers) == 0 || p.Spec.Containers[0].Image != image {
			continue
		}
		if text := troubles(p); text != "" {
			return words{"the image " + image + " cannot be pulled: " + text, k.pullRemedy(p, image, text)}
		}
		return words{"the image " + image + " is being pulled", ""}
	}
	return k.explainHeld(pullKind, "the image "+image+" must be pulled, and no pod pulls it yet")
}

// pullRemedy goes by the cause: the same pod stays for a scheduler without a
// node, a login, a missing image and an image without a shell.
func (k *kmmFacts) pullRemedy(p *corev1.Pod, image, text string) string {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(strings.ToLower(text), part) })
	}
	const itself = " KMM then continues by itself."
	switch {
	case strings.HasPrefix(text, "not scheduled") && has("taint"):
		return "KMM before " + kmm.PullTolerations + " creates the pods that pull images without tolerations: keep one node without taints, or upgrade KMM." + itself
	case strings.HasPrefix(text, "not scheduled"):
		return "Make room for the pod " + p.Name + ": kubectl describe pod " + p.Name + " -n " + p.Namespace + "." + itself
	case has("/bin/sh", "no such file", "executable file not found", "startcontainererror", "exit code"):
		return "The image has no /bin/sh, which KMM runs: pack it with `pfring module pack`, push it under another tag and change the mapping, or push it again and delete the pod: kubectl delete pod " + p.Name + " -n " + p.Namespace
	case has("unauthorized", "401", "403", "denied", "authoriz", "authentication"):
		return k.loginRemedy() + itself
	case has("not found", "manifest unknown", "404", "name unknown"):
		return "Push the image " + image + ", or map the kernel to another one. Some registries report the same for a private image: see tap.kernelModule.imageRepoSecret." + itself
	case has("x509", "certificate", "tls"):
		return "Make the nodes' container runtime trust the registry's certificate; registryTLS of the mapping does not apply to it." + itself
	case has("invalidimagename", "invalid reference"):
		return "Correct containerImage of the mapping."
	case has("no such host", "timeout", "refused", "unreachable", "i/o"):
		return "Make sure that the nodes can reach the registry." + itself
	}
	return "Check the image's name, and tap.kernelModule.imageRepoSecret if it is private: kubectl describe pod " + p.Name + " -n " + p.Namespace + "." + itself
}

func (k *kmmFacts) loginRemedy() string {
	s := k.module.Spec.ImageRepoSecret
	switch {
	case s == nil || s.Name == "":
		return "Name a Secret with a login in tap.kernelModule.imageRepoSecret."
	case slices.Contains(k.around.missing, "Secret "+s.Name):
		return "Create the Secret " + s.Name + " in the namespace " + k.module.Namespace + ", which is missing: Kubernetes then pulls without a login."
	}
	return "Correct the login in the Secret " + s.Name + "."
}

// version: a Module with a version loads nothing before an administrator has
// labelled the node.
func (k *kmmFacts) version(t *target) words {
	want := k.module.Spec.Loader.Container.Version
	label := kmm.VersionLabel(k.module.Namespace, k.module.Name)
	if have, ok := t.labels[label]; want == "" || ok && have == want {
		return words{}
	}
	return words{
		"the Module has the version " + want + ", and the node lacks the label " + label + "=" + want,
		"Run: kubectl label node " + t.name + " --overwrite " + label + "=" + want,
	}
}

func (k *kmmFacts) config(t *target) words {
	if k.nodes[t.name] == nil {
		return k.explainHeld(workerKind, "KMM's controller has not processed the node yet")
	}
	want, _ := k.entries(t.name)
	if want == nil || want.Config.Kernel() == kmm.Trim(t.kernel) {
		return words{}
	}
	return words{
		"KMM still uses the kernel release " + want.Config.Kernel() + ", but the node runs " + t.kernel,
		"KMM checks a node again only when its taints or labels change: cordon and uncordon it.",
	}
}

// worker is a live worker pod of KMM on a node, or nil.
func (k *kmmFacts) worker(node string) *corev1.Pod {
	for _, p := range k.pods {
		if p.Spec.NodeName == node && p.Labels[labelComponent] == "worker" && p.Labels[labelName] == "kmm" {
			return p
		}
	}
	return nil
}

// workerTroubles are the words of a node's worker pod, or of the one that KMM has
// replaced: its last words go with it, unless a watch has seen them.
func (k *kmmFacts) workerTroubles(node string) string {
	if p := k.worker(node); p != nil {
		if text := troubles(p); text != "" {
			return text
		}
	}
	if lost := k.lost[node]; lost != nil {
		return troubles(lost)
	}
	return ""
}

func (k *kmmFacts) load(t *target) words {
	p, text := k.worker(t.name), k.workerTroubles(t.name)
	switch {
	case text != "":
		return words{"loading fails: " + text, k.loadRemedy(t, p, text)}
	case p == nil:
		return words{}
	}
	action := strings.ToLower(cmp.Or(kmm.Label(p.Labels, kmm.LabelWorkerAction), "load"))
	return words{"its worker pod " + p.Name + " is about to " + action + " the module" + age(p), ""}
}

func (k *kmmFacts) loadRemedy(t *target, p *corev1.Pod, text string) string {
	switch {
	case strings.Contains(text, "ImagePull") && p != nil && k.otherImage(t, p):
		// Seen to load on the one node, and to leave the others alone.
		return "The pod keeps the image that it was created with. To make KMM replace it on this node: kubectl patch pod " + p.Name + " -n " + p.Namespace +
			` --type=merge -p '{"metadata":{"finalizers":null}}' && kubectl delete pod ` + p.Name + " -n " + p.Namespace
	case strings.Contains(text, "ImagePull"):
		return "Fix the image in its registry or the pull secret; the pod then continues by itself. Do not delete the Module: that unloads PF_RING on every node."
	case strings.Contains(text, "in use"):
		return "Stop what uses PF_RING on the node; KMM retries by itself."
	case strings.Contains(text, "Key was rejected"), strings.Contains(text, "Required key not available"):
		return "Secure Boot requires a signed module: sign it and enroll the key, see the reason signature-required."
	case strings.Contains(text, "Exec format"), strings.Contains(text, "Invalid module format"):
		return "The module in the image was built for another kernel: pack one for this kernel."
	case strings.Contains(text, "not found in"), strings.Contains(text, "No such file"):
		return "The image has no module for this kernel, or no depmod files: pack it with `pfring module pack`."
	}
	return "Look up the kernel's message in docs/reasons.md."
}

// otherImage tells whether a worker pod has another image than KMM now wants.
func (k *kmmFacts) otherImage(t *target, p *corev1.Pod) bool {
	want, _ := k.entries(t.name)
	if want == nil || len(p.Spec.InitContainers) == 0 {
		return false
	}
	image, _ := want.Config["containerImage"].(string)
	return image != "" && !slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Image == image })
}

// silence is what is left when KMM wants to load and there is no worker pod.
func (k *kmmFacts) silence(t *target) words {
	if k.nodes[t.name] == nil || k.loaded(t) {
		return words{}
	}
	if want, _ := k.entries(t.name); want == nil {
		return k.explainHeld(workerKind, "KMM has not assigned the module to the node yet")
	}
	return k.explainHeld(workerKind, "there is no worker pod on the node")
}

// troubles are the words of the first container of a pod that cannot get on,
// "" if all is well so far.
func troubles(p *corev1.Pod) string {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
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
	if p.Status.Phase == corev1.PodFailed {
		return strings.TrimSpace(cmp.Or(p.Status.Reason, "failed") + " " + p.Status.Message)
	}
	return ""
}

// lastLines keeps the end of a message, where modprobe says what went wrong.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
