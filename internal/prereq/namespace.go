package prereq

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

func namespaceChecks() []Check {
	exists := []string{"namespace.exists"}
	return []Check{
		{
			ID: "namespace.exists", Title: "the namespace exists", Needs: []string{"api.reachable"},
			Why:  "helm install requires it, or --create-namespace. Dry runs require it too.",
			look: namespaceExists,
		},
		{
			ID: "namespace.admits-auto", Mode: ModeAuto, Title: "the namespace admits the agent of auto mode", Needs: exists,
			Why:  "Its init container needs SYS_MODULE. A DaemonSet whose pods are refused looks installed but has no pods.",
			look: func(ctx context.Context, e *env) Finding { return e.admits(ctx, ModeAuto) },
		},
		{
			ID: "namespace.admits-kmm", Mode: ModeKMM, Title: "the namespace admits the agent of kmm mode", Needs: exists,
			Why:  "A DaemonSet whose pods are refused looks installed but has no pods.",
			look: func(ctx context.Context, e *env) Finding { return e.admits(ctx, ModeKMM) },
		},
		{
			ID: "namespace.admits-kmm-workers", Mode: ModeKMM, Title: "the namespace admits KMM's worker pods", Needs: exists,
			Why:  "KMM loads through privileged pods in the Module's namespace. If they are refused, only the operator's log reports it.",
			look: admitsWorkers,
		},
		{
			ID: "namespace.quota", Title: "the namespace's quota has room", Needs: []string{"namespace.exists", "nodes.selected"},
			Why:  "The agent runs one pod on each node; pods that exceed a quota are not created.",
			look: namespaceQuota,
		},
		{
			ID: "namespace.scc", Title: "the service accounts have the rights that OpenShift requires", Needs: exists,
			Why:  "OpenShift admits a pod by the rights of its service account, not of the user who installs.",
			look: namespaceSCC,
		},
		{
			ID: "namespace.network", Mode: ModeAuto, Title: "NetworkPolicies allow what the release needs", Needs: exists,
			Why:  "Where a policy denies all traffic by default, agents, the controller and builds reach nothing.",
			look: namespaceNetwork,
		},
	}
}

// namespace reads the release's namespace, once.
func (e *env) namespace(ctx context.Context) (*corev1.Namespace, error) {
	return fact(e, "namespace", func() (*corev1.Namespace, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		return c.core.Namespaces().Get(ctx, e.Namespace, metav1.GetOptions{})
	})
}

func namespaceExists(ctx context.Context, e *env) Finding {
	ns, err := e.namespace(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return fail("namespace-missing", "there is no namespace "+e.Namespace, fmt.Sprintf("Run: kubectl create namespace %s", e.Namespace))
	case err != nil:
		return unread("the namespace "+e.Namespace, err)
	case ns.DeletionTimestamp != nil:
		return fail("namespace-terminating", "the namespace "+e.Namespace+" is being deleted", "Wait until it is gone, or find out what blocks it: kubectl describe namespace "+e.Namespace)
	}
	return ok(e.Namespace + " is there")
}

// admits tries a Pod made from the template by a dry run, since Pod Security
// and other admission never look at the DaemonSet.
func (e *env) admits(ctx context.Context, mode string) Finding {
	pod, err := e.target(mode).pod(e.Namespace)
	if err != nil {
		return skip(err.Error())
	}
	// The chart's own ServiceAccount is not there yet.
	pod.Spec.ServiceAccountName = ""
	f := e.tryPod(ctx, pod, "the agent's pod")
	if f.Reason == "scc" && e.target(mode).Values.Tap.KernelModule.OpenShift.SCC.Create {
		return skip("openshift.scc.create gives the agent's service account the right when it is installed")
	}
	return f
}

