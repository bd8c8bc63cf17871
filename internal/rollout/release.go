package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
)

// Labels of the chart (its template _names.tpl).
const (
	chartName      = "kubeshark-pfring"
	labelName      = "app.kubernetes.io/name"
	labelInstance  = "app.kubernetes.io/instance"
	labelComponent = "app.kubernetes.io/component"
	// agents selects the DaemonSets of all releases.
	agents = labelName + "=" + chartName + "," + labelComponent + "=agent"
)

// generationAnnotation of a DaemonSet and generationLabel of its pods tell which
// pods are of its newest template; its controller writes both.
const (
	generationAnnotation = "deprecated.daemonset.template.generation"
	generationLabel      = "pod-template-generation"
)

// errNotInstalled means that there is no release where one was looked for.
var errNotInstalled = errors.New("not installed")

// Release is an installed release of the chart.
type Release struct {
	Name, Namespace, DaemonSet string
	// Mode is auto or kmm.
	Mode string
	// Supplied tells that the cluster builds modules for it.
	Supplied bool
	// publicMap is the ConfigMap of keys and CAs that agents mount; "" without one.
	publicMap string

	generation string
	targets    cluster.Targets
	tolerates  []corev1.Toleration
	onDelete   bool
	// nodes restricts what is reported; nil is all.
	nodes labels.Selector
}

// findRelease finds the release of a name in a namespace. With name "" it takes
// the only one there.
func findRelease(ctx context.Context, client appsv1client.DaemonSetsGetter, namespace, name string) (*Release, error) {
	list, err := client.DaemonSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: agents})
	if err != nil {
		return nil, fmt.Errorf("cannot find the release in namespace %s: %w", namespace, err)
	}
	switch found := ofRelease(list.Items, name); len(found) {
	case 0:
		return nil, notInstalled(ctx, client, namespace, name)
	case 1:
		return releaseOf(&found[0]), nil
	default:
		return nil, fmt.Errorf("namespace %s has the releases %s. Choose one with --release-name", namespace, strings.Join(instances(found, false), ", "))
	}
}

// ofRelease are the DaemonSets of a release's name; "" is any.
func ofRelease(list []appsv1.DaemonSet, name string) []appsv1.DaemonSet {
	return slices.DeleteFunc(list, func(ds appsv1.DaemonSet) bool { return name != "" && instance(&ds) != name })
}

// instance is the name of a DaemonSet's release. Its selector tells, which cannot be
// changed: Argo CD writes the name of its application over the label of the object.
func instance(ds *appsv1.DaemonSet) string {
	if s := ds.Spec.Selector; s != nil && s.MatchLabels[labelInstance] != "" {
		return s.MatchLabels[labelInstance]
	}
	return ds.Labels[labelInstance]
}

// notInstalled says where there is a release, if that can be read.
func notInstalled(ctx context.Context, client appsv1client.DaemonSetsGetter, namespace, name string) error {
	what := "no release of " + chartName
	if name != "" {
		what = "no release " + name
	}
	hint := "install it with helm, or set the namespace with -n"
	// Only a hint: without the right to look further there is none.
	if all, err := client.DaemonSets("").List(ctx, metav1.ListOptions{LabelSelector: agents}); err == nil {
		if found := ofRelease(all.Items, name); len(found) > 0 {
			hint = "there is " + strings.Join(instances(found, true), ", ") + "; name its namespace with -n"
		}
	}
	return fmt.Errorf("%w: %s in namespace %s; %s", errNotInstalled, what, namespace, hint)
}

func instances(list []appsv1.DaemonSet, withNamespace bool) []string {
	var names []string
	for i := range list {
		name := instance(&list[i])
		if withNamespace {
			name += " in namespace " + list[i].Namespace
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func releaseOf(ds *appsv1.DaemonSet) *Release {
	pod := &ds.Spec.Template.Spec
	r := &Release{
		Name: instance(ds), Namespace: ds.Namespace, DaemonSet: ds.Name, Mode: "auto",
		generation: ds.Annotations[generationAnnotation],
		targets:    cluster.Targets{Labels: pod.NodeSelector},
		tolerates:  append(slices.Clone(pod.Tolerations), daemonTolerations()...),
		onDelete:   ds.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType,
	}
	if len(pod.InitContainers) > 0 && pod.InitContainers[0].Name == "wait" {
		r.Mode = "kmm"
	}
	for _, c := range pod.InitContainers {
		for _, e := range c.Env {
			r.Supplied = r.Supplied || e.Name == "PFRING_SUPPLY_URL"
		}
	}
	for _, v := range pod.Volumes {
		if v.Name == "supply" && v.ConfigMap != nil {
			r.publicMap = v.ConfigMap.Name
		}
	}
	if a := pod.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		r.targets.Terms = a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	}
	return r
}

// supplyNames are those of the controller's objects, which the values may have
// changed.
func (r *Release) supplyNames() supply.Names {
	if r.publicMap == "" {
		return supply.NamesOf(r.Name)
	}
	return supply.NamesWith(r.Name, supply.PrefixOf(r.publicMap))
}

// daemonTolerations are those that the DaemonSet controller gives every pod.
func daemonTolerations() []corev1.Toleration {
	var list []corev1.Toleration
	for key, effect := range map[string]corev1.TaintEffect{
		corev1.TaintNodeNotReady: corev1.TaintEffectNoExecute, corev1.TaintNodeUnreachable: corev1.TaintEffectNoExecute,
		corev1.TaintNodeDiskPressure: corev1.TaintEffectNoSchedule, corev1.TaintNodeMemoryPressure: corev1.TaintEffectNoSchedule,
		corev1.TaintNodePIDPressure: corev1.TaintEffectNoSchedule, corev1.TaintNodeUnschedulable: corev1.TaintEffectNoSchedule,
	} {
		list = append(list, corev1.Toleration{Key: key, Effect: effect, Operator: corev1.TolerationOpExists})
	}
	return list
}

// podSelector selects the release's pods, and in kmm also KMM's worker pods,
// whose last words are lost when KMM replaces them. One watch sees both.
func (r *Release) podSelector() string {
	if r.Mode == "kmm" {
		return labelComponent + " in (agent,worker)"
	}
	return labels.Set{labelName: chartName, labelInstance: r.Name, labelComponent: "agent"}.String()
}

func (r *Release) owns(pod *corev1.Pod) bool {
	return pod.Labels[labelName] == chartName && pod.Labels[labelInstance] == r.Name && pod.Labels[labelComponent] == "agent"
}
