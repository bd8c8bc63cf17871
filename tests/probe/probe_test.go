package probe_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func twoKernels(i int) string {
	if i%2 == 0 {
		return newKernel
	}
	return oldKernel
}

func TestAHealthyClusterHasNoFinding(t *testing.T) {
	b := newBed(t, 3, "")
	b.addNodes(6, kube.Node{Prefix: "x", Kernel: twoKernels})
	url, key := locked(t)
	if _, err := shared.Client.CoreV1().Secrets(b.namespace).Create(b.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "login"}, StringData: map[string]string{"username": "ann", "password": "secret"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f := b.check(0, append(source(t, url, key), "--set", "tap.kernelModule.source.credentialsSecret=login",
		"--set", "tap.docker.imagePullSecrets[0]=pull,tap.labels.team=net,tap.kernelModule.agent.image.tag=v9")...)
	f.want("probe.ran", prereq.OK, "", "6 of 6 groups of 9 nodes").want("egress.source", prereq.OK, "", "9 nodes").others()
	sameEnvironment(t, b.pod())
}

// sameEnvironment holds a pod to what the DaemonSet would give the agent, less
// what it does not need.
func sameEnvironment(t *testing.T, pod corev1.Pod) {
	t.Helper()
	c := pod.Spec.Containers[0]
	var hostPaths, mounts []string
	for _, v := range pod.Spec.Volumes {
		if v.HostPath != nil {
			hostPaths = append(hostPaths, v.HostPath.Path)
		}
	}
	for _, m := range c.VolumeMounts {
		if !m.ReadOnly {
			t.Errorf("%s may be written", m.MountPath)
		}
		mounts = append(mounts, m.MountPath)
	}
	slices.Sort(mounts)
	caps := c.SecurityContext.Capabilities
	for what, ok := range map[string]bool{
		"image":        strings.HasSuffix(c.Image, "pfring-agent:v9") && slices.Equal(c.Args, []string{"probe"}),
		"host":         slices.Equal(hostPaths, []string{"/sys"}) && !pod.Spec.HostNetwork && !pod.Spec.HostPID,
		"mounts":       slices.Equal(mounts, []string{"/etc/pfring/ca", "/etc/pfring/credentials", "/host/sys"}),
		"capabilities": len(caps.Add) == 0 && slices.Equal(caps.Drop, []corev1.Capability{"ALL"}) && *c.SecurityContext.ReadOnlyRootFilesystem,
		"token":        pod.Spec.AutomountServiceAccountToken != nil && !*pod.Spec.AutomountServiceAccountToken,
		"pull secret":  len(pod.Spec.ImagePullSecrets) == 1 && pod.Spec.ImagePullSecrets[0].Name == "pull",
		"tolerations":  slices.ContainsFunc(pod.Spec.Tolerations, func(o corev1.Toleration) bool { return o.Effect == "NoExecute" && o.Key == "" }),
		"labels":       pod.Labels["team"] == "net" && pod.Labels["app.kubernetes.io/instance"] == "pfring" && pod.Labels["app.kubernetes.io/component"] == "probe",
		"once":         pod.Spec.RestartPolicy == corev1.RestartPolicyNever,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, pod.Spec)
		}
	}
}

