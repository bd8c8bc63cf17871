package broken_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// addons are cert-manager and KMM as they are when all is well.
type addons struct {
	ctx context.Context
	// issuer has signed the webhooks' certificates; other has not.
	issuer, other *issuer
	// definitions of both; certificates are cert-manager's alone.
	certDefinitions, kmmDefinitions []*unstructured.Unstructured
	// rest is everything else, by kind and name.
	cert, kmm []*unstructured.Unstructured
	installed bool
}

func newAddons(ctx context.Context) (a *addons, err error) {
	a = &addons{ctx: ctx}
	if a.issuer, err = newIssuer(); err != nil {
		return nil, err
	}
	if a.other, err = newIssuer(); err != nil {
		return nil, err
	}
	if a.certDefinitions, err = certDefinitions(); err != nil {
		return nil, err
	}
	if a.kmmDefinitions, err = kmmDefinitions(); err != nil {
		return nil, err
	}
	certURL, err := a.serve(admission(certManager))
	if err != nil {
		return nil, err
	}
	kmmURL, err := a.serve(admission(kernelModules))
	if err != nil {
		return nil, err
	}
	if a.cert, err = parseAll(certManagerObjects(certURL, a.issuer.pem)); err != nil {
		return nil, err
	}
	a.kmm, err = parseAll(kmmObjects("kmm-operator-system", kmmURL, a.issuer.pem, ""))
	return a, err
}

// serve runs a webhook server and returns its URL without a path.
func (a *addons) serve(handler http.Handler) (string, error) {
	cert, err := a.issuer.issue(nil)
	if err != nil {
		return "", err
	}
	address, err := serve(a.ctx, cert, handler)
	return "https://" + address, err
}

// certDefinitions are cert-manager's own.
func certDefinitions() ([]*unstructured.Unstructured, error) {
	dir, err := toolbin.CertManagerDefinitions()
	if err != nil {
		return nil, err
	}
	return definitionsIn(dir)
}

func definitionsIn(dir string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		list, err := parseAll(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// kmmDefinitions are stand-ins for KMM's, with the fields by which its releases
// are reported. hack/kmm-real runs KMM's own.
func kmmDefinitions() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for kind, plural := range map[string]string{
		"Module": "modules", "NodeModulesConfig": "nodemodulesconfigs", "ModuleImagesConfig": "moduleimagesconfigs",
		"ModuleBuildSignConfig": "modulebuildsignconfigs", "PreflightValidation": "preflightvalidations",
	} {
		o, err := parse(standIn(kind, plural, "kmm.sigs.x-k8s.io", "v1beta1", moduleSchema))
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// moduleSchema knows the fields that the chart writes.
const moduleSchema = `{type: object, properties: {spec: {type: object, properties: {
  selector: {type: object, additionalProperties: {type: string}},
  imageRepoSecret: {type: object, x-kubernetes-preserve-unknown-fields: true},
  imageRebuildTriggerGeneration: {type: integer},
  tolerations: {type: array, items: {type: object, x-kubernetes-preserve-unknown-fields: true}},
  moduleLoader: {type: object, properties: {
    serviceAccountName: {type: string},
    container: {type: object, properties: {
      version: {type: string},
      inTreeModulesToRemove: {type: array, items: {type: string}},
      modprobe: {type: object, x-kubernetes-preserve-unknown-fields: true},
      kernelMappings: {type: array, items: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}}}}}`

func standIn(kind, plural, group, version, schema string) string {
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[2]s.%[3]s
  annotations: {api-approved.kubernetes.io: "unapproved, a stand-in"}
spec:
  group: %[3]s
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]s, singular: %[4]s}
  scope: Namespaced
  versions: [{name: %[5]s, served: true, storage: true, schema: {openAPIV3Schema: %[6]s}}]
`, kind, plural, group, strings.ToLower(kind), version, schema)
}

// webhookConfiguration is one with a single webhook, reached by URL: this
// machine's loopback can stand in no EndpointSlice.
func webhookConfiguration(kind, name, webhook, url string, ca []byte, rules, more string) string {
	return fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: %s
metadata:
  name: %s
  %s
webhooks:
  - name: %s
    clientConfig: {url: %q, caBundle: %q}
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    timeoutSeconds: 1
    rules: [%s]
`, kind, name, more, webhook, url, base64.StdEncoding.EncodeToString(ca), rules)
}

