package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

const (
	kmmInstall = "Install KMM: https://kmm.sigs.k8s.io/documentation/install/"
	kmmPods    = "kubectl get pods -A -l app.kubernetes.io/name=kmm"
	// webhookLimit is longer than two webhooks may take, which is 30 s each.
	webhookLimit = 70 * time.Second
	// certificateWarning is when cert-manager should long have renewed: it does
	// so after two thirds of a life of 90 days.
	certificateWarning = 7 * 24 * time.Hour
)

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

func kmmChecks() []Check {
	defined := []string{"kmm.definitions"}
	return []Check{
		{
			ID: "kmm.definitions", Mode: ModeKMM, Title: "KMM's API is there", Needs: []string{"api.reachable"},
			Why:     "The chart's Module is KMM's; without its definition helm install fails.",
			Settles: true, look: kmmDefined,
		},
		{
			ID: "kmm.version", Mode: ModeKMM, Title: "KMM knows every field of the Module", Needs: defined,
			Why:  "The API server silently drops fields that KMM's definition does not have.",
			look: kmmVersion,
		},
		{
			ID: "kmm.controller", Mode: ModeKMM, Title: "KMM runs", Needs: defined,
			Why:     "Without its controller nothing happens for a Module.",
			Settles: true, look: kmmRuns,
		},
		{
			ID: "kmm.webhook", Mode: ModeKMM, Title: "KMM's webhook works", Needs: defined,
			Why:     "If it is down, every Module is refused; if it is not configured, a Module is accepted that never loads.",
			Settles: true, limit: webhookLimit, look: kmmDryRun,
		},
		{
			ID: "kmm.certificate", Mode: ModeKMM, Title: "KMM's webhook has a CA, and its certificate is renewed", Needs: []string{"kmm.controller"},
			Why:     "When it expires, every Module is refused.",
			Settles: true, look: kmmCertificate,
		},
		{
			ID: "kmm.module", Mode: ModeKMM, Title: "the rendered Module is accepted", Needs: []string{"namespace.exists", "kmm.webhook"},
			Why:   "Otherwise helm install fails.",
			limit: webhookLimit, look: kmmModule,
		},
	}
}

func kmmDefined(ctx context.Context, e *env) Finding {
	wanted := []wantedDefinition{
		{"modules.kmm.sigs.x-k8s.io", "v1beta1"}, {"nodemodulesconfigs.kmm.sigs.x-k8s.io", "v1beta1"},
	}
	missing, broken, err := e.defined(ctx, wanted)
	if err != nil {
		return unread("KMM's resource definitions", err)
	}
	if len(missing) == len(wanted) {
		hub, err := e.definition(ctx, "managedclustermodules.hub.kmm.sigs.x-k8s.io")
		if err == nil && hub != nil {
			return fail("kmm-hub-only", "this is a hub: KMM-Hub distributes Modules to spokes, and loads nothing here",
				"Run this against a spoke cluster, or install KMM itself here too. "+kmmInstall)
		}
		return fail("kmm-missing", "KMM is not installed", kmmInstall+", or use mode auto.")
	}
	// Since 2.4 there are two more, which come together.
	newer := []wantedDefinition{{"moduleimagesconfigs.kmm.sigs.x-k8s.io", "v1beta1"}, {"modulebuildsignconfigs.kmm.sigs.x-k8s.io", "v1beta1"}}
	lacking, unfit, err := e.defined(ctx, newer)
	if err != nil {
		return unread("KMM's resource definitions", err)
	}
	if len(lacking) < len(newer) {
		wanted = append(wanted, newer...)
		missing, broken = append(missing, lacking...), append(broken, unfit...)
	}
	return definitionsFinding(len(wanted), missing, broken, "KMM", kmmInstall)
}

// kmmOperator is KMM's controller and webhook: by label, or by name where KMM
// is usually installed.
func (e *env) kmmOperator(ctx context.Context) (controller, server *appsv1.Deployment, err error) {
	list, err := e.deployments(ctx, "", kmm.OperatorSelector)
	for _, namespace := range kmm.Namespaces() {
		if err == nil && len(list) == 0 {
			list, err = e.deployments(ctx, namespace, "")
		}
	}
	if err != nil {
		return nil, nil, err
	}
	controller, server = kmm.Operator(list)
	return controller, server, nil
}

func kmmRuns(ctx context.Context, e *env) Finding {
	controller, server, err := e.kmmOperator(ctx)
	if err != nil {
		return unread("the Deployments of all namespaces", err)
	}
	if controller == nil {
		return fail("deployment-missing", "KMM's controller is not installed, only its definitions", kmmInstall)
	}
	var down []string
	for _, d := range []*appsv1.Deployment{controller, server} {
		if d != nil && cluster.Idle(d) != "" {
			down = append(down, cluster.Idle(d))
		}
	}
	if len(down) > 0 {
		return fail("deployment-unavailable", "KMM does not run", "Find out why: "+kmmPods, down...)
	}
	return ok(controller.Namespace + "/" + controller.Name + " is available")
}

// tryModule is a Module that KMM takes, of which no node is meant.
func tryModule(mapping map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
		"metadata": map[string]any{"name": "dry-run"},
		"spec": map[string]any{
			"selector": map[string]any{"kubeshark.com/pfring": "dry-run"},
			"moduleLoader": map[string]any{"container": map[string]any{
				"modprobe":       map[string]any{"moduleName": "pf_ring"},
				"kernelMappings": []any{mapping},
			}},
		},
	}}
}

