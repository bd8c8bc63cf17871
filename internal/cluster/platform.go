package cluster

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Platform is a kind of node that treats kernel modules in its own way.
type Platform string

// The platforms that a Node object gives away. Generic is any other Linux
// node: a module built for its kernel can be expected to load, unless Secure
// Boot or a policy says otherwise, which a Node object does not tell.
const (
	Generic      Platform = ""
	Bottlerocket Platform = "bottlerocket"
	COS          Platform = "container-optimized-os"
	// COSOther is Container-Optimized OS where LoadPin may be off: GKE's nodes
	// with GPUs, and machines outside GKE.
	COSOther Platform = "container-optimized-os-other"
	Talos    Platform = "talos"
	// TalosOptional is Talos of a release whose signature enforcement can be switched
	// off when it is started.
	TalosOptional  Platform = "talos-optional"
	Flatcar        Platform = "flatcar"
	RHCOS          Platform = "rhcos"
	Fargate        Platform = "fargate"
	VirtualKubelet Platform = "virtual-kubelet"
	GKEAutopilot   Platform = "gke-autopilot"
	EKSAutoMode    Platform = "eks-auto-mode"
	Windows        Platform = "windows"
)

// Policy says what a platform lets a user do with an out-of-tree module.
type Policy string

// The policies.
const (
	// Loads: a module built for the kernel loads.
	Loads Policy = "loads"
	// SignedOnly: the kernel takes modules only from a key that it trusts.
	SignedOnly Policy = "signed-only"
	// Never: no user of the cluster can load a module there.
	Never Policy = "never"
	// Unclear: it depends on settings that a Node object does not show.
	Unclear Policy = "unclear"
)

// PlatformInfo tells a person about a platform.
type PlatformInfo struct {
	Platform Platform
	Name     string
	Policy   Policy
	// Shows is how one tells it by the Node object.
	Shows string
	// Why is what stands in the way and Remedy what to do, a sentence each.
	Why, Remedy string
	// Source is the public page that the facts are from.
	Source string
}

// Describe returns what is known of p.
func (p Platform) Describe() PlatformInfo {
	for _, info := range Platforms() {
		if info.Platform == p {
			return info
		}
	}
	return PlatformInfo{Platform: p, Name: "Linux", Policy: Loads}
}

// Platforms lists the platforms that are distinguished.
func Platforms() []PlatformInfo {
	const exclude = "Leave these nodes out with agent.affinity, agent.nodeSelector or kmm.selector, as the agent's default affinity does."
	return []PlatformInfo{
		{Bottlerocket, "Bottlerocket", Unclear,
			"`osImage` begins with `Bottlerocket`",
			"Bottlerocket's lockdown is integrity by default, except in its nvidia and dev variants, and then it loads only modules that Bottlerocket has signed.",
			"Set settings.kernel.lockdown to none in the nodes' user data, and build the module with Bottlerocket's kmod kit.",
			"https://bottlerocket.dev/en/os/latest/api/settings/kernel/"},
		{COS, "Container-Optimized OS", Never,
			"`osImage` begins with `Container-Optimized OS`, label `cloud.google.com/gke-nodepool`, no label `cloud.google.com/gke-accelerator`",
			"Container-Optimized OS on GKE's CPU and TPU nodes loads modules only from its own disk (LoadPin), or only those that Google has signed.",
			"Use an Ubuntu node pool (image type UBUNTU_CONTAINERD) for nodes that need PF_RING.",
			"https://cloud.google.com/kubernetes-engine/security/secure-modules-cos"},
		{COSOther, "Container-Optimized OS", Unclear,
			"`osImage` begins with `Container-Optimized OS`, and label `cloud.google.com/gke-accelerator` or no label `cloud.google.com/gke-nodepool`",
			"Container-Optimized OS loads third-party modules only where LoadPin is off, as it is by default on GKE's GPU nodes.",
			"Try it on one node, or use an Ubuntu node pool (image type UBUNTU_CONTAINERD).",
			"https://cloud.google.com/kubernetes-engine/security/secure-modules-cos"},
		{Talos, "Talos Linux", SignedOnly,
			"`osImage` begins with `Talos`, of a release before 1.13 other than 1.12.7 and later",
			"Talos requires modules signed with the key that its kernel was built with, and that key is discarded after the build.",
			"Build PF_RING as a system extension together with your own Talos kernel.",
			"https://docs.siderolabs.com/talos/v1.14/build-and-extend-talos/custom-images-and-development/kernel-module"},
		{TalosOptional, "Talos Linux", Unclear,
			"`osImage` begins with `Talos`, release 1.13 and later, or 1.12 from 1.12.7",
			"Talos requires signed modules unless it was started with module.sig_enforce=0, which a Node does not show and which Secure Boot overrules.",
			"Start these nodes without Secure Boot and with the kernel argument module.sig_enforce=0, in an image by Talos' Image Factory, or build PF_RING as a system extension together with a Talos kernel of your own.",
			"https://github.com/siderolabs/talos/commit/ced57b047"},
		{Flatcar, "Flatcar Container Linux", Loads,
			"`osImage` begins with `Flatcar`",
			"Flatcar updates itself, and its kernel release alone does not name the build.",
			"Build one module per Flatcar release in its developer container, and pin the release channel.",
			"https://www.flatcar.org/docs/latest/reference/developer-guides/kernel-modules/"},
		{RHCOS, "Red Hat Enterprise Linux CoreOS", Loads,
			"`osImage` begins with `Red Hat Enterprise Linux CoreOS`",
			"RHCOS loads third-party modules, but its kernel changes with each OpenShift update.",
			"Use mode kmm with a build from the Driver Toolkit image, which fits each OpenShift release.",
			"https://docs.openshift.com/container-platform/latest/hardware_enablement/kmm-kernel-module-management.html"},
		{Fargate, "AWS Fargate", Never,
			"label `eks.amazonaws.com/compute-type=fargate`",
			"Each Fargate pod runs in its own virtual machine; DaemonSets and privileged pods do not run there.",
			exclude, "https://docs.aws.amazon.com/eks/latest/userguide/fargate.html"},
		{VirtualKubelet, "virtual node", Never,
			"label `type=virtual-kubelet`, `type=kwok` or `liqo.io/type=virtual-node`, or taint `virtual-kubelet.io/provider`",
			"It represents a service, another cluster (Liqo) or nothing (kwok), not a machine with its own kernel.",
			exclude, "https://github.com/virtual-kubelet/virtual-kubelet"},
		{GKEAutopilot, "GKE Autopilot", Never,
			"name begins with `gk3-` and `providerID` with `gce://`",
			"Autopilot refuses pods with SYS_MODULE unless an allowlist admits them, and its nodes run Container-Optimized OS.",
			"Use a GKE Standard cluster with an Ubuntu node pool for nodes that need PF_RING.",
			"https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-security"},
		{EKSAutoMode, "EKS Auto Mode", Unclear,
			"label `eks.amazonaws.com/compute-type=auto`",
			"Auto Mode nodes run a Bottlerocket that AWS chooses. With lockdown integrity, which a NodeClass decides and a Node does not show, they load no unsigned module.",
			"Set advancedSecurity.kernelLockdown to none in the NodeClass and try it on one node, or use a managed node group with Amazon Linux 2023 or Ubuntu for nodes that need PF_RING.",
			"https://docs.aws.amazon.com/eks/latest/userguide/auto-advanced-security.html"},
		{Windows, "Windows", Never,
			"label `kubernetes.io/os=windows`, or `nodeInfo.operatingSystem` is `windows`",
			"PF_RING is a Linux kernel module.", exclude, "https://www.ntop.org/products/packet-capture/pf_ring/"},
	}
}

