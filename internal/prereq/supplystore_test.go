package prereq

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAClaimIsJudgedByItsPhaseAndItsStorageClass(t *testing.T) {
	class, none := "fast", ""
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "storageclasses"}, class)
	for name, c := range map[string]struct {
		phase   corev1.PersistentVolumeClaimPhase
		class   *string
		gone    bool
		binding storagev1.VolumeBindingMode
		err     error
		result  Result
		reason  string
	}{
		"bound":                          {phase: corev1.ClaimBound, class: &class, result: OK},
		"lost":                           {phase: corev1.ClaimLost, class: &class, result: Error, reason: "claim-lost"},
		"being deleted":                  {phase: corev1.ClaimBound, class: &class, gone: true, result: Error, reason: "claim-deleting"},
		"waits for the first pod":        {phase: corev1.ClaimPending, class: &class, binding: storagev1.VolumeBindingWaitForFirstConsumer, result: OK},
		"not provisioned":                {phase: corev1.ClaimPending, class: &class, binding: storagev1.VolumeBindingImmediate, result: Error, reason: "claim-pending"},
		"no phase yet":                   {class: &class, binding: storagev1.VolumeBindingImmediate, result: Error, reason: "claim-pending"},
		"no class, and no default":       {phase: corev1.ClaimPending, result: Error, reason: "claim-pending"},
		"explicitly without a class":     {phase: corev1.ClaimPending, class: &none, result: Error, reason: "claim-pending"},
		"class not found":                {phase: corev1.ClaimPending, class: &class, err: missing, result: Error, reason: "claim-pending"},
		"no right to read the class":     {phase: corev1.ClaimPending, class: &class, err: errors.New("forbidden"), result: Warning, reason: "claim-pending"},
		"bound, and no right to read it": {phase: corev1.ClaimBound, class: &class, err: errors.New("forbidden"), result: OK},
	} {
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kubeshark", Name: "modules"},
			Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: c.class}, Status: corev1.PersistentVolumeClaimStatus{Phase: c.phase},
		}
		if c.gone {
			claim.DeletionTimestamp = &metav1.Time{}
		}
		f := judgeClaim(claim, func(string) (storagev1.VolumeBindingMode, error) { return c.binding, c.err })
		if f.Result != c.result || f.Reason != c.reason || f.Result != OK && f.Remedy == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestAQuotaMustHaveRoomForTheObjectsOfTheStore(t *testing.T) {
	quantity := resource.MustParse
	quota := func(name corev1.ResourceName, hard, used string) corev1.ResourceQuota {
		return corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{name: quantity(hard)}, Used: corev1.ResourceList{name: quantity(used)},
		}}
	}
	need := map[corev1.ResourceName]resource.Quantity{
		"configmaps": quantity("7"), "count/configmaps": quantity("7"), "secrets": quantity("2"), "count/secrets": quantity("2"),
	}
	for name, c := range map[string]struct {
		quota corev1.ResourceQuota
		want  []string
	}{
		"room":                       {quota("count/configmaps", "10", "3"), nil},
		"one too few":                {quota("count/configmaps", "10", "4"), []string{"small, count/configmaps: needs room for 7 objects, 6 of 10 is left"}},
		"the old name":               {quota("configmaps", "3", "3"), []string{"small, configmaps: needs room for 7 objects, 0 of 3 is left"}},
		"lowered below what is used": {quota("count/configmaps", "3", "5"), []string{"small, count/configmaps: needs room for 7 objects, -2 of 3 is left"}},
		"secrets":                    {quota("count/secrets", "1", "0"), []string{"small, count/secrets: needs room for 2 objects, 1 of 1 is left"}},
		"of other things":            {quota("pods", "0", "0"), nil},
	} {
		if got := shortOfObjects([]corev1.ResourceQuota{c.quota}, need); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
