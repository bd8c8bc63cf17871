package prereq

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

const (
	certManagerWebhook = "webhook.cert-manager.io"
	certManagerInstall = "Install cert-manager, which KMM needs for its webhook's certificate: https://cert-manager.io/docs/installation/"
	certManagerPods    = "kubectl get pods -A -l 'app.kubernetes.io/component in (controller,webhook,cainjector)'"
)

var certificateRequests = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificaterequests"}

func certManagerChecks() []Check {
	defined := []string{"cert-manager.definitions"}
	return []Check{
		{
			ID: "cert-manager.definitions", Mode: ModeKMM, Title: "cert-manager's API is there", Needs: []string{"api.reachable"},
			Why:     "KMM's webhook gets its certificate from cert-manager; on OpenShift from the platform.",
			Settles: true, limit: webhookLimit, look: certManagerDefined,
		},
		{
			ID: "cert-manager.controllers", Mode: ModeKMM, Title: "cert-manager runs", Needs: defined,
			Why:     "The controller issues KMM's certificate, and the cainjector makes the API server trust it.",
			Settles: true, look: certManagerRuns,
		},
		{
			ID: "cert-manager.version", Mode: ModeKMM, Title: "cert-manager has one version", Needs: []string{"cert-manager.controllers"},
			Why:  "Components of different versions mean that an upgrade stopped half way.",
			look: certManagerVersion,
		},
		{
			ID: "cert-manager.ca-injected", Mode: ModeKMM, Title: "the API server has the CA of cert-manager's webhook", Needs: defined,
			Why:     "Without it the API server refuses every object of cert-manager, including KMM's Certificate.",
			Settles: true, look: certManagerInjected,
		},
		{
			ID: "cert-manager.webhook", Mode: ModeKMM, Title: "cert-manager's webhook works", Needs: defined,
			Why:     "A webhook that does not answer blocks everything, and one that accepts everything hides mistakes.",
			Settles: true, limit: webhookLimit, look: certManagerDryRun,
		},
	}
}

func certManagerDefinitions() []wantedDefinition {
	var wanted []wantedDefinition
	for _, name := range []string{
		"certificates.cert-manager.io", "certificaterequests.cert-manager.io", "issuers.cert-manager.io",
		"clusterissuers.cert-manager.io", "orders.acme.cert-manager.io", "challenges.acme.cert-manager.io",
	} {
		wanted = append(wanted, wantedDefinition{name, "v1"})
	}
	return wanted
}

func certManagerDefined(ctx context.Context, e *env) Finding {
	addons, err := e.addons(ctx)
	if err != nil {
		return unread("the API groups", err)
	}
	if addons.OpenShift {
		return skip("OpenShift gives KMM's webhook its certificate; cert-manager is not needed")
	}
	wanted := certManagerDefinitions()
	missing, broken, err := e.defined(ctx, wanted)
	if err != nil {
		return unread("cert-manager's resource definitions", err)
	}
	if len(missing) == len(wanted) {
		if e.underOLM(ctx) {
			return skip("KMM is installed by OLM, which gives its webhook the certificate; cert-manager is not needed")
		}
		if kmmDryRun(ctx, e).Result == OK {
			return skip("KMM's webhook works with a certificate that is not cert-manager's; cert-manager is not needed")
		}
		return fail("cert-manager-missing", "cert-manager is not installed", certManagerInstall)
	}
	return definitionsFinding(len(wanted), missing, broken, "cert-manager", certManagerInstall)
}

// definitionsFinding is that for the definitions of an operator of which there
// is something.
func definitionsFinding(wanted int, missing, broken []string, of, install string) Finding {
	switch {
	case len(missing) > 0:
		return fail("definitions-missing", fmt.Sprintf("%d of %s's %s %s not there", len(missing), of, text.CountOrNo(wanted, "resource definition"), verb(len(missing), "is", "are")),
			"Apply "+of+"'s definitions again, in the same version as its controller. "+install, append(missing, broken...)...)
	case len(broken) > 0:
		return fail("definitions-not-served", fmt.Sprintf("%d of %s's %s %s not served", len(broken), of, text.CountOrNo(wanted, "resource definition"), verb(len(broken), "is", "are")),
			notServedRemedy(broken, of), broken...)
	}
	return ok("all " + text.CountOrNo(wanted, "resource definition"))
}

// notServedRemedy goes by why definitions are not served.
func notServedRemedy(broken []string, of string) string {
	switch {
	case slices.ContainsFunc(broken, func(s string) bool { return strings.HasSuffix(s, deletedWords) }):
		name, _, _ := strings.Cut(broken[0], " ")
		return "It disappears when its objects are gone, which finalizers can block: kubectl get " + name + " -A. Delete them, have " + of + "'s controller running until they are gone, then install " + of + " again."
	case !slices.ContainsFunc(broken, func(s string) bool { return !strings.Contains(s, unservedWords) }):
		return "This release of " + of + " is too old: upgrade it."
	}
	return "Wait a moment. If it remains, run: kubectl describe crd"
}

// underOLM tells whether OLM has installed KMM.
func (e *env) underOLM(ctx context.Context) bool {
	all, err := e.webhooks(ctx)
	return err == nil && slices.ContainsFunc(all, func(w webhook) bool { return w.name == kmm.Webhook && w.labels["olm.owner"] != "" })
}

