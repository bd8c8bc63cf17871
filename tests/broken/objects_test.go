package broken_test

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// plurals of the kinds that cases make, with their groups and versions.
var resources = map[string]schema.GroupVersionResource{
	"CustomResourceDefinition":         {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	"ValidatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	"MutatingWebhookConfiguration":     {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	"ValidatingAdmissionPolicy":        {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	"ValidatingAdmissionPolicyBinding": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	"Deployment":                       {Group: "apps", Version: "v1", Resource: "deployments"},
	"Service":                          {Version: "v1", Resource: "services"},
	"Namespace":                        {Version: "v1", Resource: "namespaces"},
	"Secret":                           {Version: "v1", Resource: "secrets"},
	"ConfigMap":                        {Version: "v1", Resource: "configmaps"},
	"ServiceAccount":                   {Version: "v1", Resource: "serviceaccounts"},
	"PersistentVolumeClaim":            {Version: "v1", Resource: "persistentvolumeclaims"},
	"StorageClass":                     {Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
	"ResourceQuota":                    {Version: "v1", Resource: "resourcequotas"},
	"Role":                             {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":                      {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"ClusterRole":                      {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":               {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"Certificate":                      {Group: "cert-manager.io", Version: "v1", Resource: "certificates"},
	"Issuer":                           {Group: "cert-manager.io", Version: "v1", Resource: "issuers"},
	"Module":                           {Group: "kmm.sigs.x-k8s.io", Version: "v1beta1", Resource: "modules"},
	"DaemonSet":                        {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"NetworkPolicy":                    {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
}

func parse(text string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		return nil, fmt.Errorf("%w in\n%s", err, text)
	}
	return o, nil
}

// parseAll reads a stream of documents.
func parseAll(text string) ([]*unstructured.Unstructured, error) {
	var list []*unstructured.Unstructured
	for doc := range strings.SplitSeq("\n"+text, "\n---\n") {
		o, err := parse(doc)
		if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			list = append(list, o)
		}
	}
	return list, nil
}

func at(o *unstructured.Unstructured) dynamic.ResourceInterface {
	return shared.Dynamic.Resource(resources[o.GetKind()]).Namespace(o.GetNamespace())
}

// apply makes an object be as given, whatever it was.
func apply(ctx context.Context, o *unstructured.Unstructured) error {
	return kube.Poll(ctx, o.GetKind()+" "+o.GetName(), func(ctx context.Context) (bool, error) {
		o := o.DeepCopy()
		old, err := at(o).Get(ctx, o.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			_, err = at(o).Create(ctx, o, metav1.CreateOptions{})
		case err != nil:
			return false, err
		case old.GetDeletionTimestamp() != nil:
			return false, nil
		default:
			o.SetResourceVersion(old.GetResourceVersion())
			_, err = at(o).Update(ctx, o, metav1.UpdateOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
			return false, nil // or its definition is not served yet
		}
		return err == nil, err
	})
}

// remove deletes an object and waits until it is gone.
func remove(ctx context.Context, o *unstructured.Unstructured) error {
	return kube.Poll(ctx, o.GetKind()+" "+o.GetName()+" to go", func(ctx context.Context) (bool, error) {
		err := at(o).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
