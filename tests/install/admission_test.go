package install_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Levels of the Pod Security Standards.
const (
	restricted = "restricted"
	baseline   = "baseline"
	privileged = "privileged"
)

func TestPodSecurityAdmitsWhatTheModeNeedsAndNoMore(t *testing.T) {
	b := newBed(t, 0)
	h := newHelm(b)
	all := []string{restricted, baseline, privileged}
	cases := []struct {
		name   string
		values map[string]any
		admit  []string
		// because stands in every refusal.
		because string
	}{
		{"kmm", b.values("kmm", nil), all, ""},
		{"kmm, metrics off", b.values("kmm", object{"metrics": object{"enabled": false}}), all, ""},
		{"kmm on OpenShift", b.values("kmm", object{"openshift": object{"scc": object{"create": true}}}), all, ""},
		{"kmm with ring counters", b.values("kmm", object{"metrics": object{"rings": true}}), []string{privileged}, "hostPath"},
		{"auto", b.values("auto", nil), []string{privileged}, "SYS_MODULE"},
		{"auto without state file", b.values("auto", object{"stateFile": ""}), []string{privileged}, "SYS_MODULE"},
		{"auto that unloads", b.values("auto", object{"unloadOnDestroy": true}), []string{privileged}, `"load", "run" must not include "SYS_MODULE"`},
	}
	namespaces := map[string]string{}
	for _, level := range all {
		namespaces[level] = shared.Namespace(t, level)
	}
	for _, c := range cases {
		pod, account := podOf(t, h.render(c.values))
		for _, level := range all {
			err := dryRun(b.ctx, namespaces[level], pod, account)
			switch want := slices.Contains(c.admit, level); {
			case want && err != nil:
				t.Errorf("%s is refused in %s: %v", c.name, level, err)
			case !want && (err == nil || !apierrors.IsForbidden(err)):
				t.Errorf("%s in %s is not refused by admission: %v", c.name, level, err)
			case !want && (!strings.Contains(err.Error(), `violates PodSecurity "`+level) || !strings.Contains(err.Error(), c.because)):
				t.Errorf("%s in %s is refused, but not for %s: %v", c.name, level, c.because, err)
			}
		}
	}
}

// podOf makes the pod that the DaemonSet would make, and the ServiceAccount that it names: admission enforces levels on
// pods only, never on what makes them.
func podOf(t *testing.T, objects []object) (*corev1.Pod, *corev1.ServiceAccount) {
	t.Helper()
	var ds appsv1.DaemonSet
	var account corev1.ServiceAccount
	for kind, into := range map[string]any{"DaemonSet": &ds, "ServiceAccount": &account} {
		for _, obj := range objects {
			if obj["kind"] != kind {
				continue
			}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj, into, true); err != nil {
				t.Fatalf("reading the %s: %v", kind, err)
			}
		}
	}
	if len(ds.Spec.Template.Spec.Containers) == 0 || account.Name == "" {
		t.Fatal("no DaemonSet or no ServiceAccount was rendered")
	}
	pod := &corev1.Pod{ObjectMeta: ds.Spec.Template.ObjectMeta, Spec: ds.Spec.Template.Spec}
	pod.Name = "pod"
	return pod, &account
}

func dryRun(ctx context.Context, namespace string, pod *corev1.Pod, account *corev1.ServiceAccount) error {
	own := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}
	_, err := shared.Client.CoreV1().ServiceAccounts(namespace).Create(ctx, own, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = shared.Client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