// certManagerParts are cert-manager's Deployments by their component. Its chart
// prefixes their names and lets the name label be changed.
func (e *env) certManagerParts(ctx context.Context) (map[string]*appsv1.Deployment, error) {
	list, err := e.deployments(ctx, "", "app.kubernetes.io/component in (controller,webhook,cainjector)")
	if err != nil {
		return nil, err
	}
	parts := map[string]*appsv1.Deployment{}
	for i := range list {
		d := &list[i]
		component := d.Labels["app.kubernetes.io/component"]
		// Of several the one that works counts.
		if other := parts[component]; ofCertManager(d) && (other == nil || cluster.Idle(other) != "") {
			parts[component] = d
		}
	}
	return parts, nil
}

func ofCertManager(d *appsv1.Deployment) bool {
	texts := []string{d.Name, d.Labels["helm.sh/chart"], d.Labels["app.kubernetes.io/name"]}
	for i := range d.Spec.Template.Spec.Containers {
		texts = append(texts, d.Spec.Template.Spec.Containers[i].Image)
	}
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "cert-manager") })
}

func certManagerRuns(ctx context.Context, e *env) Finding {
	parts, err := e.certManagerParts(ctx)
	if err != nil {
		return unread("the Deployments of all namespaces", err)
	}
	var missing, down []string
	for _, component := range []string{"controller", "webhook", "cainjector"} {
		d := parts[component]
		if d == nil {
			missing = append(missing, component)
			continue
		}
		if text := cluster.Idle(d); text != "" {
			down = append(down, component+": "+text)
		}
	}
	switch {
	case len(missing) > 0:
		return fail("deployment-missing", "cert-manager has no Deployment "+strings.Join(missing, ", "),
			"Install cert-manager completely; KMM needs the cainjector too.", down...)
	case len(down) > 0:
		return fail("deployment-unavailable", "components of cert-manager do not run", "Find out why: "+certManagerPods, down...)
	}
	return ok("controller, webhook and cainjector in " + parts["controller"].Namespace)
}

// deployedVersion is the version of a Deployment, as far as it tells: by label,
// by chart, by the image's tag.
func deployedVersion(d *appsv1.Deployment) string {
	if v := d.Labels["app.kubernetes.io/version"]; v != "" {
		return v
	}
	if _, v, found := strings.Cut(d.Labels["helm.sh/chart"], "cert-manager-"); found {
		return v
	}
	for i := range d.Spec.Template.Spec.Containers {
		image, _, _ := strings.Cut(d.Spec.Template.Spec.Containers[i].Image, "@")
		if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') {
			return image[at+1:]
		}
	}
	return ""
}

func certManagerVersion(ctx context.Context, e *env) Finding {
	parts, err := e.certManagerParts(ctx)
	if err != nil {
		return unread("the Deployments of all namespaces", err)
	}
	var versions, lines []string
	for _, component := range []string{"controller", "webhook", "cainjector"} {
		if d := parts[component]; d != nil && deployedVersion(d) != "" {
			versions = append(versions, deployedVersion(d))
			lines = append(lines, component+": "+deployedVersion(d))
		}
	}
	slices.Sort(versions)
	switch versions = slices.Compact(versions); len(versions) {
	case 0:
		return skip("neither labels nor images show the version")
	case 1:
		return ok(versions[0])
	}
	return warn("versions-mixed", "its components have versions "+text.CountOrNo(len(versions), "version"), "Finish the upgrade of cert-manager.", lines...)
}

func certManagerInjected(ctx context.Context, e *env) Finding {
	all, err := e.webhooks(ctx)
	if err != nil {
		return unread("the webhook configurations", err)
	}
	found := map[bool]bool{}
	reason := ""
	var lines []string
	for _, w := range all {
		if w.name != certManagerWebhook {
			continue
		}
		found[w.mutating] = true
		if r, text := w.bundleFault(e.now()); r != "" {
			reason = r
			lines = append(lines, text)
		}
	}
	switch {
	case !found[true] || !found[false]:
		var missing []string
		for _, mutating := range []bool{false, true} {
			if !found[mutating] {
				missing = append(missing, map[bool]string{false: "validating", true: "mutating"}[mutating])
			}
		}
		return fail("webhook-configuration-missing", "cert-manager's "+strings.Join(missing, " and ")+" webhook configuration not found", "Install cert-manager again, with all its components.")
	case reason != "":
		return fail(reason, "the API server does not know the CA of cert-manager's webhook", "Make sure that cert-manager's cainjector runs, which writes the CA: "+certManagerPods, lines...)
	}
	return ok("in both webhook configurations")
}

func certManagerDryRun(ctx context.Context, e *env) Finding {
	request, err := signingRequest()
	if err != nil {
		return skip("a certificate request could not be made: " + err.Error())
	}
	object := func(request []byte) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
			"metadata": map[string]any{"name": "dry-run"},
			"spec": map[string]any{
				"request":   base64.StdEncoding.EncodeToString(request),
				"issuerRef": map[string]any{"name": "dry-run", "kind": "Issuer", "group": "cert-manager.io"},
			},
		}}
	}
	return e.try(ctx, trial{
		webhook: certManagerWebhook, what: "cert-manager's webhook", resource: certificateRequests,
		good: object(request), bad: object([]byte("no certificate request")), badness: "that holds no certificate request",
		pods: "kubectl get pods -A -l app.kubernetes.io/component=webhook",
	})
}

// signingRequest is a real one, by a key that is forgotten at once.
func signingRequest() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "dry-run"}, DNSNames: []string{"dry-run.invalid"},
	}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
