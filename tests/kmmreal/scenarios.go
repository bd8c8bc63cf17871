package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// scenario is a state of the operator, and what pfring says of it.
type scenario struct {
	name, about string
	run         func(*bed)
}

const (
	w0, w1    = "w-0", "w-1"
	buildImg  = "tap.kernelModule.kernelMappings[0].build.dockerfile=debian"
	notFound  = "Back-off pulling image: not found"
	inUseText = "modprobe: FATAL: Module pf_ring is in use."
)

func scenarios() []scenario {
	return []scenario{
		{"verdicts", "validate takes nothing that webhook, definition or API server refuse", verdicts},
		{"loaded", "all is well", func(b *bed) {
			b.apply(values())
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.checks(values(), "kmm.webhook", "ok", "by dry runs")
			b.checks(values(), "cert-manager.definitions", "skipped", "not cert-manager's")
		}},
		{"image-missing", "an image is not in its registry", func(b *bed) {
			b.kubelet.set(map[string]fate{"pull": {waiting: "ImagePullBackOff", message: notFound}})
			b.apply(values())
			b.says(w0, 1, "cannot be pulled: ImagePullBackOff", "Push the image reg.example/pf-ring:6.1.0-18-amd64")
		}},
		{"image-without-shell", "the pod that pulls fails for good", func(b *bed) {
			b.kubelet.set(map[string]fate{"pull": {exit: 128, message: "exec: /bin/sh: no such file or directory"}})
			b.apply(values())
			b.says(w0, 1, "/bin/sh", "pfring module pack", "kubectl delete pod")
		}},
		{"build", "the image is being built, and then the build fails and is tried again", func(b *bed) {
			b.kubelet.set(map[string]fate{"pull": {waiting: "ImagePullBackOff", message: notFound}, "build": {hold: true}})
			b.do("create", "secret", "docker-registry", "push", "--docker-username=a", "--docker-password=b", "--docker-server=reg.example")
			b.apply(values(), buildImg, "tap.kernelModule.imageRepoSecret=push")
			b.says(w0, 1, "is at its build, by the pod pfr-build-")
			b.says(w1, 1, "is at its build, by the pod pfr-build-")
			b.kubelet.set(map[string]fate{"pull": {waiting: "ImagePullBackOff", message: notFound}, "build": {exit: 1, message: "E: Unable to locate package"}})
			b.says(w0, 1, "the build of the image", "failed", "E: Unable to locate package", "kubectl delete pod pfr-build-")
			b.kubelet.set(map[string]fate{"pull": {waiting: "ImagePullBackOff", message: notFound}})
			b.do("delete", "pod", "-l", "kmm.node.kubernetes.io/module.name=pfr", "--wait=false")
			b.says("", 0, "2 of 2 nodes have PF_RING")
		}},
		{"sign-keys-missing", "KMM cannot sign, and says so nowhere", func(b *bed) {
			b.kubelet.set(map[string]fate{"pull": {waiting: "ImagePullBackOff", message: notFound}})
			b.do("create", "secret", "docker-registry", "push", "--docker-username=a", "--docker-password=b", "--docker-server=reg.example")
			b.apply(values(), buildImg, "tap.kernelModule.imageRepoSecret=push", "tap.kernelModule.kmm.sign.keySecret=mok-key", "tap.kernelModule.kmm.sign.certSecret=mok-cert")
			b.says(w0, 1, "must be signed, and no pod signs it yet", "Secret mok-key", "is missing")
		}},
		{"worker-image", "a worker pod does not get its image, and goes on once it is there", func(b *bed) {
			b.kubelet.set(map[string]fate{"Load/" + w0: {waiting: "ImagePullBackOff", message: "Back-off pulling image"}})
			b.apply(values())
			b.says(w0, 1, "loading fails: ImagePullBackOff", "Do not delete the Module")
			b.kubelet.set(map[string]fate{})
			b.says("", 0, "2 of 2 nodes have PF_RING")
		}},
		{"worker-old-image", "a worker pod is stuck with an image that the values have changed since", func(b *bed) {
			b.kubelet.set(map[string]fate{"Load/" + w0: {waiting: "ImagePullBackOff", message: "Back-off pulling image"}})
			b.apply(values())
			b.says(w0, 1, "loading fails")
			b.apply(values(), "tap.kernelModule.kernelMappings[0].containerImage=reg.example/pf-ring:v2-${KERNEL_FULL_VERSION}")
			b.says(w0, 1, "on this node: kubectl patch pod kmm-worker-w-0-pfr")
			b.do("patch", "pod", "kmm-worker-w-0-pfr", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
			b.do("delete", "pod", "kmm-worker-w-0-pfr", "--ignore-not-found", "--wait=false")
			// Only now, or the old pod may end well before it is deleted.
			b.kubelet.set(map[string]fate{})
			b.says("", 0, "2 of 2 nodes have PF_RING")
		}},
		{"key-rejected", "the kernel refuses the module", func(b *bed) {
			b.kubelet.set(map[string]fate{"Load/" + w1: {exit: 1, message: "modprobe: ERROR: could not insert pf_ring: Key was rejected by service"}})
			b.apply(values())
			b.says(w1, 1, "Key was rejected by service", "Secure Boot")
			b.says(w0, 1, "ok: ")
		}},
		{"drift", "a parameter changes while PF_RING is in use", func(b *bed) {
			b.apply(values())
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.kubelet.set(map[string]fate{"Unload": {exit: 1, message: inUseText}})
			b.apply(values(), "tap.kernelModule.parameters.min_num_slots=4096")
			b.says(w0, 1, "an old configuration is loaded (modprobe.parameters changed), and KMM cannot unload it", inUseText)
			b.says("", 1, "2 of 2 nodes have PF_RING, 2 of them not as the release specifies")
			if _, _, code := b.pfringRun("", "status", "-n", b.namespace, "--wait", "--timeout", "8s"); code != 1 {
				b.fail("status --wait: exit %d", code)
			}
			b.do("delete", "modules.kmm.sigs.x-k8s.io", "pfr", "--wait=false")
			b.says("", 0, "KMM cannot unload it on w-0", inUseText)
		}},
		{"version", "a Module's version waits for the nodes' labels", func(b *bed) {
			b.apply(values(), "tap.kernelModule.kmm.version=v1")
			b.says(w0, 1, "lacks the label kmm.node.kubernetes.io/version-module.s-version.pfr=v1")
			b.do("label", "node", w0, w1, "kmm.node.kubernetes.io/version-module.s-version.pfr=v1")
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.apply(values(), "tap.kernelModule.kmm.version=v2")
			b.says(w0, 1, "version v1 is loaded, the Module has v2", "kubectl label node w-0 --overwrite")
			b.checks(values(), "kmm.module", "error", "delete the Module first")
			b.do("label", "node", w0, w1, "kmm.node.kubernetes.io/version-module.s-version.pfr-")
		}},
		{"not-ready", "a node with the module goes away", func(b *bed) {
			b.apply(values())
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.node(w0, ready(corev1.ConditionUnknown))
			b.says(w0, 1, "unknown: the node is not ready")
			b.node(w0, ready(corev1.ConditionTrue))
		}},
		{"restricted", "the namespace refuses KMM's pods", func(b *bed) {
			b.do("label", "namespace", b.namespace, "pod-security.kubernetes.io/enforce=restricted")
			b.apply(values())
			b.says(w0, 1, "enforces Pod Security restricted", "enforce=privileged")
			b.do("label", "namespace", b.namespace, "--overwrite", "pod-security.kubernetes.io/enforce=privileged")
		}},
		{"quota", "the namespace has no room for KMM's pods", func(b *bed) {
			b.apply(values())
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.do("create", "quota", "none", "--hard=pods=2")
			b.apply(values(), "tap.kernelModule.kernelMappings[0].containerImage=reg.example/pf-ring:v2-${KERNEL_FULL_VERSION}", "tap.kernelModule.kmm.imagePullPolicy=Always")
			b.says(w0, 1, "no room for KMM's pods")
			b.do("delete", "quota", "none")
		}},
		{"no-account", "the service account of KMM's workers is missing", func(b *bed) {
			b.apply(values(), "tap.kernelModule.kmm.serviceAccountName=nosuch")
			b.says(w0, 1, "the ServiceAccount nosuch of its worker pods is missing", "kubectl create serviceaccount nosuch")
			b.do("create", "serviceaccount", "nosuch")
		}},
		{"plus", "a kernel release that ends in a plus sign", func(b *bed) {
			b.node(w0, kernel("6.12.55+"))
			b.apply(values())
			b.says(w0, 1, "KMM does not support a kernel release that ends in a plus sign", "mode auto")
			b.node(w0, kernel("6.1.0-18-amd64"))
		}},
		{"two-components", "a kernel release on which KMM fails", func(b *bed) {
			b.node(w0, kernel("6.12"))
			b.apply(values())
			b.says(w0, 1, "fewer than three components")
			b.says(w1, 1, "KMM fails on the kernel release 6.12 of the node w-0")
			b.node(w0, kernel("6.1.0-18-amd64"))
		}},
		{"all-tainted", "every node has a taint, which the Module tolerates", func(b *bed) {
			for _, name := range []string{"infra-0", w0, w1} {
				b.node(name, func(n *corev1.Node) {
					n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "dedicated", Value: "x", Effect: corev1.TaintEffectNoSchedule})
				})
				defer b.node(name, func(n *corev1.Node) { n.Spec.Taints = nil })
			}
			b.apply(values())
			if b.pullTolerations() {
				b.says("", 0, "2 of 2 nodes have PF_RING")
				return
			}
			b.says(w0, 1, "not scheduled", "KMM before 2.7 creates")
			b.checks(values(), "kmm.version", "warning", "Keep one node without taints")
		}},
		{"operator-down", "the operator does not run", func(b *bed) {
			b.operator.stop()
			b.do("-n", operatorNamespace, "scale", "deployment", "kmm-operator-controller", "--replicas=0")
			b.apply(values())
			b.says(w0, 1, "kmm-operator-system/kmm-operator-controller is scaled to 0")
			b.do("-n", operatorNamespace, "scale", "deployment", "kmm-operator-controller", "--replicas=1")
			if err := b.operator.start(); err != nil {
				b.fail("%v", err)
			}
			b.says("", 0, "2 of 2 nodes have PF_RING")
		}},
		{"preflight", "the next kernel's image is checked in the cluster", func(b *bed) {
			b.apply(values())
			b.says("", 0, "2 of 2 nodes have PF_RING")
			b.do("create", "-f", b.file("preflight.yaml", "apiVersion: kmm.sigs.x-k8s.io/v1beta2\nkind: PreflightValidation\nmetadata: {name: next}\nspec: {kernelVersion: 6.12.99-amd64, pushBuiltImage: false}\n"))
			b.says("", 0, "PreflightValidation next for the kernel 6.12.99-amd64: Success")
			b.do("delete", "preflightvalidations.v1beta2.kmm.sigs.x-k8s.io", "next", "--wait=false")
		}},
	}
}

