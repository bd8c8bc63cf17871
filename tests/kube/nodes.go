package kube

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// simulatedLabel tells nodes that exist in the API alone from real ones, which
// the simulated kubelet leaves alone.
const simulatedLabel = "pfring.test/simulated"

// Node says what simulated nodes look like; empty fields get a usual value.
type Node struct {
	// Prefix of the names, which end in a number from 0 on: default "node".
	Prefix string
	// Kernel returns the kernel release of the node with a number: default always "6.1.0-18-amd64".
	Kernel func(i int) string
	// Arch is GOARCH's name for the node's architecture: default "amd64".
	Arch string
	// Labels are added to the usual ones.
	Labels map[string]string
	// Taints last until somebody removes them.
	Taints []corev1.Taint
	// OSImage is what the nodes call their system: default "Simulated Linux".
	OSImage string
	// Logs serve what their containers print; without, nobody can read it.
	Logs *Logs
	// Images is how many container images each node says that it has. Real ones
	// list up to 50, which makes up most of their size.
	Images int
}

// AddNodes makes n nodes that are ready at once and returns their names, when
// the control plane takes them as ready too.
func (c *Cluster) AddNodes(ctx context.Context, n int, template Node) ([]string, error) {
	names := make([]string, n)
	errs := make([]error, n)
	var workers sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i := range n {
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			node := template.object(i)
			names[i] = node.Name
			_, errs[i] = c.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("making node %s: %w", names[i], err)
		}
	}
	return names, Poll(ctx, fmt.Sprintf("%d nodes to be ready", n), c.noNodeIsNew)
}

// TestNodes is AddNodes for one test, at whose end the nodes are removed.
func (c *Cluster) TestNodes(t testing.TB, n int, template Node) []string {
	t.Helper()
	names, err := c.AddNodes(t.Context(), n, template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context is over by now.
		if err := c.RemoveNodes(context.Background(), names...); err != nil {
			t.Error(err)
		}
	})
	return names
}

// RemoveNodes deletes nodes; the control plane then deletes their pods.
func (c *Cluster) RemoveNodes(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := c.Client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("deleting node %s: %w", name, err)
		}
	}
	return nil
}

// noNodeIsNew tells whether the taint that every new node gets at admission is gone from all of them.
func (c *Cluster) noNodeIsNew(ctx context.Context) (bool, error) {
	list, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: labels.Set{simulatedLabel: "true"}.String()})
	if err != nil {
		return false, err
	}
	for _, node := range list.Items {
		for _, taint := range node.Spec.Taints {
			if taint.Key == corev1.TaintNodeNotReady {
				return false, nil
			}
		}
	}
	return true, nil
}

func (n Node) object(i int) *corev1.Node {
	prefix, arch, kernel := orDefault(n.Prefix, "node"), orDefault(n.Arch, "amd64"), "6.1.0-18-amd64"
	if n.Kernel != nil {
		kernel = n.Kernel(i)
	}
	name := fmt.Sprintf("%s-%d", prefix, i)
	all := map[string]string{
		simulatedLabel:           "true",
		corev1.LabelHostname:     name,
		corev1.LabelOSStable:     "linux",
		corev1.LabelArchStable:   arch,
		corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3),
	}
	maps.Copy(all, n.Labels)
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("16Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all},
		Spec:       corev1.NodeSpec{Taints: n.Taints},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: address(172, i)}},
			Conditions: nodeConditions(),
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: name, SystemUUID: name, BootID: "boot-" + name,
				KernelVersion: kernel, Architecture: arch, OperatingSystem: "linux", OSImage: orDefault(n.OSImage, "Simulated Linux"),
				ContainerRuntimeVersion: "containerd://2.1.0", KubeletVersion: "v1.36.3",
			},
		},
	}
	for i := range n.Images {
		repository := fmt.Sprintf("registry.example.com/a-team/some-service-%d", i)
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names: []string{fmt.Sprintf("%s@sha256:%064x", repository, i), repository + ":v1.2.3"}, SizeBytes: 1 << 27,
		})
	}
	if n.Logs != nil {
		n.Logs.at(node)
	}
	return node
}

func nodeConditions() []corev1.NodeCondition {
	now := metav1.NewTime(time.Now())
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, LastHeartbeatTime: now, LastTransitionTime: now}
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
		condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
	}
}

// address is the i-th one of a private network.
func address(first byte, i int) string {
	return fmt.Sprintf("%d.16.%d.%d", first, i/250, 1+i%250)
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
