package probe

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func daemonSet() *appsv1.DaemonSet {
	root, folder := int64(0), corev1.HostPathDirectoryOrCreate
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "pfring"}}
	ds.Spec.Template.Labels = map[string]string{"app.kubernetes.io/component": "agent", "team": "net"}
	ds.Spec.Template.Spec = corev1.PodSpec{
		ServiceAccountName: "pfring",
		InitContainers: []corev1.Container{{
			Name: "load", Image: "agent:1", Args: []string{"load"},
			Env:             []corev1.EnvVar{{Name: "PFRING_SOURCE_URL", Value: "file:///modules"}, {Name: "PFRING_STATE_FILE", Value: "/run/x/state.json"}},
			SecurityContext: &corev1.SecurityContext{RunAsUser: &root, Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_MODULE"}}, SELinuxOptions: &corev1.SELinuxOptions{Type: "spc_t"}},
			VolumeMounts: []corev1.VolumeMount{
				{Name: "outcome", MountPath: "/run/pfring"}, {Name: "state", MountPath: "/run/x"}, {Name: "sys", MountPath: "/host/sys", ReadOnly: true},
				{Name: "modules", MountPath: "/modules", ReadOnly: true}, {Name: "ca", MountPath: "/etc/pfring/ca", ReadOnly: true},
			},
		}},
		Containers: []corev1.Container{{Name: "run", Image: "agent:1"}},
		Volumes: []corev1.Volume{
			{Name: "outcome", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "state", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/run/x", Type: &folder}}},
			{Name: "sys", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/sys"}}},
			{Name: "modules", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv/modules"}}},
			{Name: "ca", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
		},
	}
	return ds
}

func runOf(o Options) *runner {
	o.DaemonSet = daemonSet()
	return &runner{Options: o, id: "abc", report: &Report{}, active: map[string]*attempt{}}
}

func names(t corev1.PodTemplateSpec) (volumes, env string) {
	for _, v := range t.Spec.Volumes {
		volumes += v.Name + " "
	}
	for _, e := range t.Spec.Containers[0].Env {
		env += e.Name + " "
	}
	return volumes, env
}

func TestThePodSeesNoMoreOfTheHostThanItsForm(t *testing.T) {
	for f, want := range map[form]struct{ volumes, env string }{
		seesHost:   {"modules ca host-sys ", "PFRING_SOURCE_URL PFRING_LOAD_TIMEOUT PFRING_PROBE_REGISTRIES "},
		restricted: {"ca ", "PFRING_LOAD_TIMEOUT PFRING_PROBE_REGISTRIES PFRING_HOST_SYS "},
		anyUser:    {"ca ", "PFRING_LOAD_TIMEOUT PFRING_PROBE_REGISTRIES PFRING_HOST_SYS "},
	} {
		pod, err := runOf(Options{Registries: []string{"r.example"}, Image: "mine:2"}).template(f)
		if err != nil {
			t.Fatal(err)
		}
		volumes, env := names(pod)
		if volumes != want.volumes || env != want.env {
			t.Errorf("form %d has %s and %s", f, volumes, env)
		}
		c, p := pod.Spec.Containers[0], pod.Spec.SecurityContext
		if len(c.SecurityContext.Capabilities.Add) > 0 || *c.SecurityContext.AllowPrivilegeEscalation || c.Image != "mine:2" || len(pod.Spec.InitContainers) > 0 {
			t.Errorf("form %d: %+v", f, c)
		}
		root := c.SecurityContext.RunAsUser != nil && *c.SecurityContext.RunAsUser == 0
		if root != (f == seesHost) || (f == restricted) != (p.RunAsUser != nil) || (f != seesHost) != (p.RunAsNonRoot != nil && *p.RunAsNonRoot) {
			t.Errorf("form %d: %+v %+v", f, c.SecurityContext, p)
		}
		if pod.Labels["app.kubernetes.io/component"] != "probe" || pod.Labels["team"] != "net" || pod.Labels[runLabel] != "abc" {
			t.Errorf("labels %v", pod.Labels)
		}
	}
	if ds := daemonSet(); ds.Spec.Template.Labels["app.kubernetes.io/component"] != "agent" {
		t.Error("the DaemonSet was changed")
	}
}

func TestAJobEndsAndGoesByItself(t *testing.T) {
	r := runOf(Options{Release: strings.Repeat("r", 53)})
	var err error
	if r.pod, err = r.template(restricted); err != nil {
		t.Fatal(err)
	}
	name := r.jobName(1234)
	j := r.job(name, "n1")
	if len(name) > 63 || *j.Spec.BackoffLimit != 0 || *j.Spec.TTLSecondsAfterFinished != 120 || *j.Spec.ActiveDeadlineSeconds != 120 {
		t.Errorf("%s: %+v", name, j.Spec)
	}
	terms := j.Spec.Template.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || terms[0].MatchFields[0].Values[0] != "n1" || j.Spec.Template.Spec.NodeName != "" {
		t.Errorf("%+v", terms)
	}
}

func TestGroupsAreTriedOnTheirBestNodes(t *testing.T) {
	n := func(name, kernel, zone string) Node {
		return Node{Name: name, Kernel: kernel, Arch: "amd64", Zone: zone, Ready: true}
	}
	cordoned, down, tainted := n("a", "6.1", "z1"), n("b", "6.1", "z1"), n("d", "6.2", "z1")
	cordoned.Cordoned, down.Ready, tainted.Taint = true, false, "db=yes:NoSchedule"
	r := runOf(Options{Nodes: []Node{n("f", "6.1", "z1"), cordoned, down, n("c", "6.1", "z1"), n("x", "6.1", "z2"), tainted}})
	usable := r.groups()
	if len(r.known) != 3 || len(usable) != 2 || !slices.Equal(usable[0].candidates, []string{"c", "f"}) || usable[0].result.Nodes != 4 {
		t.Errorf("%+v", usable)
	}
	if why := r.known[2].result.Why(); why.Reason != reasonTaint || !strings.Contains(why.Message, "db=yes") {
		t.Errorf("%+v", why)
	}
	cordonedOnly := runOf(Options{Nodes: []Node{cordoned}}).groups()
	if len(cordonedOnly) != 1 || cordonedOnly[0].candidates[0] != "a" {
		t.Errorf("%+v", cordonedOnly)
	}
}

func TestAPodsStatusIsRead(t *testing.T) {
	line, err := outcome.Probe{Node: "n1"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pod := func(phase corev1.PodPhase, reason string, state corev1.ContainerState) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{Phase: phase, Reason: reason, Message: "so it is", ContainerStatuses: []corev1.ContainerStatus{{State: state}}}}
	}
	terminated := func(code int32, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: message}}
	}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "back-off"}}
	}
	unschedulable := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes"}}}}
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		waited time.Duration
		report bool
		reason string
	}{
		"an answer":                  {pod("Succeeded", "", terminated(0, string(line))), 0, true, ""},
		"an answer with a no":        {pod("Failed", "", terminated(1, string(line))), 0, true, ""},
		"crashed":                    {pod("Failed", "", terminated(139, "")), 0, false, reasonNoReport},
		"evicted while it ran":       {pod("Failed", "Evicted", terminated(137, "")), 0, false, reasonEvicted},
		"evicted before":             {pod("Failed", "Evicted", corev1.ContainerState{}), 0, false, reasonEvicted},
		"pulling":                    {pod("Pending", "", waiting("ContainerCreating")), time.Minute, false, ""},
		"one failed pull":            {pod("Pending", "", waiting("ErrImagePull")), time.Minute, false, ""},
		"more failed pulls":          {pod("Pending", "", waiting("ImagePullBackOff")), 0, false, reasonImagePull},
		"a missing Secret":           {pod("Pending", "", waiting("CreateContainerConfigError")), 0, false, reasonVolume},
		"no room just now":           {unschedulable, time.Second, false, ""},
		"no room":                    {unschedulable, time.Minute, false, reasonUnschedulable},
		"running":                    {pod("Running", "", corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), time.Minute, false, ""},
		"nothing is known of it yet": {&corev1.Pod{}, 0, false, ""},
	} {
		report, failed := read(test.pod, test.waited)
		if (report != nil) != test.report || (failed != nil) != (test.reason != "") || failed != nil && failed.Reason != test.reason {
			t.Errorf("%s: %+v, %+v", name, report, failed)
		}
	}
}