func TestKernelsSayWhatStandsInTheWay(t *testing.T) {
	b := newBed(t, 3, "")
	b.addNodes(3, kube.Node{Prefix: "x", Kernel: func(int) string { return oldKernel }})
	for name, test := range map[string]struct {
		all, old kube.Machine
		check    func(findings)
		code     int
	}{
		"locked down": {old: kube.Machine{"hostsys/kernel/security/lockdown": "none [integrity] confidentiality\n"}, check: func(f findings) {
			f.want("probe.signatures", prereq.Warning, "signature-required", "3 of 6 nodes", oldKernel, "lockdown integrity").others("probe.signatures")
		}},
		"signatures everywhere": {all: kube.Machine{"sys/module/module/parameters/sig_enforce": "Y\n"}, code: 1, check: func(f findings) {
			f.want("probe.signatures", prereq.Error, "signature-required", "every probed kernel", "sig_enforce yes").others("probe.signatures")
		}},
		"not to be seen": {old: kube.Machine{"hostsys/kernel/security/lockdown": "-"}, check: func(f findings) {
			f.want("probe.signatures", prereq.Warning, "lockdown-unknown", "does not report them").others("probe.signatures")
		}},
		"no modules": {old: kube.Machine{"proc/modules": "-"}, check: func(f findings) {
			f.want("probe.modules", prereq.Warning, "kernel-takes-no-module", "3 of 6", "does not support modules").others("probe.modules")
		}},
		"modules disabled": {all: kube.Machine{"proc/sys/kernel/modules_disabled": "1\n"}, code: 1, check: func(f findings) {
			f.want("probe.modules", prereq.Error, "kernel-takes-no-module", "modules_disabled is 1").others("probe.modules")
		}},
		"another version": {
			old: kube.Machine{"proc/modules": "pf_ring 1 3 - Live 0x0\n", "sys/module/pf_ring/version": "8.4.0\n", "proc/net/pf_ring/info": "x"},
			check: func(f findings) {
				f.want("probe.loaded", prereq.Warning, "other-version-loaded", "8.4.0 is loaded, used by 3", "has 8.9.0", "replaceLoaded").others("probe.loaded")
			},
		},
		"the same version": {
			all: kube.Machine{"proc/modules": "pf_ring 1 0 - Live 0x0\n", "sys/module/pf_ring/version": "8.9.0\n"},
			check: func(f findings) {
				f.want("probe.loaded", prereq.OK, "", "8.9.0 is loaded").others()
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.run(func(*corev1.Pod, *corev1.Node) *kube.Result { return nil }, func(n *corev1.Node) kube.Machine {
				m := maps.Clone(test.all)
				if m == nil {
					m = kube.Machine{}
				}
				if n.Status.NodeInfo.KernelVersion == oldKernel {
					maps.Copy(m, test.old)
				}
				return m
			})
			test.check(b.check(test.code, served(t, nil)...))
		})
	}
}

func TestEgressIsWhatThePodsSee(t *testing.T) {
	b := newBed(t, 1, "")
	dir, key := files(t, nil)
	s := httptest.NewTLSServer(http.FileServer(http.Dir(dir)))
	defer s.Close()
	good, passed := proxy(t, host(s.URL), false)
	bad, _ := proxy(t, host(s.URL), true)
	// The test servers' certificate is for this name, which no DNS is asked for
	// behind a proxy.
	through := func(url string) []string {
		return append(source(t, "https://example.com", key), "--set", "tap.kernelModule.source.proxy.https="+url)
	}
	b.check(1, source(t, "https://"+closed(t), key)...).
		want("egress.source", prereq.Error, "source-unreachable", "connection refused", "NetworkPolicy").others("egress.source")
	b.check(1, source(t, "https://modules.invalid", key)...).
		want("egress.source", prereq.Error, "source-unreachable", "modules.invalid").others("egress.source")
	b.check(0, through(good)...).want("egress.source", prereq.OK, "").others()
	if passed.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	b.check(1, through(bad)...).want("egress.source", prereq.Error, "source-unreachable", "Forbidden").others("egress.source")
	b.check(1, through("http://"+closed(t))...).want("egress.source", prereq.Error, "source-unreachable", "refused").others("egress.source")
}

func TestRegistriesOfModuleImagesAreAskedInKMM(t *testing.T) {
	b := newBed(t, 1, "")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://127.0.0.1/token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	args := func(registry string) []string {
		return []string{
			"--mode", "kmm", "--set", "tap.kernelModule.kernelMappings[0].regexp=^.+$",
			"--set-string", "tap.kernelModule.kernelMappings[0].containerImage=" + registry + "/pf-ring:${KERNEL_FULL_VERSION}",
			"--set", `tap.kernelModule.kmm.selector.pfring\.test/set=` + b.namespace,
		}
	}
	b.check(0, args(host(s.URL))...).want("egress.registries", prereq.OK, "", "1 node").others()
	b.check(1, args(closed(t))...).want("egress.registries", prereq.Error, "source-unreachable", "refused", "plan --no-egress").others("egress.registries")
}

func TestANamespaceThatIsRestrictedIsProbedWithoutTheHost(t *testing.T) {
	for _, mode := range []string{"auto", "kmm"} {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, 1, "restricted")
			s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			defer s.Close()
			args := append(served(t, nil), "--mode", mode, "--set", "tap.kernelModule.kernelMappings[0].regexp=^.+$",
				"--set", "tap.kernelModule.kernelMappings[0].containerImage="+host(s.URL)+"/pf-ring:x",
				"--set", `tap.kernelModule.kmm.selector.pfring\.test/set=`+b.namespace)
			b.check(0, args...).want("probe.signatures", prereq.Warning, "lockdown-unknown", "refuses pods that see the host's /sys", "restricted").others("probe.signatures")
			pod := b.pod()
			if u := pod.Spec.SecurityContext.RunAsUser; u == nil || *u != 65532 || slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil }) {
				t.Errorf("%+v", pod.Spec)
			}
		})
	}
}

