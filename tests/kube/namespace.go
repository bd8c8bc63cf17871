package kube

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Namespace makes a namespace whose Pod Security level is enforced ("" enforces
// nothing), waits until pods can be made in it, and deletes it at the test's end.
func (c *Cluster) Namespace(t testing.TB, level string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}}
	if level != "" {
		ns.Labels = map[string]string{"pod-security.kubernetes.io/enforce": level}
	}
	ns, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context is over by now.
		if err := c.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("deleting the namespace: %v", err)
		}
	})
	err = Poll(ctx, fmt.Sprintf("the namespace %s", ns.Name), func(ctx context.Context) (bool, error) {
		return c.namespaceReady(ctx, ns.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// KeepOnNodes has the pods of a namespace run on nodes with the label alone, as its
// administrator may. Tests that share a control plane, and whose pods may go to any
// node, so do not take each other's nodes, which end with their tests.
func (c *Cluster) KeepOnNodes(t testing.TB, namespace, label, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"scheduler.alpha.kubernetes.io/node-selector":"%s=%s"}}}`, label, value)
	if _, err := c.Client.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}
