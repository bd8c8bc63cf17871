package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// runLabel has the id of one run on its Jobs and pods.
	runLabel = "kubeshark-pfring/probe-run"
	// componentLabel is the chart's; its value keeps the pods out of the
	// DaemonSet's selector.
	componentLabel = "app.kubernetes.io/component"
	component      = "probe"
	containerName  = "probe"
	hostSys        = "/host/sys"
)

// form is how much of the host the pod sees.
type form int

const (
	// seesHost has the host's /sys, to read.
	seesHost form = iota
	// restricted fits Pod Security's level of that name: nothing of the host.
	restricted
	// anyUser is restricted with its uid left to the namespace, as OpenShift's
	// default asks for.
	anyUser
	forms
)

// user is the agent's where it needs no root.
const user = 65532

// template is the pod of the probes: the DaemonSet's, with the environment of
// the init container that fetches, and no right to change anything.
func (r *runner) template(f form) (corev1.PodTemplateSpec, error) {
	t := *r.DaemonSet.Spec.Template.DeepCopy()
	if len(t.Spec.InitContainers) == 0 {
		return t, fmt.Errorf("the rendered DaemonSet %s has no init container to take the probe's settings from", r.DaemonSet.Name)
	}
	c := t.Spec.InitContainers[0]
	c.Name, c.Args = containerName, []string{"probe"}
	if r.Image != "" {
		c.Image = r.Image
	}
	c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	t.Spec.Containers, t.Spec.InitContainers = []corev1.Container{c}, nil
	t.Labels, t.Annotations = r.labels(t.Labels), withoutDefault(t.Annotations)
	t.Spec.RestartPolicy = corev1.RestartPolicyNever
	t.Spec.ServiceAccountName = r.account
	// The DaemonSet controller adds these to the agent's pods.
	for _, key := range []string{corev1.TaintNodeUnschedulable, corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure} {
		t.Spec.Tolerations = append(t.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	r.mounts(&t.Spec, f)
	secure(&t.Spec, f)
	r.environment(&t.Spec, f)
	return t, nil
}

func (r *runner) labels(agents map[string]string) map[string]string {
	labels := maps.Clone(agents)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[componentLabel], labels[runLabel] = component, r.id
	return labels
}

// withoutDefault drops the annotation that names a container which is not there.
func withoutDefault(annotations map[string]string) map[string]string {
	annotations = maps.Clone(annotations)
	delete(annotations, "kubectl.kubernetes.io/default-container")
	return annotations
}

// mounts keeps what the source needs, never a folder of the host to write to,
// and adds the host's /sys where it may be seen.
func (r *runner) mounts(spec *corev1.PodSpec, f form) {
	c := &spec.Containers[0]
	c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !m.ReadOnly || m.MountPath == hostSys })
	mounted := func(name string) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name })
	}
	spec.Volumes = slices.DeleteFunc(spec.Volumes, func(v corev1.Volume) bool {
		return !mounted(v.Name) || f != seesHost && v.HostPath != nil
	})
	c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
	})
	if f == seesHost {
		kind := corev1.HostPathDirectory
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "host-sys", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/sys", Type: &kind},
		}})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "host-sys", MountPath: hostSys, ReadOnly: true})
	}
}

// secure takes every capability away, also that of loading. Beside the host's
// /sys the uid stays that of the agent, since the Secrets' files are its own.
func secure(spec *corev1.PodSpec, f form) {
	c := &spec.Containers[0]
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	no := false
	c.SecurityContext.AllowPrivilegeEscalation, c.SecurityContext.Privileged = &no, &no
	c.SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	if f == seesHost {
		return
	}
	yes, id := true, int64(user)
	c.SecurityContext.SELinuxOptions, c.SecurityContext.RunAsUser, c.SecurityContext.RunAsGroup, c.SecurityContext.RunAsNonRoot = nil, nil, nil, nil
	p := spec.SecurityContext
	p.RunAsNonRoot, p.RunAsUser, p.RunAsGroup, p.FSGroup = &yes, nil, nil, nil
	if f == restricted {
		// With fsGroup the files of Secrets can be read by that group.
		p.RunAsUser, p.RunAsGroup, p.FSGroup = &id, &id, &id
	}
}

// environment is the init container's, without what the agent would write.
func (r *runner) environment(spec *corev1.PodSpec, f form) {
	c := &spec.Containers[0]
	c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool {
		lost := e.Name == "PFRING_SOURCE_URL" && strings.HasPrefix(e.Value, "file://") && !hasFolder(c, e.Value)
		return e.Name == "PFRING_STATE_FILE" || e.Name == "PFRING_WATCH_FILE" || e.Name == "PFRING_CACHE_DIR" || e.Name == "PFRING_PARAMETERS" || lost ||
			r.WithoutSupply && e.Name == "PFRING_SUPPLY_URL"
	})
	c.Env = append(c.Env, corev1.EnvVar{Name: "PFRING_LOAD_TIMEOUT", Value: askFor.String()})
	if len(r.Registries) > 0 {
		c.Env = append(c.Env, corev1.EnvVar{Name: "PFRING_PROBE_REGISTRIES", Value: strings.Join(r.Registries, ",")})
	}
	if b := r.Builds; len(b.URLs) > 0 {
		for _, v := range []corev1.EnvVar{
			{Name: "PFRING_PROBE_BUILDS", Value: strings.Join(b.URLs, ",")}, {Name: "PFRING_PROBE_BUILDS_PROXY", Value: strings.Join([]string{b.ProxyHTTP, b.ProxyHTTPS, b.ProxyNo}, "|")},
		} {
			v.Value = strings.ReplaceAll(v.Value, "$", "$$")
			c.Env = append(c.Env, v)
		}
	}
	if f != seesHost {
		c.Env = append(c.Env, corev1.EnvVar{Name: "PFRING_HOST_SYS", Value: "/nowhere"})
	}
}

// hasFolder tells whether the folder of a file:// source is mounted.
func hasFolder(c *corev1.Container, url string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == strings.TrimPrefix(url, "file://") })
}

// job is one probe on one node. The scheduler places its pod there, so that
// what keeps a pod of the agent away keeps this one away too.
func (r *runner) job(name, node string) *batchv1.Job {
	t := *r.pod.DeepCopy()
	pinned := corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{
		Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
	}}}
	t.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{pinned}},
	}}
	none, deadline, gone := int32(0), int64(activeDeadline.Seconds()), int32(ttl.Seconds())
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: r.Namespace, Labels: t.Labels},
		Spec:       batchv1.JobSpec{BackoffLimit: &none, ActiveDeadlineSeconds: &deadline, TTLSecondsAfterFinished: &gone, Template: t},
	}
}

// jobName is at most 63 characters long, as the pods bear it in a label.
func (r *runner) jobName(n int) string {
	return fmt.Sprintf("%.40s-probe-%s-%d", r.Release, r.id, n)
}