func deployment(namespace, name, version, labels string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[2]s
  namespace: %[1]s
  labels: {app.kubernetes.io/version: %[3]s, %[4]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      nodeSelector: {infra: "true"}
      containers: [{name: main, image: "registry.example/%[2]s:%[3]s"}]
`, namespace, name, version, labels)
}

func namespace(name string) string {
	return fmt.Sprintf("\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", name)
}

// certManagerObjects are what cert-manager's chart makes, as far as it matters,
// for a release called certs.
func certManagerObjects(url string, ca []byte) string {
	const inject = "annotations: {cert-manager.io/inject-ca-from-secret: cert-manager/certs-cert-manager-webhook-ca}"
	label := func(name, component string) string {
		return fmt.Sprintf("app.kubernetes.io/name: %s, app.kubernetes.io/component: %s, app.kubernetes.io/instance: certs", name, component)
	}
	return strings.Join([]string{
		namespace("cert-manager"),
		deployment("cert-manager", "certs-cert-manager", "v1.21.2", label("cert-manager", "controller")),
		deployment("cert-manager", "certs-cert-manager-webhook", "v1.21.2", label("webhook", "webhook")),
		deployment("cert-manager", "certs-cert-manager-cainjector", "v1.21.2", label("cainjector", "cainjector")),
		webhookConfiguration("ValidatingWebhookConfiguration", "certs-cert-manager-webhook", "webhook.cert-manager.io", url+"/validate", ca,
			`{apiGroups: [cert-manager.io, acme.cert-manager.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: ["*/*"]}`, inject),
		webhookConfiguration("MutatingWebhookConfiguration", "certs-cert-manager-webhook", "webhook.cert-manager.io", url+"/mutate", ca,
			`{apiGroups: [cert-manager.io], apiVersions: [v1], operations: [CREATE], resources: [certificaterequests]}`, inject),
	}, "\n---\n")
}

// kmmObjects are what KMM's own manifests make; annotations are those of the
// webhook configuration.
func kmmObjects(where, url string, ca []byte, annotations string) string {
	if annotations == "" {
		annotations = fmt.Sprintf("cert-manager.io/inject-ca-from: %s/kmm-operator-serving-cert", where)
	}
	list := []string{
		namespace(where),
		deployment(where, "kmm-operator-controller", "latest", "app.kubernetes.io/name: kmm, control-plane: controller"),
		deployment(where, "kmm-operator-webhook", "latest", "app.kubernetes.io/name: kmm, control-plane: webhook-server"),
		webhookConfiguration("ValidatingWebhookConfiguration", "kmm-operator-validating-webhook-configuration", "vmodule.kb.io", url+"/validate-module", ca,
			`{apiGroups: [kmm.sigs.x-k8s.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [modules]}`,
			"annotations: {"+annotations+"}"),
	}
	if where == "kmm-operator-system" {
		list = append(list, kmmCertificate("True", time.Now().Add(60*24*time.Hour)))
	}
	return strings.Join(list, "\n---\n")
}

func kmmCertificate(ready string, end time.Time) string {
	return fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: kmm-operator-serving-cert, namespace: kmm-operator-system}
spec:
  secretName: kmm-operator-webhook-server-cert
  dnsNames: [kmm-operator-webhook-service.kmm-operator-system.svc]
  issuerRef: {name: kmm-operator-selfsigned-issuer, kind: Issuer}
status:
  notAfter: %q
  conditions: [{type: Ready, status: %q, reason: Told, message: "the issuer is not there", lastTransitionTime: "2026-01-01T00:00:00Z"}]
`, end.UTC().Format(time.RFC3339), ready)
}

// bare takes cert-manager and KMM away.
func bare(t *testing.T) {
	t.Helper()
	if shared.addons.installed {
		removeAll(t, shared.addons.kmm, shared.addons.cert, shared.addons.kmmDefinitions, shared.addons.certDefinitions)
		shared.addons.installed = false
	}
}

// whole makes both be there, as they are when all is well.
func whole(t *testing.T) {
	t.Helper()
	if shared.addons.installed {
		return
	}
	applyAll(t, shared.addons.certDefinitions, shared.addons.kmmDefinitions, shared.addons.cert, shared.addons.kmm)
	shared.addons.installed = true
	for _, where := range []string{"cert-manager", "kmm-operator-system"} {
		err := kube.Poll(t.Context(), "the Deployments of "+where, func(ctx context.Context) (bool, error) {
			list, err := shared.Client.AppsV1().Deployments(where).List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			for i := range list.Items {
				if list.Items[i].Status.AvailableReplicas == 0 {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// applyAll makes all objects of a list be there, then those of the next.
func applyAll(t *testing.T, lists ...[]*unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, list := range lists {
		first := 0
		if len(list) > 0 && list[0].GetKind() == "Namespace" {
			first = 1 // what comes after it lies in it
		}
		together(t, list[:first], func(o *unstructured.Unstructured) error { return put(ctx, o) })
		together(t, list[first:], func(o *unstructured.Unstructured) error { return put(ctx, o) })
	}
}

// together does the same with all objects at once.
func together(t *testing.T, list []*unstructured.Unstructured, do func(*unstructured.Unstructured) error) {
	t.Helper()
	var workers sync.WaitGroup
	errs := make([]error, len(list))
	for i, o := range list {
		workers.Go(func() { errs[i] = do(o) })
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// put applies an object with its status, if it has one.
func put(ctx context.Context, o *unstructured.Unstructured) error {
	if err := apply(ctx, o); err != nil {
		return err
	}
	status, has := o.Object["status"]
	if !has || o.GetKind() == "CustomResourceDefinition" {
		return nil
	}
	return kube.Poll(ctx, "the status of "+o.GetName(), func(ctx context.Context) (bool, error) {
		now, err := at(o).Get(ctx, o.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		now.Object["status"] = status
		_, err = at(o).UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err == nil, nil
	})
}

// removeAll removes what is in the lists, but for namespaces, which take long.
func removeAll(t *testing.T, lists ...[]*unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, list := range lists {
		together(t, list, func(o *unstructured.Unstructured) error {
			if o.GetKind() == "Namespace" {
				return nil
			}
			return remove(ctx, o)
		})
	}
}

// named finds one of the objects of cert-manager or KMM.
func named(t *testing.T, kind, part string) *unstructured.Unstructured {
	t.Helper()
	a := shared.addons
	all := slices.Concat(a.cert, a.kmm, a.certDefinitions, a.kmmDefinitions)
	// A whole name goes first: issuers.cert-manager.io is part of another one.
	for _, matches := range []func(name string) bool{func(name string) bool { return name == part }, func(name string) bool { return strings.Contains(name, part) }} {
		for _, o := range all {
			if o.GetKind() == kind && matches(o.GetName()) {
				return o
			}
		}
	}
	t.Fatalf("there is no %s with %s in its name", kind, part)
	return nil
}

// changed breaks one object for a case, and fixes it afterwards.
func changed(t *testing.T, kind, part string, change func(*unstructured.Unstructured)) {
	t.Helper()
	well := named(t, kind, part)
	broken := well.DeepCopy()
	change(broken)
	applyAll(t, []*unstructured.Unstructured{broken})
	mend(t, well)
}

// gone removes one object for a case.
func gone(t *testing.T, kind, part string) {
	t.Helper()
	well := named(t, kind, part)
	removeAll(t, []*unstructured.Unstructured{well})
	mend(t, well)
}

func mend(t *testing.T, well *unstructured.Unstructured) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := put(ctx, well); err != nil {
			t.Error(err)
		}
	})
}