func TestRefusalsAreToldApart(t *testing.T) {
	forbidden := func(text string) error {
		return apierrors.NewForbidden(corev1.Resource("pods"), "x", errors.New(text))
	}
	for want, err := range map[string]error{
		reasonPodSecurity: forbidden(`violates PodSecurity "restricted:latest": hostPath volumes`),
		reasonQuota:       forbidden("exceeded quota: none, requested: pods=1"),
		reasonForbidden:   forbidden(`User "u" cannot create resource "jobs"`),
		reasonRefused:     forbidden("no PriorityClass with name x was found"),
	} {
		if f := refusal("n", err); f.Reason != want || f.Node != "n" || f.Message == "" {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

func TestAVolumeThatDoesNotComeAndAPodThatIsNotMadeAreFoundByTheirEvents(t *testing.T) {
	event := func(name, kind, object, reason, message string, at time.Time) runtime.Object {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}, Type: corev1.EventTypeWarning, Reason: reason, Message: message,
			InvolvedObject: corev1.ObjectReference{Kind: kind, Name: object}, LastTimestamp: metav1.NewTime(at),
		}
	}
	now := time.Now()
	client := fake.NewClientset(
		event("a", "Pod", "p", "FailedScheduling", "old", now.Add(-time.Hour)), event("b", "Pod", "p", "FailedMount", `secret "x" not found`, now),
		event("c", "Job", "j", "FailedCreate", "exceeded quota: none", now),
	)
	client.PrependReactor("list", "events", selectEvents(client))
	r := runOf(Options{Clients: Clients{Events: client.CoreV1().Events("ns")}})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{Phase: corev1.PodPending}}
	if f := r.whyPending(t.Context(), &attempt{node: "n1"}, pod, time.Second); f != nil {
		t.Errorf("too early: %+v", f)
	}
	if f := r.whyPending(t.Context(), &attempt{node: "n1"}, pod, time.Minute); f == nil || f.Reason != reasonVolume || !strings.Contains(f.Message, "not found") {
		t.Errorf("%+v", f)
	}
	if f := r.whyNoPod(t.Context(), &attempt{job: "j", node: "n1"}, time.Minute); f == nil || f.Reason != reasonQuota {
		t.Errorf("%+v", f)
	}
	if f := r.whyNoPod(t.Context(), &attempt{job: "other"}, time.Minute); f != nil {
		t.Errorf("%+v", f)
	}
}