// platformOf tells what kind of node n is by what only that kind has. Managed
// offers come first, since their nodes run one of the systems further down.
func platformOf(n *corev1.Node) Platform {
	switch compute := n.Labels["eks.amazonaws.com/compute-type"]; {
	case compute == "fargate":
		return Fargate
	case compute == "auto":
		return EKSAutoMode
	case isVirtual(n):
		return VirtualKubelet
	case n.Labels[corev1.LabelOSStable] == "windows" || n.Status.NodeInfo.OperatingSystem == "windows":
		return Windows
	case strings.HasPrefix(n.Name, "gk3-") && strings.HasPrefix(n.Spec.ProviderID, "gce://"):
		return GKEAutopilot
	}
	platform := platformOfImage(n.Status.NodeInfo.OSImage)
	if platform == COS && (n.Labels["cloud.google.com/gke-nodepool"] == "" || n.Labels["cloud.google.com/gke-accelerator"] != "") {
		return COSOther
	}
	return platform
}

// platformOfImage goes by the PRETTY_NAME of the node's /etc/os-release, which
// the kubelet reports.
func platformOfImage(osImage string) Platform {
	for _, known := range []struct {
		prefix   string
		platform Platform
	}{
		{"Bottlerocket", Bottlerocket},
		{"Container-Optimized OS", COS},
		{"Talos", Talos},
		{"Flatcar", Flatcar},
		{"Red Hat Enterprise Linux CoreOS", RHCOS},
	} {
		if !strings.HasPrefix(osImage, known.prefix) {
			continue
		}
		if known.platform == Talos && signatureOptional(osImage) {
			return TalosOptional
		}
		return known.platform
	}
	return Generic
}

// talosRelease is how Talos names its release in the node's osImage.
var talosRelease = regexp.MustCompile(`^Talos \(v(\d{1,3})\.(\d{1,3})\.(\d{1,3})`)

// signatureOptional tells whether a release of Talos can be started without the
// enforcement of module signatures: those since 1.13, and 1.12 since 1.12.7
// (docs/platforms.md names the sources).
func signatureOptional(osImage string) bool {
	found := talosRelease.FindStringSubmatch(osImage)
	if found == nil {
		return false
	}
	var release [3]int
	for i := range release {
		release[i], _ = strconv.Atoi(found[i+1]) // digits alone
	}
	return slices.Compare(release[:], []int{1, 12, 7}) >= 0
}

func isVirtual(n *corev1.Node) bool {
	if kind := n.Labels["type"]; kind == "virtual-kubelet" || kind == "kwok" || n.Labels["liqo.io/type"] == "virtual-node" {
		return true
	}
	for _, t := range n.Spec.Taints {
		if t.Key == "virtual-kubelet.io/provider" {
			return true
		}
	}
	return false
}
