package prereq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// maxStored is how many modules the controller keeps in ConfigMaps.
const maxStored = 64

func supplyStore(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	c, err := e.client()
	if err != nil {
		return unread("the store", err)
	}
	own, err := c.core.ConfigMaps(e.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set(e.supplyNames().Labels()).String()})
	if err != nil {
		return unseen("the ConfigMaps of "+e.Namespace, err)
	}
	var place Finding
	switch k.Supply.Store.Type {
	case valuesschema.StoreURL:
		place = skip("the store is " + k.Supply.Store.URL + ", which the controller writes with its own login")
	case valuesschema.StoreClaim:
		place = e.claim(ctx, k.Supply.Store.PersistentVolumeClaim.ExistingClaim)
	default:
		place = storedFinding(stored(e.supplyNames(), own.Items))
	}
	if place.Result == Error || place.Result == Warning {
		return place
	}
	quotas, err := c.core.ResourceQuotas(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		place.Details = append(place.Details, "not looked at: the quotas of "+e.Namespace+": "+plain(err))
		return place
	}
	short := shortOfObjects(quotas.Items, e.objectsToMake(ctx, k, own.Items))
	if len(short) > 0 {
		return fail("quota-exceeded", "a ResourceQuota of "+e.Namespace+" leaves no room for what the controller stores",
			"Raise the quota, or store the modules in a bucket or registry: set its address in tap.kernelModule.supply.store.url, and store.type to url.", short...)
	}
	return place
}

// stored counts the modules among the controller's ConfigMaps.
func stored(names supply.Names, own []corev1.ConfigMap) int {
	n := 0
	for i := range own {
		if names.IsModule(own[i].Name) {
			n++
		}
	}
	return n
}

func storedFinding(n int) Finding {
	if n >= maxStored {
		return fail("store-full", fmt.Sprintf("there are %d modules, and ConfigMaps can hold %d", n, maxStored),
			"Set tap.kernelModule.supply.store.type to persistentVolumeClaim or url, or lower supply.keep.")
	}
	return ok(fmt.Sprintf("%d of %d modules", n, maxStored))
}