// selectEvents does what the fake does not: it honors the field selector.
func selectEvents(client *fake.Clientset) clienttesting.ReactionFunc {
	return func(action clienttesting.Action) (bool, runtime.Object, error) {
		fields := action.(clienttesting.ListAction).GetListRestrictions().Fields
		all, err := client.Tracker().List(corev1.SchemeGroupVersion.WithResource("events"), corev1.SchemeGroupVersion.WithKind("Event"), "ns")
		if err != nil {
			return true, nil, err
		}
		list := &corev1.EventList{}
		for _, e := range all.(*corev1.EventList).Items {
			if name, found := fields.RequiresExactMatch("involvedObject.name"); found && name == e.InvolvedObject.Name {
				list.Items = append(list.Items, e)
			}
		}
		return true, list, nil
	}
}

func TestWhoMayNotReadPodsIsToldSoAtOnce(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no"))
	})
	report, err := Run(t.Context(), Options{
		Clients:   Clients{Jobs: client.BatchV1().Jobs("ns"), Pods: client.CoreV1().Pods("ns"), Events: client.CoreV1().Events("ns"), ServiceAccounts: client.CoreV1().ServiceAccounts("ns")},
		Namespace: "ns", Release: "pfring", DaemonSet: daemonSet(), Nodes: []Node{{Name: "n1", Kernel: "6.1", Arch: "amd64", Ready: true}}, Timeout: time.Minute,
	})
	if err != nil || report.Results[0].Why().Reason != reasonForbidden || !report.DefaultAccount {
		t.Errorf("%+v, %v", report, err)
	}
	if jobs, err := client.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{}); err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d Jobs are left, %v", len(jobs.Items), err)
	}
}

func TestWhatCannotBeRemovedIsTold(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("*", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no more") })
	r := runOf(Options{Clients: Clients{Jobs: client.BatchV1().Jobs("ns")}})
	r.remove(t.Context())
	if r.report.Left == nil {
		t.Error("nothing is reported")
	}
}

func TestTheReportOfNoNodesIsEmpty(t *testing.T) {
	report, err := Run(t.Context(), Options{DaemonSet: daemonSet()})
	if err != nil || len(report.Results) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}
