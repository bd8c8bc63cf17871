package broken_test

import (
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
)

// hooks are the two operators' webhooks, which fail in the same ways.
var hooks = []struct {
	// check is the one that tries it, configuration a part of its configurations' name.
	check, configuration string
	kinds                []string
	path                 string
	by                   decide
}{
	{"cert-manager.webhook", "cert-manager-webhook", []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}, "/validate", certManager},
	{"kmm.webhook", "kmm-operator-validating", []string{"ValidatingWebhookConfiguration"}, "/validate-module", kernelModules},
}

// client changes where a webhook is called.
func client(fields object) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		list, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
		old := list[0].(object)["clientConfig"].(object)
		if _, has := fields["caBundle"]; !has {
			fields["caBundle"] = old["caBundle"]
		}
		list[0].(object)["clientConfig"] = fields
		o.Object["webhooks"] = list
	}
}

func pem64(i *issuer) string { return base64.StdEncoding.EncodeToString(i.pem) }

func TestEachWayInWhichAWebhookDoesNotWork(t *testing.T) {
	whole(t)
	a := shared.addons
	// refused is a port of loopback on which nobody listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	at := func(handler http.Handler, change func(*x509.Certificate)) func(*testing.T) object {
		return func(t *testing.T) object {
			cert, err := a.issuer.issue(change)
			if err != nil {
				t.Fatal(err)
			}
			address, err := serve(t.Context(), cert, handler)
			if err != nil {
				t.Fatal(err)
			}
			return object{"url": "https://" + address}
		}
	}
	service := func(name string) object {
		return object{"service": object{"name": name, "namespace": "default", "port": int64(443)}}
	}
	for _, hook := range hooks {
		for _, c := range []struct {
			name, reason string
			client       func(*testing.T) object
			// more are findings beside that of the check itself.
			more []string
		}{
			{"no service", "webhook-service-missing", func(*testing.T) object { return service("not-there") }, nil},
			{"no endpoints", "webhook-no-endpoints", func(t *testing.T) object {
				o, err := parse("{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: default}, spec: {selector: {app: none}, ports: [{port: 443}]}}")
				if err != nil {
					t.Fatal(err)
				}
				applyAll(t, []*unstructured.Unstructured{o})
				return service("empty")
			}, nil},
			{"connection refused", "webhook-connection-refused", func(*testing.T) object { return object{"url": "https://" + refused} }, nil},
			{"time-out", "webhook-timeout", at(http.HandlerFunc(silent), nil), nil},
			{"wrong CA", "webhook-ca-untrusted", func(t *testing.T) object {
				fields := at(admission(hook.by), nil)(t)
				fields["caBundle"] = pem64(a.other)
				return fields
			}, nil},
			{"CA not injected", "webhook-ca-untrusted", func(t *testing.T) object {
				fields := at(admission(hook.by), nil)(t)
				fields["caBundle"] = ""
				return fields
			}, []string{map[string]string{"cert-manager.webhook": "cert-manager.ca-injected", "kmm.webhook": "kmm.certificate"}[hook.check] + " error ca-not-injected"}},
			{"expired certificate", "webhook-certificate-expired", at(admission(hook.by), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil},
			{"another name", "webhook-certificate-name", at(admission(hook.by), func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"old-release.svc"} }), nil},
			{"unknown host", "webhook-unknown-host", func(*testing.T) object { return object{"url": "https://webhook.invalid"} }, nil},
			{"refuses everything", "webhook-refuses-good", at(admission(refuseAll), nil), nil},
			{"accepts everything", "webhook-accepts-bad", at(admission(acceptAll), nil), nil},
			{"fails itself", "webhook-failing", at(http.HandlerFunc(failing), nil), nil},
		} {
			t.Run(hook.check+", "+c.name, func(t *testing.T) {
				fields := c.client(t)
				for _, kind := range hook.kinds {
					if url, is := fields["url"].(string); is && strings.Count(url, "/") == 2 {
						fields["url"] = url + hook.path
					}
					changed(t, kind, hook.configuration, client(fields))
				}
				attempt{mode: "kmm"}.finds(t, append(c.more, hook.check+" error "+c.reason)...)
			})
		}
	}
}