func kmmDryRun(ctx context.Context, e *env) Finding {
	return e.try(ctx, trial{
		webhook: kmm.Webhook, what: "KMM's webhook", resource: modules,
		good: tryModule(map[string]any{"literal": "0.0.0-dry-run", "containerImage": "registry.invalid/pf-ring:dry-run"}),
		bad: tryModule(map[string]any{
			"literal": "0.0.0-dry-run", "regexp": "^0$", "containerImage": "registry.invalid/pf-ring:dry-run",
		}),
		badness: "with both literal and regexp in one mapping",
		pods:    "kubectl get pods -A -l control-plane=webhook-server",
	})
}

// kmmCertificate looks at the CA that the API server has, and at the
// Certificate that cert-manager keeps for the webhook.
func kmmCertificate(ctx context.Context, e *env) Finding {
	all, err := e.webhooks(ctx)
	if err != nil {
		return unread("the webhook configurations", err)
	}
	at := slices.IndexFunc(all, func(w webhook) bool { return w.name == kmm.Webhook })
	if at < 0 {
		return fail("webhook-configuration-missing", "KMM's webhook configuration not found", "Install KMM again, with all its components. "+kmmInstall)
	}
	if reason, text := all[at].bundleFault(e.now()); reason != "" {
		return fail(reason, text, "Make sure that cert-manager's cainjector runs (on OpenShift the service CA operator), which writes the CA.")
	}
	addons, err := e.addons(ctx)
	if err != nil {
		return unread("the API groups", err)
	}
	if addons.OpenShift || !addons.CertManager {
		return ok("the API server has its CA; the certificate is not from cert-manager, so who renews it is unknown")
	}
	controller, _, err := e.kmmOperator(ctx)
	if err != nil {
		return unread("KMM's Deployment", err)
	}
	if controller == nil {
		return skip("KMM's controller is not installed")
	}
	return e.issued(ctx, controller.Namespace)
}

// issued tells of the Certificate for KMM's webhook.
func (e *env) issued(ctx context.Context, namespace string) Finding {
	c, err := e.client()
	if err != nil {
		return unread("the Certificates", err)
	}
	list, err := c.dynamic.Resource(certificates).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return skip("no right to list certificates.cert-manager.io in " + namespace)
	}
	if apierrors.IsNotFound(err) {
		// What is not served is reported by its own check, whatever the group has else.
		return skip("depends on cert-manager.definitions")
	}
	if err != nil {
		return unread("the Certificates of "+namespace, err)
	}
	at := slices.IndexFunc(list.Items, func(o unstructured.Unstructured) bool {
		secret, _, _ := unstructured.NestedString(o.Object, "spec", "secretName")
		return strings.Contains(o.GetName(), "serving-cert") || strings.Contains(secret, "webhook-server-cert")
	})
	if at < 0 {
		return warn("certificate-missing", "no Certificate for KMM's webhook found in "+namespace+", so nothing renews its certificate", "Install KMM again after cert-manager works. "+kmmInstall)
	}
	o := &list.Items[at]
	name := namespace + "/" + o.GetName()
	see := fmt.Sprintf("Find out why: kubectl describe certificate -n %s %s", namespace, o.GetName())
	text, _, _ := unstructured.NestedString(o.Object, "status", "notAfter")
	end, err := time.Parse(time.RFC3339, text)
	day := end.UTC().Format(time.DateOnly)
	switch {
	case err == nil && e.now().After(end):
		return fail("certificate-expired", name+" expired on "+day, see)
	case conditionOf(o, "Ready") != "True":
		return fail("certificate-not-ready", name+" is not ready: "+conditionMessage(o, "Ready"), see)
	case err == nil && end.Sub(e.now()) < certificateWarning:
		return warn("certificate-expires-soon", name+" expires on "+day+" and was not renewed", see)
	}
	return ok(name + " is ready")
}

// kmmModule tries what the chart renders.
func kmmModule(ctx context.Context, e *env) Finding {
	list := e.target(ModeKMM).ofKind("Module")
	if len(list) == 0 {
		return skip("the chart renders no Module: tap.kernelModule.enabled is false")
	}
	c, err := e.client()
	if err != nil {
		return unread("the Module", err)
	}
	o := list[0].DeepCopy()
	api := c.dynamic.Resource(modules).Namespace(e.Namespace)
	dryRun := []string{metav1.DryRunAll}
	_, err = api.Create(ctx, o, metav1.CreateOptions{DryRun: dryRun})
	how := "by a dry run"
	if apierrors.IsAlreadyExists(err) {
		// An upgrade: the webhook looks at what changes, too.
		how = "by a dry run of the update"
		err = updateModule(ctx, api, o, dryRun)
	}
	switch {
	case err == nil:
		return ok(how)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create resource"):
		return skip("no right to create modules.kmm.sigs.x-k8s.io in " + e.Namespace + ", not even by a dry run")
	case apierrors.IsForbidden(err) && (strings.Contains(err.Error(), "cannot update resource") || strings.Contains(err.Error(), "cannot get resource")):
		return skip("the Module exists, and there is no right to update modules.kmm.sigs.x-k8s.io in " + e.Namespace + ", not even by a dry run")
	case strings.Contains(err.Error(), "to or from an empty version"):
		return fail("module-refused", plain(err), "Leave tap.kernelModule.kmm.version as it is, or delete the Module first, which unloads PF_RING on its nodes: kubectl delete modules."+kmm.Group+" -n "+e.Namespace+" "+o.GetName())
	}
	return fail("module-refused", plain(err), "Correct the values: pfring render shows the Module that they produce.")
}

// updateModule tries to replace the Module that is there.
func updateModule(ctx context.Context, api dynamic.ResourceInterface, o *unstructured.Unstructured, dryRun []string) error {
	old, err := api.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	o.SetResourceVersion(old.GetResourceVersion())
	o.SetFinalizers(old.GetFinalizers())
	_, err = api.Update(ctx, o, metav1.UpdateOptions{DryRun: dryRun})
	return err
}
