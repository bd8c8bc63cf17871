package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Settings are how Jobs are made.
type Settings struct {
	Namespace string
	Source    Source
	// Image is the builder instead of the recipe's, and Script what runs in it
	// instead of the recipe.
	Image, Script string
	// PullSecrets are names of Secrets for the image; ServiceAccount is the pods'.
	PullSecrets    []string
	ServiceAccount string
	// Proxy has http, https and no, each as in the environment of that name.
	Proxy map[string]string
	// CA are certificates to trust when the source is fetched, as PEM.
	CA string
	// HostHeaders mounts the node's /usr, to read, for headers that are there.
	HostHeaders bool
	// Timeout bounds one build, from its Job's start.
	Timeout time.Duration
	// MaxModule bounds what is taken from a log, in bytes; 0 is
	// module.DefaultMaxSize.
	MaxModule int64

	// What follows may be left out.

	// Mirrors replace the beginnings of the addresses in a distribution's package
	// sources.
	Mirrors map[string]string
	// Labels are added to those of Jobs and pods, and replace them.
	Labels map[string]string
	// Owner goes with its Jobs.
	Owner *metav1.OwnerReference
	// Resources are the container's instead of the usual ones.
	Resources corev1.ResourceRequirements
	// NodeSelector chooses nodes beside the target's architecture, instead of
	// nodes that run its kernel, unless HostHeaders needs those.
	NodeSelector map[string]string
	// Tolerations are the pods' instead of one for every taint.
	Tolerations []corev1.Toleration
	// Keep is how long a Job stays after its end for somebody to read its log; 0
	// is ten minutes.
	Keep time.Duration
}

// Annotations of a Job tell which kernel it is for.
const (
	KernelAnnotation = "kubeshark-pfring/kernel"
	ArchAnnotation   = "kubeshark-pfring/arch"
)

const (
	runLabel      = "kubeshark-pfring/build-run"
	nameLabel     = "app.kubernetes.io/name"
	containerName = "build"
	workDir       = "/work"
	hostUsr       = "/host/usr"
	// ttl is how long a Job stays whose maker was killed, in seconds after its end.
	ttl = 600
	// maxScript is far below what a process takes as one argument on Linux, 128 KiB.
	maxScript = 96 << 10
)

// Job is the build for a target. mark begins the lines of its log that are for
// Decode; number keeps Jobs of one run apart.
func (s Settings) Job(t Target, run, mark string, number int) *batchv1.Job {
	none, grace, gone, deadline := int32(0), int64(1), int32(cmp.Or(s.Keep.Seconds(), ttl)), int64(s.Timeout.Seconds())
	labels := map[string]string{nameLabel: "pfring-build", "app.kubernetes.io/managed-by": "pfring", runLabel: run}
	maps.Copy(labels, s.Labels)
	pod := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
		AutomountServiceAccountToken: new(bool), EnableServiceLinks: new(bool), ServiceAccountName: s.ServiceAccount,
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Containers:  []corev1.Container{s.container(t, mark)},
		Volumes:     []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		SecurityContext: &corev1.PodSecurityContext{
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
	s.place(&pod, t)
	if s.HostHeaders {
		// Every Linux node has this folder, so the type holds everywhere and no
		// folder is made on a node.
		kind := corev1.HostPathDirectory
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "host-usr", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/usr", Type: &kind},
		}})
	}
	for _, name := range s.PullSecrets {
		pod.ImagePullSecrets = append(pod.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: jobName(t.Kernel, run, number), Namespace: s.Namespace, Labels: labels,
			Annotations: map[string]string{KernelAnnotation: t.Kernel, ArchAnnotation: t.Arch},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit: &none, ActiveDeadlineSeconds: &deadline, TTLSecondsAfterFinished: &gone,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
	if s.Owner != nil {
		job.OwnerReferences = []metav1.OwnerReference{*s.Owner}
	}
	return job
}

// place says on which nodes a pod may go. Only headers of the node need a node
// that runs the kernel; otherwise one of its architecture does, and those that run
// the kernel are preferred: they may be full, or gone by the time there is room.
func (s Settings) place(pod *corev1.PodSpec, t Target) {
	if s.Tolerations != nil {
		pod.Tolerations = s.Tolerations
	}
	if len(t.Nodes) > 0 && s.HostHeaders {
		pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: named(t.Nodes)},
		}}
		return
	}
	if len(s.NodeSelector) == 0 {
		pod.Affinity = nearNodes(t.Nodes)
	}
	pod.NodeSelector = map[string]string{corev1.LabelOSStable: "linux", corev1.LabelArchStable: t.Arch}
	maps.Copy(pod.NodeSelector, s.NodeSelector)
}

