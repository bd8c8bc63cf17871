package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// completeTime is how long a shell waits for the names in a cluster.
const completeTime = 3 * time.Second

func (k *kubeFlags) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return k.completeConfig(func(c api.Config) []string { return slices.Collect(maps.Keys(c.Contexts)) })
}

func (k *kubeFlags) completeClusters(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return k.completeConfig(func(c api.Config) []string { return slices.Collect(maps.Keys(c.Clusters)) })
}

func (k *kubeFlags) completeUsers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return k.completeConfig(func(c api.Config) []string { return slices.Collect(maps.Keys(c.AuthInfos)) })
}

func (k *kubeFlags) completeConfig(names func(api.Config) []string) ([]string, cobra.ShellCompDirective) {
	config, err := k.clientConfig().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	list := names(config)
	slices.Sort(list)
	return list, cobra.ShellCompDirectiveNoFileComp
}

// ask completes with names that are asked of the cluster.
func (k *kubeFlags) ask(cmd *cobra.Command, names func(context.Context, *corev1client.CoreV1Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	config, err := k.restConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTime)
	defer cancel()
	list, err := names(ctx, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	slices.Sort(list)
	return slices.Compact(list), cobra.ShellCompDirectiveNoFileComp
}

func (k *kubeFlags) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return k.ask(cmd, func(ctx context.Context, c *corev1client.CoreV1Client) ([]string, error) {
		list, err := c.Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("cannot list namespaces: %w", err)
		}
		var names []string
		for _, n := range list.Items {
			names = append(names, n.Name)
		}
		return names, nil
	})
}

// completeReleases offers the releases of the namespace that Helm keeps.
func (k *kubeFlags) completeReleases(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	namespace, err := k.releaseNamespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return k.ask(cmd, func(ctx context.Context, c *corev1client.CoreV1Client) ([]string, error) {
		list, err := c.Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,status=deployed"})
		if err != nil {
			return nil, fmt.Errorf("cannot list releases: %w", err)
		}
		var names []string
		for _, s := range list.Items {
			names = append(names, s.Labels["name"])
		}
		return names, nil
	})
}

// completeNodes offers the cluster's nodes, with their kernels.
func (k *kubeFlags) completeNodes(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return k.completeOf(cmd, func(n cluster.Node) string { return n.Name + "\t" + n.Kernel })
}

// completeKernels offers the kernel releases of the cluster's nodes.
func (k *kubeFlags) completeKernels(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return k.completeOf(cmd, func(n cluster.Node) string { return n.Kernel + "\t" + n.OS })
}

func (k *kubeFlags) completeOf(cmd *cobra.Command, name func(cluster.Node) string) ([]string, cobra.ShellCompDirective) {
	return k.ask(cmd, func(ctx context.Context, c *corev1client.CoreV1Client) ([]string, error) {
		list, err := c.Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("cannot list nodes: %w", err)
		}
		var names []string
		for _, n := range list.Items {
			text := name(cluster.Node{Name: n.Name, Kernel: n.Status.NodeInfo.KernelVersion, OS: n.Status.NodeInfo.OSImage})
			if !strings.HasPrefix(text, "\t") {
				names = append(names, text)
			}
		}
		return names, nil
	})
}
