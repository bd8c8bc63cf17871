// Package node runs real Kubernetes nodes for tests: containerd, runc and a
// kubelet inside virtual machines of package vm, with Debian's kernels, which
// take modules. The control plane of package kube, the registry and whatever
// else a test serves stay outside, on this machine's loopback; a node sees them
// at vm.HostAddress.
//
// A node's disk is made here from Debian's packages, the kubelet of
// tests/kubelet and a few files, and outlives the machine: Node.Reboot boots it
// again. Nothing needs privilege, and nothing is installed.
//
// Only tests import it. It asserts nothing about the agent.
package node