// pullTolerations tells whether the release is one whose pods that pull tolerate
// what the Module does.
func (b *bed) pullTolerations() bool {
	text, err := os.ReadFile(filepath.Join(b.checkout, "internal", "pod", "imagepuller.go"))
	return err == nil && strings.Contains(string(text), "Tolerations")
}

// file writes a manifest and returns its path.
func (b *bed) file(name, text string) string {
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.fail("%v", err)
	}
	return path
}

func kernel(release string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.NodeInfo.KernelVersion = release
		if n.Labels["touched"] != "yes" {
			n.Labels["touched"] = "yes"
			return
		}
		// KMM looks at a node again when its labels change.
		delete(n.Labels, "touched")
	}
}

func ready(status corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for i := range n.Status.Conditions {
			if n.Status.Conditions[i].Type == corev1.NodeReady {
				n.Status.Conditions[i].Status = status
			}
		}
	}
}

// verdicts hands every values file of the table that validate takes to the
// cluster, and none of those that the table has as refused may be among them.
func verdicts(b *bed) {
	root, err := toolbin.Root()
	if err != nil {
		b.fail("%v", err)
		return
	}
	text, err := os.ReadFile(filepath.Join(root, "values-schema", "testdata", "kmm", "verdicts.yaml"))
	if err != nil {
		b.fail("%v", err)
		return
	}
	var all []struct {
		Name   string         `json:"name"`
		Values map[string]any `json:"values"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		b.fail("%v", err)
		return
	}
	taken := 0
	for _, v := range all {
		values, err := yaml.Marshal(map[string]any{"tap": v.Values})
		if err != nil {
			b.fail("%v", err)
			continue
		}
		objects, _, code := b.pfringRun(string(values), "render", "-n", "default", "-f", "-")
		if code != 0 {
			continue
		}
		taken++
		if text, err := b.kubectlRun(objects, "create", "--dry-run=server", "-n", "default", "-f", "-"); err != nil {
			b.fail("%s: validate takes it, the cluster says: %s", v.Name, strings.TrimSpace(text))
		}
	}
	if taken < 30 {
		b.fail("only %d of %d values files were rendered", taken, len(all))
	}
	fmt.Printf("     %d of %d values files are valid, and the cluster takes them\n", taken-len(b.failures), len(all))
}