func TestABrokenCertManager(t *testing.T) {
	whole(t)
	t.Run("cainjector missing", func(t *testing.T) {
		gone(t, "Deployment", "cainjector")
		attempt{mode: "kmm"}.finds(t, "cert-manager.controllers error deployment-missing")
	})
	t.Run("controller scaled to 0", func(t *testing.T) {
		changed(t, "Deployment", "certs-cert-manager", func(o *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(o.Object, int64(0), "spec", "replicas")
		})
		attempt{mode: "kmm"}.finds(t, "cert-manager.controllers error deployment-unavailable")
	})
	t.Run("webhook's pods cannot be scheduled", func(t *testing.T) {
		// Another name, since a rolling update keeps the old pod.
		gone(t, "Deployment", "cert-manager-webhook")
		broken := named(t, "Deployment", "cert-manager-webhook").DeepCopy()
		broken.SetName("stuck-webhook")
		_ = unstructured.SetNestedStringMap(broken.Object, map[string]string{"nowhere": "true"}, "spec", "template", "spec", "nodeSelector")
		applyAll(t, []*unstructured.Unstructured{broken})
		t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{broken}) })
		attempt{mode: "kmm"}.finds(t, "cert-manager.controllers error deployment-unavailable")
	})
	t.Run("upgraded half way", func(t *testing.T) {
		changed(t, "Deployment", "cainjector", func(o *unstructured.Unstructured) {
			labels := o.GetLabels()
			labels["app.kubernetes.io/version"] = "v1.19.0"
			o.SetLabels(labels)
		})
		attempt{mode: "kmm"}.finds(t, "cert-manager.version warning versions-mixed")
	})
	t.Run("a definition missing", func(t *testing.T) {
		gone(t, "CustomResourceDefinition", "challenges.acme")
		attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error definitions-missing")
	})
	t.Run("a definition does not serve v1", func(t *testing.T) {
		changed(t, "CustomResourceDefinition", "orders.acme", func(o *unstructured.Unstructured) {
			list, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
			list[0].(object)["served"] = false
			o.Object["spec"].(object)["versions"] = list
		})
		attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error definitions-not-served")
	})
	// The rest of cert-manager's API is there, and KMM's certificate cannot be looked at.
	t.Run("certificates alone do not serve v1", func(t *testing.T) {
		changed(t, "CustomResourceDefinition", "certificates.cert-manager", func(o *unstructured.Unstructured) {
			list, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
			list[0].(object)["served"] = false
			o.Object["spec"].(object)["versions"] = list
		})
		report := attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error definitions-not-served")
		at := slices.IndexFunc(report.Findings, func(f prereq.Finding) bool { return f.ID == "kmm.certificate" })
		if at < 0 || report.Findings[at].Result != prereq.Skipped || report.Findings[at].Observed != "depends on cert-manager.definitions" {
			t.Errorf("%+v", report.Findings)
		}
	})
	t.Run("no validating webhook configuration", func(t *testing.T) {
		gone(t, "ValidatingWebhookConfiguration", "cert-manager-webhook")
		attempt{mode: "kmm"}.finds(t, "cert-manager.ca-injected error webhook-configuration-missing", "cert-manager.webhook error webhook-not-configured")
	})
	t.Run("the CA has ended", func(t *testing.T) {
		old, err := newIssuer()
		if err != nil {
			t.Fatal(err)
		}
		template := *old.cert
		template.NotAfter = time.Now().Add(-time.Hour)
		if old.pem, err = old.reissue(&template); err != nil {
			t.Fatal(err)
		}
		changed(t, "MutatingWebhookConfiguration", "cert-manager-webhook", func(o *unstructured.Unstructured) {
			list, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
			list[0].(object)["clientConfig"].(object)["caBundle"] = pem64(old)
			o.Object["webhooks"] = list
		})
		attempt{mode: "kmm"}.finds(t, "cert-manager.ca-injected error ca-expired", "cert-manager.webhook error webhook-ca-untrusted")
	})
}

