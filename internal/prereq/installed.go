package prereq

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	definitions        = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	deployments        = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	validatingWebhooks = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	mutatingWebhooks   = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
)

// definition reads a CustomResourceDefinition; nil if there is none of the name.
// One is asked for at a time, since all of a cluster's together weigh megabytes.
func (e *env) definition(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	return fact(e, "definition "+name, func() (*unstructured.Unstructured, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		crd, err := c.dynamic.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return crd, err
	})
}

// wantedDefinition is a definition by name, and the version that it must serve.
type wantedDefinition struct{ name, version string }

// Words of what is wrong with a definition, by which the remedy goes.
const (
	deletedWords  = " is being deleted"
	unservedWords = " does not serve "
)

// defined tells of definitions what is wrong with each, and how many there are.
func (e *env) defined(ctx context.Context, wanted []wantedDefinition) (missing, broken []string, err error) {
	for _, w := range wanted {
		crd, err := e.definition(ctx, w.name)
		switch {
		case err != nil:
			return nil, nil, err
		case crd == nil:
			missing = append(missing, w.name)
		case crd.GetDeletionTimestamp() != nil:
			broken = append(broken, w.name+deletedWords)
		case conditionOf(crd, "Established") != "True":
			broken = append(broken, w.name+" is not established: "+conditionMessage(crd, "NamesAccepted"))
		case !serves(crd, w.version):
			broken = append(broken, w.name+unservedWords+w.version)
		}
	}
	return missing, broken, nil
}

func serves(crd *unstructured.Unstructured, version string) bool {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	return slices.ContainsFunc(versions, func(v any) bool {
		m, _ := v.(map[string]any)
		return m["name"] == version && m["served"] == true
	})
}

// conditionOf is the status of one of an object's conditions, or "".
func conditionOf(o *unstructured.Unstructured, kind string) string {
	return condition(o, kind, "status")
}

func conditionMessage(o *unstructured.Unstructured, kind string) string {
	if text := condition(o, kind, "message"); text != "" {
		return text
	}
	return "the API server does not serve it yet"
}

func condition(o *unstructured.Unstructured, kind, field string) string {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range list {
		if m, _ := c.(map[string]any); m["type"] == kind {
			text, _ := m[field].(string)
			return text
		}
	}
	return ""
}

// deployments lists those of all namespaces, or of one, that have the labels.
func (e *env) deployments(ctx context.Context, namespace, selector string) ([]appsv1.Deployment, error) {
	return fact(e, "deployments "+namespace+" "+selector, func() ([]appsv1.Deployment, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		list, err := c.dynamic.Resource(deployments).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, err
		}
		found := make([]appsv1.Deployment, len(list.Items))
		for i := range list.Items {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &found[i]); err != nil {
				return nil, fmt.Errorf("cannot read the Deployment %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err)
			}
		}
		return found, nil
	})
}

// webhook is one entry of a webhook configuration.
type webhook struct {
	name, configuration string
	labels              map[string]string
	mutating            bool
	// bundle is the CA in PEM; injected says that something is to put it there.
	bundle            []byte
	service, injected bool
}

// webhooks reads all webhook configurations.
func (e *env) webhooks(ctx context.Context) ([]webhook, error) {
	return fact(e, "webhooks", func() ([]webhook, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		var all []webhook
		for _, resource := range []schema.GroupVersionResource{validatingWebhooks, mutatingWebhooks} {
			list, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, err
			}
			for i := range list.Items {
				all = append(all, webhooksOf(&list.Items[i], resource == mutatingWebhooks)...)
			}
		}
		return all, nil
	})
}

func webhooksOf(o *unstructured.Unstructured, mutating bool) []webhook {
	var all []webhook
	injected := false
	for key := range o.GetAnnotations() {
		injected = injected || strings.HasPrefix(key, "cert-manager.io/inject-") || key == "service.beta.openshift.io/inject-cabundle"
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		w := webhook{configuration: o.GetName(), labels: o.GetLabels(), mutating: mutating, injected: injected}
		w.name, _, _ = unstructured.NestedString(m, "name")
		_, w.service, _ = unstructured.NestedMap(m, "clientConfig", "service")
		encoded, _, _ := unstructured.NestedString(m, "clientConfig", "caBundle")
		// The API server has checked the form.
		w.bundle, _ = base64.StdEncoding.DecodeString(encoded)
		all = append(all, w)
	}
	return all
}

// bundleFault says what is wrong with a webhook's CA, and by which reason.
func (w webhook) bundleFault(now time.Time) (reason, text string) {
	if len(w.bundle) == 0 {
		if w.service || w.injected {
			return "ca-not-injected", w.configuration + " has no CA for " + w.name
		}
		return "", "" // A URL whose certificate the system's CAs may have signed.
	}
	for rest := w.bundle; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = next
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && now.Before(cert.NotAfter) {
			return "", ""
		}
		if err == nil {
			reason, text = "ca-expired", fmt.Sprintf("the CA in %s expired on %s", w.configuration, cert.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	if reason == "" {
		return "ca-not-injected", "the CA in " + w.configuration + " is not a certificate"
	}
	return reason, text
}