func TestWhereItCannotRunTheReasonIsTold(t *testing.T) {
	waiting := func(reason, message string) *kube.Result {
		return &kube.Result{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	for name, test := range map[string]struct {
		result  *kube.Result
		prepare func(b *bed)
		args    []string
		reason  string
		says    string
	}{
		"no image":        {result: waiting("ImagePullBackOff", `Back-off pulling image "x": not found`), reason: "image-pull", says: "not found"},
		"no such name":    {result: waiting("InvalidImageName", "cannot parse"), reason: "image-pull", says: "cannot parse"},
		"evicted":         {result: &kube.Result{Evicted: "The node was low on resource: memory."}, reason: "evicted", says: "low on resource"},
		"another image":   {result: &kube.Result{ExitCode: 1, Message: "exec format error"}, reason: "no-report", says: "exec format error"},
		"a missing key":   {args: []string{"--set", "tap.kernelModule.source.credentialsSecret=nothing"}, reason: "volume-missing", says: "nothing"},
		"no room":         {args: []string{"--set", "tap.kernelModule.agent.resources.requests.cpu=100"}, reason: "unschedulable", says: "Insufficient cpu"},
		"nothing is left": {prepare: func(b *bed) { b.quota() }, reason: "quota-exceeded", says: "exceeded quota"},
		"not ready":       {prepare: func(b *bed) { b.notReady() }, reason: "node-not-ready", says: "not ready"},
		"tainted": {prepare: func(b *bed) { b.taint() }, args: []string{"--set", "tap.kernelModule.agent.tolerations[0].key=other,tap.kernelModule.agent.tolerations[0].operator=Exists"},
			reason: "taint-not-tolerated", says: "db=yes"},
		"no class": {args: []string{"--set", "tap.kernelModule.agent.priorityClassName=nothing"}, reason: "pod-refused", says: "no PriorityClass"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1, "")
			if test.result != nil {
				b.run(func(*corev1.Pod, *corev1.Node) *kube.Result { return test.result }, nil)
			}
			if test.prepare != nil {
				test.prepare(b)
			}
			f := b.check(1, append(served(t, nil), test.args...)...)
			f.want("probe.ran", prereq.Error, "probe-impossible", test.says, "["+test.reason+"]")
			f.want("egress.source", prereq.Skipped, "", "depends on probe.ran").want("probe.modules", prereq.Skipped, "")
		})
	}
}

func (b *bed) quota() {
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}}}
	if _, err := shared.Client.CoreV1().ResourceQuotas(b.namespace).Create(b.ctx, q, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) notReady() {
	n, err := shared.Client.CoreV1().Nodes().Get(b.ctx, b.nodes[0], metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == corev1.NodeReady {
			n.Status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
	if _, err := shared.Client.CoreV1().Nodes().UpdateStatus(b.ctx, n, metav1.UpdateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) taint() {
	n, err := shared.Client.CoreV1().Nodes().Get(b.ctx, b.nodes[0], metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "db", Value: "yes", Effect: corev1.TaintEffectNoSchedule})
	if _, err := shared.Client.CoreV1().Nodes().Update(b.ctx, n, metav1.UpdateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func TestAnotherNodeOfTheGroupIsTried(t *testing.T) {
	b := newBed(t, 6, "") // two in each zone
	b.run(func(_ *corev1.Pod, n *corev1.Node) *kube.Result {
		if n.Name == b.nodes[0] {
			return &kube.Result{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "disk full"}}
		}
		return nil
	}, nil)
	b.check(0, served(t, nil)...).want("probe.ran", prereq.OK, "", "3 of 3 groups", b.nodes[0], "disk full", "[image-pull]", "instead").others()
}

func TestWithoutProbeEgressReadsNotTested(t *testing.T) {
	b := newBed(t, 1, "")
	r := b.pfringIn(append([]string{"prereq", "check", "--mode", "both", "--only", "api,egress", "--set", `tap.kernelModule.kmm.selector.pfring\.test/set=` + b.namespace}, served(t, nil)...)...)
	for _, id := range []string{"egress.source", "egress.registries"} {
		if !strings.Contains(r.out, "skipped "+id+": not tested from the nodes. --probe tests it") {
			t.Errorf("%s: exit %d\n%s%s", id, r.code, r.out, r.err)
		}
	}
	if strings.Contains(r.out, "probe.") || len(b.jobs()) > 0 {
		t.Errorf("something was probed:\n%s", r.out)
	}
}
