package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// machine is one kind of node.
type machine struct {
	prefix, kernel, arch, osImage string
	// has says that the repository has a module for it.
	has bool
}

// kernels are six kernels on three operating systems, so that something is
// there, something is missing, and one architecture is missing.
func kernels() []machine {
	return []machine{
		{"ubuntu", "6.8.0-51-generic", "amd64", "Ubuntu 24.04.1 LTS", true},
		{"ubuntu-arm", "6.8.0-51-generic", "arm64", "Ubuntu 24.04.1 LTS", true},
		{"ubuntu-old", "5.15.0-1050-aws", "amd64", "Ubuntu 22.04.5 LTS", true},
		{"amazon", "6.1.134-150.224.amzn2023.x86_64", "amd64", "Amazon Linux 2023.7.20250428", true},
		{"amazon-new", "6.12.25-32.101.amzn2023.x86_64", "amd64", "Amazon Linux 2023.7.20250512", false},
		{"bottlerocket", "6.1.132", "amd64", "Bottlerocket OS 1.37.0 (aws-k8s-1.33)", true},
	}
}

func inRepository() []machine {
	return slices.DeleteFunc(kernels(), func(m machine) bool { return !m.has })
}

// addNodes makes n nodes, of each kind about as many. The first of each kind is
// tainted, the second cordoned.
func addNodes(ctx context.Context, cluster *kube.Cluster, n int) error {
	kinds := kernels()
	for i, m := range kinds {
		count := n / len(kinds)
		if i < n%len(kinds) {
			count++
		}
		names, err := cluster.AddNodes(ctx, count, kube.Node{Prefix: m.prefix, Arch: m.arch, Kernel: func(int) string { return m.kernel }})
		if err != nil {
			return err
		}
		for j, name := range names {
			// The control plane changes new nodes too.
			err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return dress(ctx, cluster, name, m, j) })
			if err != nil {
				return fmt.Errorf("setting up node %s: %w", name, err)
			}
		}
	}
	return nil
}

// dress gives the i-th node of a kind its system's name, a taint or a cordon.
func dress(ctx context.Context, cluster *kube.Cluster, name string, m machine, i int) error {
	nodes := cluster.Client.CoreV1().Nodes()
	node, err := nodes.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	node.Status.NodeInfo.OSImage = m.osImage
	if node, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	switch i {
	case 0:
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "dedicated", Value: "ingress", Effect: corev1.TaintEffectNoSchedule})
	case 1:
		node.Spec.Unschedulable = true
	default:
		return nil
	}
	_, err = nodes.Update(ctx, node, metav1.UpdateOptions{})
	return err
}

// handle is what the agent would end with on a node. A probe's pod runs the
// real agent, on a machine that is made up of files.
func handle(ctx context.Context, cluster *kube.Cluster, agent string, pod *corev1.Pod, node *corev1.Node) kube.Result {
	result := outcomeOf(ctx, cluster, agent, pod, node)
	// As the agent does with onUnavailable: fail.
	if result.Outcome.Backend == outcome.Libpcap && environment(pod, "PFRING_ON_UNAVAILABLE") == "fail" {
		result.ExitCode = outcome.ExitNo
	}
	return result
}

// environment is a variable of the pod's init container.
func environment(pod *corev1.Pod, name string) string {
	for _, c := range pod.Spec.InitContainers {
		for _, e := range c.Env {
			if e.Name == name {
				return e.Value
			}
		}
	}
	return ""
}

func outcomeOf(ctx context.Context, cluster *kube.Cluster, agent string, pod *corev1.Pod, node *corev1.Node) kube.Result {
	info := node.Status.NodeInfo
	if pod.Labels["app.kubernetes.io/component"] == "probe" {
		machine := kube.HealthyMachine(info.KernelVersion)
		if strings.HasPrefix(info.OSImage, "Bottlerocket") {
			machine = machine.With(kube.Machine{"hostsys/kernel/security/lockdown": "none [integrity] confidentiality\n"})
		}
		return cluster.Execute(ctx, agent, pod, node, machine)
	}
	for _, m := range inRepository() {
		if m.kernel == info.KernelVersion && m.arch == info.Architecture {
			if m.prefix == "bottlerocket" {
				return kube.Fallback(outcome.LockedDown)
			}
			return kube.Loaded()
		}
	}
	return kube.Fallback(outcome.NoModuleForKernel)
}