func TestABrokenKMM(t *testing.T) {
	whole(t)
	t.Run("no webhook configuration", func(t *testing.T) {
		gone(t, "ValidatingWebhookConfiguration", "kmm-operator")
		attempt{mode: "kmm"}.finds(t, "kmm.webhook error webhook-not-configured", "kmm.certificate error webhook-configuration-missing")
	})
	t.Run("no controller", func(t *testing.T) {
		gone(t, "Deployment", "kmm-operator-controller")
		attempt{mode: "kmm"}.finds(t, "kmm.controller error deployment-missing")
	})
	t.Run("webhook scaled to 0", func(t *testing.T) {
		changed(t, "Deployment", "kmm-operator-webhook", func(o *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(o.Object, int64(0), "spec", "replicas")
		})
		attempt{mode: "kmm"}.finds(t, "kmm.controller error deployment-unavailable")
	})
	t.Run("found by name where labels are not", func(t *testing.T) {
		for _, part := range []string{"kmm-operator-controller", "kmm-operator-webhook"} {
			changed(t, "Deployment", part, func(o *unstructured.Unstructured) { o.SetLabels(nil) })
		}
		attempt{mode: "kmm"}.finds(t)
	})
	t.Run("a definition missing", func(t *testing.T) {
		gone(t, "CustomResourceDefinition", "nodemodulesconfigs")
		attempt{mode: "kmm"}.finds(t, "kmm.definitions error definitions-missing")
	})
	for _, c := range []struct {
		name, ready string
		end         time.Time
		want        string
	}{
		{"the certificate is not ready", "False", time.Now().Add(60 * 24 * time.Hour), "kmm.certificate error certificate-not-ready"},
		{"the certificate has ended", "False", time.Now().Add(-time.Hour), "kmm.certificate error certificate-expired"},
		{"the certificate is not renewed", "True", time.Now().Add(2 * 24 * time.Hour), "kmm.certificate warning certificate-expires-soon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed(t, "Certificate", "kmm-operator", func(o *unstructured.Unstructured) {
				other, err := parse(kmmCertificate(c.ready, c.end))
				if err != nil {
					t.Fatal(err)
				}
				o.Object["status"] = other.Object["status"]
			})
			attempt{mode: "kmm"}.finds(t, c.want)
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		gone(t, "Certificate", "kmm-operator")
		attempt{mode: "kmm"}.finds(t, "kmm.certificate warning certificate-missing")
	})
	t.Run("the rendered Module is refused", func(t *testing.T) {
		// A policy of the cluster's owner, which has nothing against our trials.
		cert, err := shared.addons.issuer.issue(nil)
		if err != nil {
			t.Fatal(err)
		}
		address, err := serve(t.Context(), cert, admission(func(_ string, raw []byte) string {
			if strings.Contains(string(raw), shared.images.host) {
				return "images of this registry are not allowed"
			}
			return ""
		}))
		if err != nil {
			t.Fatal(err)
		}
		o, err := parse(webhookConfiguration("ValidatingWebhookConfiguration", "policy", "images.policy.example", "https://"+address+"/", shared.addons.issuer.pem,
			`{apiGroups: [kmm.sigs.x-k8s.io], apiVersions: [v1beta1], operations: [CREATE], resources: [modules]}`, ""))
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, []*unstructured.Unstructured{o})
		t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{o}) })
		attempt{mode: "kmm"}.finds(t, "kmm.module error module-refused")
	})
	t.Run("somebody else's webhook stands in the way", func(t *testing.T) {
		cert, err := shared.addons.issuer.issue(nil)
		if err != nil {
			t.Fatal(err)
		}
		address, err := serve(t.Context(), cert, admission(refuseAll))
		if err != nil {
			t.Fatal(err)
		}
		o, err := parse(webhookConfiguration("ValidatingWebhookConfiguration", "policy", "all.policy.example", "https://"+address+"/", shared.addons.issuer.pem,
			`{apiGroups: [kmm.sigs.x-k8s.io], apiVersions: [v1beta1], operations: [CREATE], resources: [modules]}`, ""))
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, []*unstructured.Unstructured{o})
		t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{o}) })
		attempt{mode: "kmm"}.finds(t, "kmm.webhook error admission-webhook")
	})
}

