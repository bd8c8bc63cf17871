package prereq

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// trial proves a validating webhook by two dry runs: a good object must be
// accepted, and a bad one refused by that very webhook.
type trial struct {
	// webhook is what the API server calls it; what is what people do.
	webhook, what string
	resource      schema.GroupVersionResource
	// good passes and bad fails the webhook; the resource's definition takes both.
	good, bad *unstructured.Unstructured
	// badness says what is wrong with bad.
	badness string
	// pods is a kubectl command that shows the webhook's pods.
	pods string
}

// webhookFault is a way in which a webhook does not answer, told by the API
// server's words.
type webhookFault struct {
	// words are the pieces of text of which one is there.
	words                   []string
	reason, meaning, remedy string
}

// webhookFaults are looked for in this order. A %s in a remedy is the command
// that shows the pods.
var webhookFaults = []webhookFault{
	{
		[]string{"no endpoints available"}, "webhook-no-endpoints", "no pod of %s is ready",
		"Find out why its pods are not ready: %s",
	},
	{
		[]string{`" not found`, "no service port"}, "webhook-service-missing", "the Service of %s does not exist",
		"Install it again: its Service was deleted, or it was installed into another namespace.",
	},
	{
		[]string{"no such host"}, "webhook-unknown-host", "the API server cannot resolve the host of %s",
		"Correct the address in its webhook configuration, or the API server's DNS.",
	},
	{
		[]string{"connection refused"}, "webhook-connection-refused", "nothing listens at the address of %s",
		"Check that its pods run, and that its port is correct: %s",
	},
	{
		[]string{"certificate has expired or is not yet valid"}, "webhook-certificate-expired", "the certificate of %s has expired or is not yet valid",
		"Renew it: restart the webhook's Deployment. Make sure that cert-manager's controller works and that clocks agree.",
	},
	{
		[]string{"certificate is valid for", "cannot validate certificate for", "certificate is not valid for any names"},
		"webhook-certificate-name", "the certificate of %s is for another name",
		"Install it again: its certificate was made for another Service or namespace.",
	},
	{
		[]string{"unknown authority", "failed to verify certificate", "certificate signed by"}, "webhook-ca-untrusted",
		"the API server does not trust the certificate of %s",
		"The CA in the webhook configuration is missing or old: make sure that cert-manager's cainjector runs (on OpenShift the service CA operator).",
	},
	{
		[]string{"context deadline exceeded", "i/o timeout", "Client.Timeout", "deadline exceeded", "Timeout: request did not complete"},
		"webhook-timeout", "%s did not answer in time",
		"The API server must reach it: check firewalls between control plane and nodes (private clusters need a rule for the webhook's port) and network policies. %s",
	},
	{
		[]string{"No agent available", "no route to host", "network is unreachable", "connection reset", "EOF"},
		"webhook-unreachable", "the API server cannot reach %s",
		"Check the network path from the control plane to the nodes (tunnels, firewalls, network policies). %s",
	},
}

// calledWebhook is the name in the API server's messages about a webhook.
var calledWebhook = lazyregexp.New(`(?:failed calling webhook|admission webhook) "([^"]+)"`)

// try makes both dry runs.
func (e *env) try(ctx context.Context, t trial) Finding {
	c, err := e.client()
	if err != nil {
		return unread(t.what, err)
	}
	namespace := e.tryNamespace(ctx, t.good.GetName())
	create := func(o *unstructured.Unstructured) error {
		_, err := c.dynamic.Resource(t.resource).Namespace(namespace).Create(ctx, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsAlreadyExists(err) {
			return nil // Admission comes before storage.
		}
		return err
	}
	if err := create(t.good); err != nil {
		return t.refused(namespace, err)
	}
	err = create(t.bad)
	switch {
	case err == nil:
		return e.acceptedBad(ctx, t)
	case strings.Contains(err.Error(), fmt.Sprintf("admission webhook %q denied", t.webhook)):
		return ok("a good " + t.good.GetKind() + " is accepted and a bad one refused, by dry runs in " + namespace)
	}
	return t.refused(namespace, err)
}

// acceptedBad tells a webhook that nobody has configured from one that sleeps.
func (e *env) acceptedBad(ctx context.Context, t trial) Finding {
	observed := fmt.Sprintf("a %s %s is accepted by a dry run", t.good.GetKind(), t.badness)
	configured, err := e.webhooks(ctx)
	if err != nil {
		return fail("webhook-accepts-bad", observed, "Make sure that the webhook configuration exists and names "+t.webhook+": "+plain(err))
	}
	for _, w := range configured {
		if w.name == t.webhook && !w.mutating {
			return fail("webhook-accepts-bad", observed, "Find out what answers instead of "+t.what+", and its logs: "+t.pods)
		}
	}
	return fail("webhook-not-configured", observed+": no validating webhook "+t.webhook+" is configured",
		"Apply the operator's whole installation again: its definitions alone do nothing.")
}

// refused is the finding for a dry run that failed where it should not have, or
// not by the webhook.
func (t trial) refused(namespace string, err error) Finding {
	text := plain(err)
	if apierrors.IsNotFound(err) {
		return skip("the API server serves no " + t.resource.GroupResource().String() + ": " + text)
	}
	if apierrors.IsForbidden(err) && strings.Contains(text, "cannot create resource") {
		return skip(fmt.Sprintf("no right to create %s in %s, not even by a dry run", t.resource.GroupResource(), namespace))
	}
	if m := calledWebhook().FindStringSubmatch(text); m != nil && m[1] != t.webhook {
		return fail("admission-webhook", text, fmt.Sprintf("The webhook %s does not belong to %s: meet its policy, or ask its owner for an exception.", m[1], t.what))
	}
	if strings.Contains(text, admissionPolicy) {
		return policyFinding(text)
	}
	if strings.Contains(text, "denied the request") {
		return fail("webhook-refuses-good", t.what+" refuses a good "+t.good.GetKind()+": "+text, "Read its logs and restart it: "+t.pods)
	}
	for _, f := range webhookFaults {
		for _, words := range f.words {
			if strings.Contains(err.Error(), words) {
				return fail(f.reason, fmt.Sprintf(f.meaning, t.what)+": "+text, strings.ReplaceAll(f.remedy, "%s", t.pods))
			}
		}
	}
	if apierrors.IsTooManyRequests(err) {
		return unread("what "+t.what+" says", err)
	}
	return fail("webhook-failing", text, "Check its pods and logs: "+t.pods)
}

// admissionPolicy stands in the refusals of a cluster's own policies.
const admissionPolicy = "ValidatingAdmissionPolicy"

func policyFinding(text string) Finding {
	return fail("admission-policy", text, "This is a policy of your cluster: meet it, or ask its owner for an exception.")
}

// tryNamespace is where dry runs are made: the release's namespace, or default
// while that is not there or its name is too long for a Module of this name.
func (e *env) tryNamespace(ctx context.Context, name string) string {
	if len(name)+len(e.Namespace) > kmm.MaxName {
		return metav1.NamespaceDefault
	}
	if _, err := e.namespace(ctx); apierrors.IsNotFound(err) {
		return metav1.NamespaceDefault
	}
	return e.Namespace
}
