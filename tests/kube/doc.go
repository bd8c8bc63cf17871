// Package kube runs a real Kubernetes control plane on loopback for tests:
// etcd, kube-apiserver with Pod Security admission and RBAC,
// kube-controller-manager and kube-scheduler, all from the program that
// tests/controlplane builds. Nodes are simulated: they exist in the API, and
// one small kubelet for all of them moves pods through their states as the test
// says, without running a container.
//
// What it leaves to others: containers, networks and kernels. A test that needs
// those has a real node of its own.
package kube
