package build

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
)

func testJob(t *testing.T, kernel string, change func(*Settings)) corev1.PodSpec {
	t.Helper()
	source, err := NewSource("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := RecipeFor(debian)
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Namespace: "builds", Source: source, Timeout: time.Minute}
	if change != nil {
		change(&s)
	}
	job := s.Job(Target{Kernel: kernel, Arch: "amd64", Nodes: []string{"a", "b"}, Recipe: recipe}, "abc123", mark, 12)
	if faults := validation.IsDNS1123Label(job.Name); len(faults) > 0 {
		t.Errorf("%s: %v", job.Name, faults)
	}
	for _, labels := range []map[string]string{job.Labels, job.Spec.Template.Labels} {
		for k, v := range labels {
			if faults := slices.Concat(validation.IsQualifiedName(k), validation.IsValidLabelValue(v)); len(faults) > 0 {
				t.Errorf("label %s=%s: %v", k, v, faults)
			}
		}
	}
	if *job.Spec.BackoffLimit != 0 || *job.Spec.ActiveDeadlineSeconds != 60 || *job.Spec.TTLSecondsAfterFinished != ttl {
		t.Errorf("a Job whose maker is killed would stay: %+v", job.Spec)
	}
	return job.Spec.Template.Spec
}

// Headers of the node are on a node that runs the kernel alone. Else a build takes
// what room there is, on another node of the architecture if it must.
func TestWhereABuildMayRun(t *testing.T) {
	names := func(terms []corev1.NodeSelectorTerm) string {
		var list []string
		for _, term := range terms {
			for _, field := range term.MatchFields {
				list = append(list, field.Values...)
			}
		}
		return strings.Join(list, " ")
	}
	for name, c := range map[string]struct {
		change              func(*Settings)
		required, preferred string
		labels              int
		free                bool
	}{
		"headers of the node":                      {func(s *Settings) { s.HostHeaders = true }, "a b", "", 0, false},
		"headers of packages":                      {nil, "", "a b", 2, false},
		"nodes of the values":                      {func(s *Settings) { s.NodeSelector = map[string]string{"builds": "yes"} }, "", "", 3, true},
		"nodes of the values, headers of the node": {func(s *Settings) { s.HostHeaders, s.NodeSelector = true, map[string]string{"builds": "yes"} }, "a b", "", 0, false},
	} {
		pod := testJob(t, "6.1.0-18-amd64", c.change)
		if len(pod.NodeSelector) != c.labels || (pod.Affinity == nil) != c.free {
			t.Errorf("%s: %+v and labels %v", name, pod.Affinity, pod.NodeSelector)
		}
		if c.free {
			continue
		}
		affinity := pod.Affinity.NodeAffinity
		required := affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		var preferred []corev1.NodeSelectorTerm
		for _, term := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
			preferred = append(preferred, term.Preference)
		}
		if names(required) != c.required || names(preferred) != c.preferred {
			t.Errorf("%s: %+v", name, affinity)
		}
		if c.required == "" && len(required[0].MatchExpressions) != 3 {
			t.Errorf("%s: it may go to a virtual node: %+v", name, required)
		}
	}
}

func TestAJobHasNoMorePrivilegeThanUnpackingTakes(t *testing.T) {
	for _, kernel := range []string{"6.1.0-18-amd64", "5.14.0-503.el9.aarch64+64k", "6.12.95+deb12-cloud-amd64", strings.Repeat("6.1.", 30)} {
		pod := testJob(t, kernel, nil)
		c := pod.Containers[0]
		sc := c.SecurityContext
		if *sc.Privileged || *sc.AllowPrivilegeEscalation || sc.Capabilities.Drop[0] != "ALL" || slices.Contains(sc.Capabilities.Add, "SYS_MODULE") || slices.Contains(sc.Capabilities.Add, "SYS_ADMIN") {
			t.Errorf("%+v", sc)
		}
		if *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.HostPID {
			t.Errorf("%+v", pod)
		}
		if len(pod.Volumes) != 1 || strings.Contains(c.Command[2], "$$") {
			t.Errorf("volumes %+v; or a $$ in the script, which Kubernetes would change", pod.Volumes)
		}
	}
}