func (e *env) tryPod(ctx context.Context, pod *corev1.Pod, what string) Finding {
	c, err := e.client()
	if err != nil {
		return unread("the namespace", err)
	}
	_, err = c.core.Pods(e.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return e.admitted(err, what, "pods", admission{
		quota:    "Raise the ResourceQuota, or free some of it. tap.kernelModule.agent.resources sets what the agent requests.",
		priority: "Correct tap.kernelModule.agent.priorityClassName, or create the PriorityClass.",
	})
}

// admission are the remedies that depend on what was tried.
type admission struct{ quota, priority string }

// admitted says what the answer to a dry run means.
func (e *env) admitted(err error, what, resource string, a admission) Finding {
	if err == nil {
		return ok("a dry run of " + what + " was admitted")
	}
	text := plain(err)
	switch {
	case strings.Contains(text, "violates PodSecurity"):
		_, level, _ := strings.Cut(text, "violates PodSecurity")
		return fail("pod-security", "a dry run of "+what+" violates PodSecurity"+level,
			fmt.Sprintf("Run: kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite, or install into a separate namespace.", e.Namespace))
	case strings.Contains(text, "unable to validate against any security context constraint"):
		return fail("scc", "a dry run of "+what+" does not fit any security context constraint that you may use",
			"Set tap.kernelModule.openshift.scc.create, or: oc adm policy add-scc-to-user privileged -z SERVICEACCOUNT -n "+e.Namespace)
	case strings.Contains(text, "exceeded quota") || strings.Contains(text, "failed quota"):
		return fail("quota-exceeded", text, a.quota)
	case strings.Contains(text, "no PriorityClass"):
		return fail("priority-class-missing", text, a.priority)
	case apierrors.IsForbidden(err) && strings.Contains(text, "cannot create resource"):
		return skip("no right to create " + resource + " in " + e.Namespace + ", not even by a dry run")
	case strings.Contains(text, admissionPolicy):
		return policyFinding(text)
	case strings.Contains(text, "webhook"):
		return fail("admission-webhook", text, "The webhook enforces a policy of your cluster: meet the policy, or ask its owner for an exception.")
	}
	return fail("pod-refused", text, "Fix what the API server reports.")
}

// admitsWorkers tries a pod with what KMM's workers have: uid 0, SYS_MODULE and
// the host's /lib/modules.
func admitsWorkers(ctx context.Context, e *env) Finding {
	uid, hostFolder := int64(0), corev1.HostPathDirectory
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "kmm-worker-", Namespace: e.Namespace}}
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.Containers = []corev1.Container{{
		Name: "worker", Image: "kmm-worker:dry-run",
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: &uid, SELinuxOptions: &corev1.SELinuxOptions{Type: "spc_t"},
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_MODULE"}},
		},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi")},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "lib-modules", MountPath: "/lib/modules", ReadOnly: true}},
	}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "lib-modules", VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: "/lib/modules", Type: &hostFolder},
	}}}
	return e.tryPod(ctx, pod, "a pod like KMM's workers")
}

func namespaceQuota(ctx context.Context, e *env) Finding {
	c, err := e.client()
	if err != nil {
		return unread("the quota", err)
	}
	quotas, err := c.core.ResourceQuotas(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return unread("the quotas of "+e.Namespace, err)
	}
	var short []string
	for i := range e.Targets {
		t := &e.Targets[i]
		ds, err := t.daemonSet()
		if err != nil {
			return skip(err.Error())
		}
		nodes, err := e.nodes(ctx)
		if err != nil {
			return unread("the nodes", err)
		}
		n := 0
		for _, node := range nodes {
			if node.in[t.Mode] && cluster.Untolerated(node.taints, ds.Spec.Template.Spec.Tolerations) == nil {
				n++
			}
		}
		for _, q := range quotas.Items {
			if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
				continue // Which pods it counts is reported by the dry run.
			}
			for name, line := range shortOf(q, &ds.Spec.Template.Spec, n) {
				short = append(short, fmt.Sprintf("%s, %s: mode %s needs %s", q.Name, name, t.Mode, line))
			}
		}
	}
	if len(short) > 0 {
		return fail("quota-exceeded", "the agent on every selected node exceeds a ResourceQuota of "+e.Namespace+" leaves",
			"Raise the quota, request less in tap.kernelModule.agent.resources, or use a namespace without a quota.", short...)
	}
	if len(quotas.Items) == 0 {
		return ok(e.Namespace + " has no quota")
	}
	return ok(text.CountOrNo(len(quotas.Items), "quota") + " with room for the agent")
}

// shortOf says for each resource of a quota that does not suffice for the pods
// how much is needed and left.
func shortOf(q corev1.ResourceQuota, pod *corev1.PodSpec, pods int) map[corev1.ResourceName]string {
	short := map[corev1.ResourceName]string{}
	for name, hard := range q.Status.Hard {
		need, counted := needed(pod, name)
		if !counted {
			continue
		}
		need.Mul(int64(pods))
		left := hard.DeepCopy()
		left.Sub(q.Status.Used[name])
		if need.Cmp(left) > 0 {
			short[name] = fmt.Sprintf("%s for %s, %s of %s is left", need.String(), text.CountOrNo(pods, "pod"), left.String(), hard.String())
		}
	}
	return short
}

// needed is what one pod counts in a quota for a resource: the sum of its
// containers, or its largest init container, whichever is more.
func needed(pod *corev1.PodSpec, name corev1.ResourceName) (resource.Quantity, bool) {
	if name == corev1.ResourcePods || name == "count/pods" {
		return resource.MustParse("1"), true
	}
	of, plainName := func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }, strings.TrimPrefix(string(name), "requests.")
	if rest, is := strings.CutPrefix(string(name), "limits."); is {
		of, plainName = func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }, rest
	}
	if plainName != "cpu" && plainName != "memory" && plainName != "ephemeral-storage" {
		return resource.Quantity{}, false
	}
	var sum resource.Quantity
	for i := range pod.Containers {
		sum.Add(of(pod.Containers[i].Resources)[corev1.ResourceName(plainName)])
	}
	for i := range pod.InitContainers {
		if q := of(pod.InitContainers[i].Resources)[corev1.ResourceName(plainName)]; q.Cmp(sum) > 0 {
			sum = q
		}
	}
	return sum, true
}
