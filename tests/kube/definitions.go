package kube

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// definition is a resource of KMM or cert-manager.
type definition struct {
	kind, plural, group, version string
	clusterScoped                bool
}

// definitions are those that KMM and cert-manager bring.
func definitions() []definition {
	const kmm, certs, acme = "kmm.sigs.x-k8s.io", "cert-manager.io", "acme.cert-manager.io"
	return []definition{
		{"Module", "modules", kmm, "v1beta1", false},
		{"NodeModulesConfig", "nodemodulesconfigs", kmm, "v1beta1", true},
		{"ModuleImagesConfig", "moduleimagesconfigs", kmm, "v1beta1", false},
		{"ModuleBuildSignConfig", "modulebuildsignconfigs", kmm, "v1beta1", false},
		{"PreflightValidation", "preflightvalidations", kmm, "v1beta2", true},
		{"Certificate", "certificates", certs, "v1", false},
		{"CertificateRequest", "certificaterequests", certs, "v1", false},
		{"Issuer", "issuers", certs, "v1", false},
		{"ClusterIssuer", "clusterissuers", certs, "v1", true},
		{"Order", "orders", acme, "v1", false},
		{"Challenge", "challenges", acme, "v1", false},
	}
}

// AddDefinitions adds the resources of KMM and cert-manager to the API, and
// waits until they are served. They take anything, and no controller stands
// behind them.
func (c *Cluster) AddDefinitions(ctx context.Context) error {
	crds := c.Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, d := range definitions() {
		if _, err := crds.Create(ctx, d.object(), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("defining %s: %w", d.kind, err)
		}
	}
	for _, d := range definitions() {
		resource := c.Dynamic.Resource(schema.GroupVersionResource{Group: d.group, Version: d.version, Resource: d.plural})
		if err := Poll(ctx, "the API of "+d.kind, func(ctx context.Context) (bool, error) {
			_, err := resource.List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (d definition) object() *unstructured.Unstructured {
	scope := "Namespaced"
	if d.clusterScoped {
		scope = "Cluster"
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name": d.plural + "." + d.group,
			// The API asks for this where a group ends in k8s.io.
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, a stand-in"},
		},
		"spec": map[string]any{
			"group": d.group, "scope": scope,
			"names": map[string]any{"kind": d.kind, "listKind": d.kind + "List", "plural": d.plural, "singular": strings.ToLower(d.kind)},
			"versions": []any{map[string]any{
				"name": d.version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}