// claim looks at the claim of the values, or at that of the chart once it is there.
func (e *env) claim(ctx context.Context, existing string) Finding {
	c, err := e.client()
	if err != nil {
		return unread("the store", err)
	}
	name := existing
	if name == "" {
		name = e.supplyNames().Public
	}
	claim, err := c.core.PersistentVolumeClaims(e.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && existing == "":
		return skip("the chart creates the claim")
	case apierrors.IsNotFound(err):
		return fail("claim-missing", "PersistentVolumeClaim "+name+" not found in namespace "+e.Namespace, "Create it, or remove supply.store.persistentVolumeClaim.existingClaim: the chart then creates one.")
	case err != nil:
		return unseen("the claim "+name, err)
	}
	return judgeClaim(claim, func(class string) (storagev1.VolumeBindingMode, error) {
		found, err := c.dynamic.Resource(storagev1.SchemeGroupVersion.WithResource("storageclasses")).Get(ctx, class, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		mode, _, _ := unstructured.NestedString(found.Object, "volumeBindingMode")
		return storagev1.VolumeBindingMode(mode), nil
	})
}

// judgeClaim says whether a controller that mounts the claim starts. binding is
// asked for a StorageClass only where that matters.
func judgeClaim(claim *corev1.PersistentVolumeClaim, binding func(class string) (storagev1.VolumeBindingMode, error)) Finding {
	describe := "kubectl -n " + claim.Namespace + " describe pvc " + claim.Name
	switch {
	case claim.DeletionTimestamp != nil:
		return fail("claim-deleting", "the claim "+claim.Name+" is being deleted", "Wait until it is deleted and create it again, or name another claim in supply.store.persistentVolumeClaim.existingClaim.")
	case claim.Status.Phase == corev1.ClaimBound:
		return ok("the claim " + claim.Name + " is bound")
	case claim.Status.Phase == corev1.ClaimLost:
		return fail("claim-lost", "the claim "+claim.Name+" has lost its volume "+claim.Spec.VolumeName,
			"Delete the claim and create it again. The controller then builds the modules again: those on the lost volume cannot be recovered.")
	}
	if claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName == "" {
		return fail("claim-pending", "the claim "+claim.Name+" waits for a volume: it has no StorageClass",
			"Create the claim again with a StorageClass (kubectl get storageclass), or create a PersistentVolume that fits it.")
	}
	class := *claim.Spec.StorageClassName
	mode, err := binding(class)
	switch {
	case apierrors.IsNotFound(err):
		return fail("claim-pending", "the claim "+claim.Name+" waits for a volume: no StorageClass "+class, "Create the StorageClass, or create the claim again with another one (kubectl get storageclass).")
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return unread("the StorageClass "+class, err)
	case err != nil:
		return warn("claim-pending", "the claim "+claim.Name+" waits for a volume; its StorageClass "+class+" cannot be read: "+plain(err),
			"If its volumeBindingMode is WaitForFirstConsumer, this is normal until the controller runs. Otherwise run: "+describe)
	case mode == storagev1.VolumeBindingWaitForFirstConsumer:
		return ok("the claim " + claim.Name + " gets its volume when the controller first uses it")
	}
	return fail("claim-pending", "the claim "+claim.Name+" waits for a volume of StorageClass "+class, "Find out why no volume is provisioned: "+describe)
}

// objectsToMake counts what the chart and the controller are still to make, by
// the names that quotas have for it. own are the controller's ConfigMaps.
func (e *env) objectsToMake(ctx context.Context, k valuesschema.KernelModule, own []corev1.ConfigMap) map[corev1.ResourceName]resource.Quantity {
	names := e.supplyNames()
	there := map[string]bool{}
	for i := range own {
		there[own[i].Name] = true
	}
	configMaps, secrets := 0, 0
	for _, name := range []string{names.Public, names.Index, names.Status} {
		if !there[name] {
			configMaps++
		}
	}
	if !there[names.Public] { // then the controller has not run yet
		configMaps++ // its settings, which the chart makes
		secrets = 1
		if k.Supply.SigningKeySecret == "" {
			secrets++
		}
	}
	if k.Supply.Store.Type != valuesschema.StoreURL && k.Supply.Store.Type != valuesschema.StoreClaim {
		configMaps += e.modulesToBuild(ctx, k)
	}
	need := map[corev1.ResourceName]resource.Quantity{}
	count := func(n int, names ...corev1.ResourceName) {
		for _, name := range names {
			need[name] = *resource.NewQuantity(int64(n), resource.DecimalSI)
		}
	}
	count(configMaps, corev1.ResourceConfigMaps, "count/configmaps")
	count(secrets, corev1.ResourceSecrets, "count/secrets")
	return need
}

// modulesToBuild counts the kernels whose module is still to be built.
func (e *env) modulesToBuild(ctx context.Context, k valuesschema.KernelModule) int {
	report, failed := e.judged(ctx, k)
	if failed != nil {
		if report, failed = e.judgedWithout(ctx, k); failed != nil {
			return 0
		}
	}
	kernels, seen := map[string]bool{}, map[string]bool{}
	for _, n := range report.Nodes {
		seen[n.Kernel] = true
		if n.Supported == verdict.WillBeBuilt {
			kernels[n.Kernel+" "+n.Arch] = true
		}
	}
	for _, release := range k.Supply.Kernels {
		if !seen[release] {
			kernels[release] = true
		}
	}
	return len(kernels)
}

// shortOfObjects says which quotas do not have room for as many objects.
func shortOfObjects(quotas []corev1.ResourceQuota, need map[corev1.ResourceName]resource.Quantity) []string {
	var short []string
	for i := range quotas {
		q := &quotas[i]
		for _, name := range slices.Sorted(maps.Keys(need)) {
			hard, limited := q.Status.Hard[name]
			if !limited {
				continue
			}
			left, wanted := hard.DeepCopy(), need[name]
			if left.Sub(q.Status.Used[name]); wanted.Cmp(left) > 0 {
				short = append(short, fmt.Sprintf("%s, %s: needs room for %s, %s of %s is left", q.Name, name, text.Count(int(wanted.Value()), "object"), left.String(), hard.String()))
			}
		}
	}
	return short
}