// container runs as root, since package managers do, with no capability but
// those that they unpack files with.
func (s Settings) container(t Target, mark string) corev1.Container {
	root, no := int64(0), false
	script := customScript()
	if s.Script == "" {
		script = Script(t.Recipe)
	}
	c := corev1.Container{
		Name: containerName, Image: t.Recipe.Image, Command: []string{"/bin/sh", "-c", script}, Env: s.environment(t, mark),
		VolumeMounts: []corev1.VolumeMount{{Name: "work", MountPath: workDir}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi")},
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: &root, AllowPrivilegeEscalation: &no, Privileged: &no,
			Capabilities: &corev1.Capabilities{
				Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID"},
			},
		},
	}
	if s.Image != "" {
		c.Image = s.Image
	}
	if len(s.Resources.Requests)+len(s.Resources.Limits) > 0 {
		c.Resources = s.Resources
	}
	if s.HostHeaders {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "host-usr", MountPath: hostUsr, ReadOnly: true})
	}
	return c
}

func (s Settings) environment(t Target, mark string) []corev1.EnvVar {
	env := map[string]string{
		"KERNEL_FULL_VERSION": t.Kernel, "PFRING_WORK": workDir, "PFRING_MARK": mark, "PFRING_SOURCE_URL": s.Source.URL,
		"PFRING_SOURCE_SHA256": s.Source.SHA256, "PFRING_SOURCE_TREE": s.Source.Tree, "PFRING_CA": s.CA, "PFRING_SCRIPT": s.Script, "PFRING_MIRRORS": mirrors(s.Mirrors),
	}
	if s.HostHeaders {
		env["PFRING_HOST_USR"] = hostUsr
	}
	for name, value := range s.Proxy {
		// curl and the package managers read the lower-case names.
		env[name+"_proxy"] = value
	}
	var list []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(env)) {
		// Kubernetes replaces $(NAME) and makes one of $$.
		if value := strings.ReplaceAll(env[name], "$", "$$"); value != "" {
			list = append(list, corev1.EnvVar{Name: name, Value: value})
		}
	}
	return list
}

// mirrors are lines of an address and its mirror.
func mirrors(m map[string]string) string {
	var lines []string
	for _, address := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, address+" "+m[address])
	}
	return strings.Join(lines, "\n")
}

// Weights of preferences, of which the scheduler adds up those that hold.
const (
	// onKernel is for a node that runs the kernel, which is known to be one of those
	// that the module is for.
	onKernel = 100
	// offControlPlane is for a node that is not of the control plane: builds tolerate
	// its taint.
	offControlPlane = 50
)

// nearNodes prefers nodes, and keeps a pod off those that only stand for another
// cluster, a service or nothing, whose taints it tolerates.
func nearNodes(names []string) *corev1.Affinity {
	stands := func(label string, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: label, Operator: corev1.NodeSelectorOpNotIn, Values: values}
	}
	real := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
		stands("type", "virtual-kubelet", "kwok"), stands("liqo.io/type", "virtual-node"), stands("eks.amazonaws.com/compute-type", "fargate"),
	}}
	worker := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.NodeSelectorOpDoesNotExist},
	}}
	preferred := []corev1.PreferredSchedulingTerm{{Weight: offControlPlane, Preference: worker}}
	for _, term := range named(names) {
		preferred = append(preferred, corev1.PreferredSchedulingTerm{Weight: onKernel, Preference: term})
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution:  &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{real}},
		PreferredDuringSchedulingIgnoredDuringExecution: preferred,
	}}
}

// named are terms that any of the nodes fits. A term can name one node only.
func named(names []string) []corev1.NodeSelectorTerm {
	terms := make([]corev1.NodeSelectorTerm, 0, len(names))
	for _, name := range names {
		terms = append(terms, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{name}},
		}})
	}
	return terms
}

// jobName is at most 63 characters long, as pods bear it in a label.
func jobName(kernel, run string, number int) string {
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(kernel))
	return fmt.Sprintf("pfring-build-%.32s-%s-%d", slug, run, number)
}
