package rollout

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// kmmAround is what surrounds KMM's work: a pod that is refused, or a Secret that
// is missing, shows nowhere but in the log of its controller. What may not be
// read stays empty.
type kmmAround struct {
	// down says why KMM's controller does not run, and see how to look at it.
	down, see string
	// podSecurity is the level that the namespace enforces.
	podSecurity string
	// full is a quota that has no room for another pod.
	full string
	// account is the worker pods' service account if it is missing.
	account string
	// missing are Secrets and ConfigMaps that the Module names and that are not
	// there, as "Secret NAME"; unseen are those that may not be read.
	missing, unseen []string
}

// readAround reads it. It is read only where something is amiss.
func (c *Client) readAround(ctx context.Context, k *kmmFacts) {
	namespace := k.module.Namespace
	if ns, err := c.core.Namespaces().Get(ctx, namespace, metav1.GetOptions{}); err == nil {
		k.around.podSecurity = ns.Labels["pod-security.kubernetes.io/enforce"]
	}
	if quotas, err := c.core.ResourceQuotas(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		k.around.full = full(quotas.Items)
	}
	if account := k.module.Spec.Loader.Account; account != "" {
		if _, err := c.core.ServiceAccounts(namespace).Get(ctx, account, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			k.around.account = account
		}
	}
	c.readNamed(ctx, k)
	c.readOperator(ctx, k)
}

// full is a quota without room for another pod, or "".
func full(quotas []corev1.ResourceQuota) string {
	for i := range quotas {
		for name, hard := range quotas[i].Status.Hard {
			used := quotas[i].Status.Used[name]
			if plain := strings.TrimPrefix(string(name), "requests."); hard.Cmp(used) <= 0 && slices.Contains([]string{"pods", "count/pods", "cpu", "memory", "limits.cpu", "limits.memory"}, plain) {
				return quotas[i].Name + " allows " + hard.String() + " of " + string(name) + " and has " + used.String() + " in use"
			}
		}
	}
	return ""
}

// readNamed looks for the Secrets and ConfigMaps that the Module names.
func (c *Client) readNamed(ctx context.Context, k *kmmFacts) {
	secrets, configMaps := k.named()
	note := func(what string, err error) {
		switch {
		case apierrors.IsNotFound(err):
			k.around.missing = append(k.around.missing, what)
		case err != nil:
			k.around.unseen = append(k.around.unseen, what)
		}
	}
	for _, name := range secrets {
		_, err := c.core.Secrets(k.module.Namespace).Get(ctx, name, metav1.GetOptions{})
		note("Secret "+name, err)
	}
	for _, name := range configMaps {
		_, err := c.core.ConfigMaps(k.module.Namespace).Get(ctx, name, metav1.GetOptions{})
		note("ConfigMap "+name, err)
	}
}

// named are the Secrets and ConfigMaps that the Module names, each once.
func (k *kmmFacts) named() (secrets, configMaps []string) {
	add := func(list *[]string, name string) {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	c := &k.module.Spec.Loader.Container
	if s := k.module.Spec.ImageRepoSecret; s != nil {
		add(&secrets, s.Name)
	}
	for i := range c.Mappings {
		if build := c.build(&c.Mappings[i]); build != nil {
			add(&configMaps, build.Dockerfile.Name)
			for _, s := range build.Secrets {
				add(&secrets, s.Name)
			}
		}
		if sign := c.sign(&c.Mappings[i]); sign != nil {
			add(&secrets, sign.Key.Name)
			add(&secrets, sign.Cert.Name)
		}
	}
	return secrets, configMaps
}

func (c *Client) readOperator(ctx context.Context, k *kmmFacts) {
	list, err := c.apps.Deployments("").List(ctx, metav1.ListOptions{LabelSelector: kmm.OperatorSelector})
	if err != nil {
		return
	}
	found := list.Items
	for _, namespace := range kmm.Namespaces() {
		if len(found) > 0 {
			break
		}
		if list, err = c.apps.Deployments(namespace).List(ctx, metav1.ListOptions{}); err != nil {
			return
		}
		found = list.Items
	}
	controller, _ := kmm.Operator(found)
	if controller == nil {
		k.around.down, k.around.see = "KMM's controller is not installed", "Install KMM: https://kmm.sigs.k8s.io/documentation/install/"
		return
	}
	if idle := cluster.Idle(controller); idle != "" {
		k.around.down = "KMM's controller does not run: " + idle
		k.around.see = "Find out why: kubectl describe deployment " + controller.Name + " -n " + controller.Namespace
	}
}

// podKind is a kind of KMM's pods, by what Pod Security asks of it.
type podKind int

// Pods that pull need no privilege, but Pod Security's level restricted asks
// more of them than KMM gives; builders and workers are refused by baseline too.
const (
	pullKind podKind = iota
	buildKind
	workerKind
)

// obstacle is what keeps KMM from making a pod, in the order in which it would
// come upon it; empty if nothing was found.
func (k *kmmFacts) obstacle(kind podKind) words {
	a, namespace := k.around, k.module.Namespace
	switch {
	case a.down != "":
		return words{a.down, a.see}
	case kind == buildKind && len(a.missing) > 0:
		return words{strings.Join(a.missing, ", ") + " is missing in the namespace " + namespace, "Create it there; KMM then continues by itself."}
	case kind == workerKind && a.account != "":
		return words{
			"the ServiceAccount " + a.account + " of its worker pods is missing in the namespace " + namespace,
			"Run: kubectl create serviceaccount " + a.account + " -n " + namespace + ", or correct tap.kernelModule.kmm.serviceAccountName.",
		}
	case a.podSecurity == "restricted", a.podSecurity == "baseline" && kind != pullKind:
		return words{
			"the namespace enforces Pod Security " + a.podSecurity + ", which refuses KMM's " + [...]string{"pods", "pods", "worker pods"}[kind],
			"Run: kubectl label namespace " + namespace + " --overwrite pod-security.kubernetes.io/enforce=privileged",
		}
	case a.full != "":
		return words{"the namespace's quota has no room for KMM's pods: " + a.full, "Raise the ResourceQuota, or free some of it."}
	case kind == buildKind && len(a.unseen) > 0:
		return words{"", "See that " + strings.Join(a.unseen, ", ") + " exist in the namespace " + namespace + "; then read the log of KMM's controller."}
	}
	return words{}
}

// explainHeld adds to a message why KMM does not get on, if that is known, else what to
// look at.
func (k *kmmFacts) explainHeld(kind podKind, message string) words {
	o := k.obstacle(kind)
	if o.message != "" {
		return words{message + ": " + o.message, o.remedy}
	}
	if o.remedy == "" {
		o.remedy = "If this persists, read the log of KMM's controller, the only place that shows a refused pod. Find it with: kubectl get pods -A -l app.kubernetes.io/name=kmm"
	}
	return words{message, o.remedy}
}
