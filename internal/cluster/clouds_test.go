package cluster_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// Nodes as today's offers label and taint them, by their public documentation. "out"
// is what the default affinity says, "taint" what the tolerations of Kubeshark's
// workers leave (every NoExecute since 52.5), "platform" what is said of modules.
func TestNodesOfTodaysOffers(t *testing.T) {
	workers := []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}
	for name, test := range map[string]struct {
		labels, taints, osImage, node, providerID string
		out, taint                                string
		platform                                  cluster.Platform
	}{
		"EKS, managed node group": {labels: "eks.amazonaws.com/nodegroup=a eks.amazonaws.com/capacityType=ON_DEMAND", osImage: "Amazon Linux 2023.8.20250818"},
		"EKS, Karpenter":          {labels: "karpenter.sh/nodepool=default karpenter.k8s.aws/instance-family=m7i", osImage: "Amazon Linux 2023.8.20250818"},
		"EKS, Bottlerocket":       {osImage: "Bottlerocket OS 1.44.0 (aws-k8s-1.33)", platform: cluster.Bottlerocket},
		"EKS Fargate": {
			labels: "eks.amazonaws.com/compute-type=fargate", taints: "eks.amazonaws.com/compute-type=fargate:NoSchedule", osImage: "Amazon Linux 2",
			out: "AWS Fargate, which runs no DaemonSet", taint: "eks.amazonaws.com/compute-type=fargate:NoSchedule", platform: cluster.Fargate,
		},
		"EKS Auto Mode":    {labels: "eks.amazonaws.com/compute-type=auto karpenter.sh/nodepool=general-purpose", osImage: "Bottlerocket (EKS Auto, Standard) 2025.9.9 (aws-k8s-1.33-standard)", platform: cluster.EKSAutoMode},
		"EKS Hybrid Nodes": {labels: "eks.amazonaws.com/compute-type=hybrid", osImage: "Ubuntu 24.04.3 LTS"},
		"AKS, Azure Linux": {labels: "kubernetes.azure.com/os-sku=AzureLinux kubernetes.azure.com/mode=system", osImage: "Microsoft Azure Linux 3.0"},
		"AKS virtual node": {
			labels: "type=virtual-kubelet kubernetes.io/role=agent alpha.service-controller.kubernetes.io/exclude-balancer=true", taints: "virtual-kubelet.io/provider=azure:NoSchedule",
			out: "virtual kubelet", taint: "virtual-kubelet.io/provider", platform: cluster.VirtualKubelet,
		},
		"ACK virtual node": {
			labels: "type=virtual-kubelet alibabacloud.com/virtual-node=true", taints: "virtual-kubelet.io/provider=alibabacloud:NoSchedule",
			out: "virtual kubelet", taint: "virtual-kubelet.io/provider", platform: cluster.VirtualKubelet,
		},
		"CCE bursting node":                          {labels: "type=virtual-kubelet", taints: "virtual-kubelet.io/provider=huawei:NoSchedule", out: "virtual kubelet", taint: "virtual-kubelet.io/provider", platform: cluster.VirtualKubelet},
		"a virtual kubelet known by its taint alone": {taints: "virtual-kubelet.io/provider=mock:NoSchedule", taint: "virtual-kubelet.io/provider", platform: cluster.VirtualKubelet},
		"Liqo":           {labels: "liqo.io/type=virtual-node liqo.io/remote-cluster-id=milan", taints: "virtual-node.liqo.io/not-allowed=true:NoExecute", out: "Liqo", platform: cluster.VirtualKubelet},
		"kwok":           {labels: "type=kwok kubernetes.io/hostname=kwok-node-0", taints: "kwok.x-k8s.io/node=fake:NoSchedule", osImage: "", out: "kwok", taint: "kwok.x-k8s.io/node", platform: cluster.VirtualKubelet},
		"GKE Autopilot":  {node: "gk3-autopilot-pool-2-1a2b", providerID: "gce://p/europe-west1-b/gk3-autopilot-pool-2-1a2b", labels: "cloud.google.com/gke-nodepool=pool-2", osImage: "Container-Optimized OS from Google", platform: cluster.GKEAutopilot},
		"GKE, CPU nodes": {labels: "cloud.google.com/gke-nodepool=default", osImage: "Container-Optimized OS from Google", platform: cluster.COS},
		"GKE, Ubuntu":    {labels: "cloud.google.com/gke-nodepool=default cloud.google.com/gke-os-distribution=ubuntu", osImage: "Ubuntu 22.04.5 LTS"},
		"GKE, arm64":     {labels: "cloud.google.com/gke-nodepool=arm", taints: "kubernetes.io/arch=arm64:NoSchedule", osImage: "Ubuntu 22.04.5 LTS", taint: "kubernetes.io/arch=arm64:NoSchedule"},
		"OpenShift, control plane": {
			labels: "node-role.kubernetes.io/master= node-role.kubernetes.io/control-plane= node.openshift.io/os_id=rhcos", taints: "node-role.kubernetes.io/master:NoSchedule",
			osImage: "Red Hat Enterprise Linux CoreOS 9.6.20250805-0 (Plow)", taint: "node-role.kubernetes.io/master:NoSchedule", platform: cluster.RHCOS,
		},
		"OpenShift, worker":                   {labels: "node-role.kubernetes.io/worker= node.openshift.io/os_id=rhcos", osImage: "Red Hat Enterprise Linux CoreOS 418.94.202508060022-0", platform: cluster.RHCOS},
		"k3s server":                          {labels: "node-role.kubernetes.io/control-plane=true node.kubernetes.io/instance-type=k3s", osImage: "Ubuntu 24.04.3 LTS"},
		"k3s server kept from other work":     {labels: "node-role.kubernetes.io/control-plane=true", taints: "CriticalAddonsOnly=true:NoExecute", osImage: "openSUSE MicroOS"},
		"RKE2 control plane with etcd":        {taints: "node-role.kubernetes.io/etcd:NoExecute node-role.kubernetes.io/control-plane:NoSchedule", osImage: "SUSE Linux Enterprise Server 15 SP7", taint: "node-role.kubernetes.io/control-plane:NoSchedule"},
		"kubeadm, control plane":              {labels: "node-role.kubernetes.io/control-plane=", taints: "node-role.kubernetes.io/control-plane:NoSchedule", osImage: "Debian GNU/Linux 13 (trixie)", taint: "node-role.kubernetes.io/control-plane:NoSchedule"},
		"a node that cannot be reached":       {taints: "node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute", osImage: "Debian GNU/Linux 13 (trixie)"},
		"a node that its cloud has not taken": {taints: "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule", osImage: "Debian GNU/Linux 13 (trixie)"},
		"Windows":                             {labels: "kubernetes.io/os=windows", taints: "os=windows:NoSchedule", osImage: "Windows Server 2022 Datacenter", out: "it runs windows", taint: "os=windows:NoSchedule", platform: cluster.Windows},
		"IBM Z":                               {labels: "kubernetes.io/arch=s390x kubernetes.io/os=linux", osImage: "Ubuntu 22.04.5 LTS", out: "no agent for its architecture s390x"},
		"IBM Power":                           {labels: "kubernetes.io/arch=ppc64le kubernetes.io/os=linux", osImage: "Red Hat Enterprise Linux 9.4 (Plow)", out: "no agent for its architecture ppc64le"},
		"RISC-V":                              {labels: "kubernetes.io/arch=riscv64 kubernetes.io/os=linux", osImage: "Ubuntu 24.04.3 LTS", out: "no agent for its architecture riscv64"},
	} {
		n := labelled("", "", strings.Fields(test.labels)...)
		n.Name, n.Spec.ProviderID, n.Status.NodeInfo.OSImage = test.node, test.providerID, test.osImage
		for _, text := range strings.Fields(test.taints) {
			what, effect, _ := strings.Cut(text, ":")
			key, value, _ := strings.Cut(what, "=")
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
		}
		out := cluster.Targets{Limit: cluster.AgentNodes}.LeavesOut(n)
		if (out == "") != (test.out == "") || !strings.Contains(out, test.out) {
			t.Errorf("%s: left out because %q, want %q", name, out, test.out)
		}
		taint := ""
		if keeping := cluster.Untolerated(n.Spec.Taints, workers); keeping != nil {
			taint = keeping.ToString()
		}
		if (taint == "") != (test.taint == "") || !strings.Contains(taint, test.taint) {
			t.Errorf("%s: the taint %q keeps it away, want %q", name, taint, test.taint)
		}
		if got := cluster.FromObject(n).Platform; got != test.platform {
			t.Errorf("%s: the platform is %q, want %q", name, got, test.platform)
		}
	}
}
