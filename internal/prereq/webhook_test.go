package prereq

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// The texts are those of API servers from 1.25 on, which change their words.
func TestAWebhooksFaultIsToldByTheAPIServersWords(t *testing.T) {
	ofKMM := trial{webhook: kmm.Webhook, what: "KMM's webhook", resource: modules, good: tryModule(nil), pods: "kubectl get pods"}
	const post = `Internal error occurred: failed calling webhook "vmodule.kb.io": failed to call webhook: Post "https://kmm-operator-webhook-service.kmm.svc:443/validate?timeout=10s": `
	for text, want := range map[string]string{
		post + `no endpoints available for service "kmm-operator-webhook-service"`:                                    "webhook-no-endpoints",
		post + `service "kmm-operator-webhook-service" not found`:                                                     "webhook-service-missing",
		post + `no service port 443 found for service "kmm-operator-webhook-service"`:                                 "webhook-service-missing",
		post + `dial tcp 10.96.3.4:443: connect: connection refused`:                                                  "webhook-connection-refused",
		post + `context deadline exceeded`:                                                                            "webhook-timeout",
		post + `net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting)`:     "webhook-timeout",
		post + `dial tcp 10.0.0.7:9443: i/o timeout`:                                                                  "webhook-timeout",
		post + `x509: certificate signed by unknown authority`:                                                        "webhook-ca-untrusted",
		post + `tls: failed to verify certificate: x509: certificate signed by unknown authority`:                     "webhook-ca-untrusted",
		post + `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time …`: "webhook-certificate-expired",
		post + `x509: certificate is valid for a.svc, not kmm-operator-webhook-service.kmm.svc`:                       "webhook-certificate-name",
		post + `tls: failed to verify certificate: x509: cannot validate certificate for 10.0.0.1`:                    "webhook-certificate-name",
		post + `dial tcp: lookup webhook.example on 10.96.0.10:53: no such host`:                                      "webhook-unknown-host",
		post + `No agent available`:                                "webhook-unreachable",
		post + `dial tcp 10.0.0.7:9443: connect: no route to host`: "webhook-unreachable",
		post + `EOF`: "webhook-unreachable",
		`admission webhook "vmodule.kb.io" denied the request: not today`:                                               "webhook-refuses-good",
		`Internal error occurred: failed calling webhook "other.policy.io": failed to call webhook: connection refused`: "admission-webhook",
		`admission webhook "other.policy.io" denied the request: no`:                                                    "admission-webhook",
		`modules "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`:                   "admission-policy",
		`something that nobody has seen`:                                                                                "webhook-failing",
	} {
		f := ofKMM.refused("ns", errors.New(text))
		if f.Reason != want || f.Result != Error || !strings.Contains(f.Remedy, " ") || strings.Contains(f.Remedy+f.Observed, "%") {
			t.Errorf("%s\n%+v, want %s", text, f, want)
		}
	}
	resource := schema.GroupResource{Group: kmm.Group, Resource: "modules"}
	for name, err := range map[string]error{
		"no right":      apierrors.NewForbidden(resource, "x", errors.New(`User "u" cannot create resource "modules"`)),
		"not served":    apierrors.NewNotFound(resource, "x"),
		"not its place": &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource"}},
	} {
		if f := ofKMM.refused("ns", err); f.Result != Skipped {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestFieldsThatADefinitionDoesNotKnow(t *testing.T) {
	text := func() map[string]any { return map[string]any{"type": "string"} }
	known := map[string]any{"properties": map[string]any{
		"name": text(),
		"any":  map[string]any{"x-kubernetes-preserve-unknown-fields": true},
		"map":  map[string]any{"additionalProperties": text()},
		"list": map[string]any{"items": map[string]any{"properties": map[string]any{"a": text()}}},
	}}
	value := map[string]any{
		"name": "n", "new": "x", "any": map[string]any{"what": "ever"}, "map": map[string]any{"key": "v"},
		"list": []any{map[string]any{"a": "1"}, map[string]any{"b": "2"}},
	}
	got := unknownFields(value, known, "spec")
	if len(got) != 2 || !strings.Contains(strings.Join(got, " "), "spec.new") || !strings.Contains(strings.Join(got, " "), "spec.list.b") {
		t.Errorf("%v", got)
	}
}

func TestTheVersionOfKMMByWhatItsDefinitionKnows(t *testing.T) {
	for want, c := range map[string]struct {
		fields []string
		images bool
	}{
		"newer than 2.6": {[]string{"dra", "imageRebuildTriggerGeneration", "tolerations"}, true},
		"2.6":            {[]string{"imageRebuildTriggerGeneration", "tolerations"}, true},
		"2.4 or 2.5":     {[]string{"tolerations"}, true},
		"2.3":            {[]string{"tolerations"}, false},
		"2.0 or older":   {nil, false},
	} {
		properties := map[string]any{}
		for _, f := range c.fields {
			properties[f] = map[string]any{"type": "object"}
		}
		known := map[string]any{"properties": map[string]any{"spec": map[string]any{"properties": properties}}}
		if got := kmmFingerprint(known, c.images); got != want {
			t.Errorf("%v, %v: %s, want %s", c.fields, c.images, got, want)
		}
	}
}