func TestTheNodesUsrIsMountedToReadOnly(t *testing.T) {
	pod := testJob(t, "6.1.0-18-amd64", func(s *Settings) { s.HostHeaders = true })
	host := pod.Volumes[1].HostPath
	if host == nil || host.Path != "/usr" || *host.Type != corev1.HostPathDirectory || !pod.Containers[0].VolumeMounts[1].ReadOnly {
		t.Errorf("%+v %+v", pod.Volumes, pod.Containers[0].VolumeMounts)
	}
}

func TestSettingsReachTheScript(t *testing.T) {
	pod := testJob(t, "6.1.0-18-amd64", func(s *Settings) {
		s.Image, s.Script, s.PullSecrets, s.ServiceAccount = "mirror.example.com/builder:1", "#!/bin/bash\necho $(KERNEL_FULL_VERSION) $$ ${x}", []string{"mirror"}, "builder"
		s.Proxy, s.CA = map[string]string{"https": "http://proxy:3128", "no": ".svc", "http": ""}, "-----BEGIN CERTIFICATE-----\n"
	})
	c := pod.Containers[0]
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	// As the kubelet hands it on.
	script := strings.ReplaceAll(env["PFRING_SCRIPT"], "$$", "$")
	if script != "#!/bin/bash\necho $(KERNEL_FULL_VERSION) $$ ${x}" {
		t.Errorf("script %q", script)
	}
	if c.Image != "mirror.example.com/builder:1" || c.Command[2] != customScript() || pod.ImagePullSecrets[0].Name != "mirror" || pod.ServiceAccountName != "builder" {
		t.Errorf("%+v", pod)
	}
	if env["https_proxy"] != "http://proxy:3128" || env["no_proxy"] != ".svc" || env["PFRING_CA"] == "" || env["PFRING_MARK"] != mark || env["KERNEL_FULL_VERSION"] != "6.1.0-18-amd64" {
		t.Errorf("%v", env)
	}
	if _, empty := env["http_proxy"]; empty {
		t.Error("an empty variable is set")
	}
}

func TestAScriptNeedsNoRecipe(t *testing.T) {
	s := Settings{Script: "cp /pf_ring.ko $PFRING_OUT", Image: "builder", Timeout: time.Minute}
	job := s.Job(Target{Kernel: "4.19.0-custom", Arch: "amd64", Nodes: []string{"a"}}, "abc123", mark, 0)
	if c := job.Spec.Template.Spec.Containers[0]; c.Image != "builder" || c.Command[2] != customScript() {
		t.Errorf("%+v", c)
	}
}

// A script goes into the environment of a process, which Linux bounds.
func TestAScriptThatNoJobCanHoldIsRefused(t *testing.T) {
	for size, good := range map[int]bool{maxScript: true, maxScript + 1: false} {
		if _, err := NewBuilder(&rest.Config{Host: "http://127.0.0.1:1"}, Settings{Script: strings.Repeat("#", size)}); (err == nil) != good {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// Where no agent can run, no build can: the chart and a Job name the same labels.
func TestABuildKeepsOffTheNodesThatTheChartKeepsTheAgentOff(t *testing.T) {
	const template = "../../charts/kubeshark-pfring/templates/_scheduling.tpl"
	text, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`\(dict "key" "([^"]+)" "operator" "NotIn" "values" \(list ([^)]+)\)\)`).FindAllStringSubmatch(string(text), -1) {
		want = append(want, m[1]+" "+strings.ReplaceAll(m[2], `"`, ""))
	}
	var got []string
	required := testJob(t, "6.1.0-18-amd64", nil).Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	for _, r := range required.NodeSelectorTerms[0].MatchExpressions {
		got = append(got, r.Key+" "+strings.Join(r.Values, " "))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("a Job keeps off %q, and %s off %q", got, template, want)
	}
}