func TestAPolicyOfTheClusterStandsInTheWay(t *testing.T) {
	whole(t)
	list, err := parseAll(`
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: strict}, spec: {
  matchConstraints: {resourceRules: [
    {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]},
    {apiGroups: [kmm.sigs.x-k8s.io], apiVersions: [v1beta1], operations: [CREATE], resources: [modules]}]},
  validations: [{expression: "has(object.metadata.labels) && 'team' in object.metadata.labels", message: "a team label is needed"}]}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: strict}, spec: {
  policyName: strict, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {strict: "true"}}}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	where := shared.Namespace(t, "")
	ns, err := shared.Client.CoreV1().Namespaces().Get(t.Context(), where, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ns.Labels["strict"] = "true"
	if _, err := shared.Client.CoreV1().Namespaces().Update(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	applyAll(t, list)
	t.Cleanup(func() { removeAll(t, list) })
	attempt{mode: "kmm", namespace: where}.finds(t, "namespace.admits-kmm error admission-policy",
		"namespace.admits-kmm-workers error admission-policy", "kmm.webhook error admission-policy")
}

// without takes fields out of the definition of Module, as an older KMM has it.
func without(t *testing.T, paths ...string) {
	t.Helper()
	changed(t, "CustomResourceDefinition", "modules.kmm", func(o *unstructured.Unstructured) {
		versions, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
		for _, path := range paths {
			at := versions[0].(object)["schema"].(object)["openAPIV3Schema"].(object)
			steps := strings.Split(path, ".")
			for _, step := range steps[:len(steps)-1] {
				at = at["properties"].(object)[step].(object)
				if items, is := at["items"].(object); is {
					at = items
				}
			}
			delete(at["properties"].(object), steps[len(steps)-1])
			// A rule about the field would not compile any more.
			delete(at, "x-kubernetes-validations")
		}
		o.Object["spec"].(object)["versions"] = versions
	})
}

func TestAnOldKMMIsToldByItsDefinition(t *testing.T) {
	whole(t)
	const tree = "spec.moduleLoader.container.inTreeModulesToRemove"
	newer := []string{"spec.dra", "spec.imageRebuildTriggerGeneration"}
	t.Run("2.4 has all that is needed", func(t *testing.T) {
		without(t, newer...)
		report := attempt{mode: "kmm"}.finds(t)
		for _, f := range report.Findings {
			if f.ID == "kmm.version" && !strings.Contains(f.Observed, "2.4 or 2.5") {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("2.2 knows no tolerations", func(t *testing.T) {
		gone(t, "CustomResourceDefinition", "moduleimagesconfigs")
		gone(t, "CustomResourceDefinition", "modulebuildsignconfigs")
		without(t, append(newer, "spec.tolerations")...)
		report := attempt{mode: "kmm"}.finds(t, "kmm.version warning kmm-without-tolerations")
		if text := words(report); !strings.Contains(text, "KMM 2.1 or 2.2") || !strings.Contains(text, "spec.tolerations (KMM 2.3 has it)") {
			t.Error(text)
		}
	})
	t.Run("2.0 lacks what the values set", func(t *testing.T) {
		gone(t, "CustomResourceDefinition", "moduleimagesconfigs")
		gone(t, "CustomResourceDefinition", "modulebuildsignconfigs")
		without(t, append(newer, "spec.tolerations", tree, "spec.imageRepoSecret")...)
		report := attempt{mode: "kmm", kernelModule: object{"imageRepoSecret": "pull"}, args: []string{"--skip", "references"}}.finds(t, "kmm.version error kmm-too-old")
		if text := words(report); !strings.Contains(text, "KMM 2.0 or older") || !strings.Contains(text, "spec.imageRepoSecret") {
			t.Error(text)
		}
	})
}
