package inject

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func suricata(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/suricata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func workloadOptions(change func(*Options)) Options {
	return options(func(o *Options) {
		o.Workload, o.WaitWith = "daemonset/suricata", WithWorker
		if change != nil {
			change(o)
		}
	})
}

func TestAWorkloadIsMadeToWait(t *testing.T) {
	in := suricata(t)
	o := workloadOptions(nil)
	r, err := Inject(in, o)
	if err != nil || r.Workers != 1 || len(r.Warnings) > 0 {
		t.Fatalf("%v %q", err, r.Warnings)
	}
	golden(t, "suricata.workload", r.Text)
	again, err := Inject(r.Text, o)
	if err != nil || !bytes.Equal(again.Text, r.Text) {
		t.Errorf("injecting twice is not once: %v\n%s", err, again.Text)
	}
	back, err := RemoveWorkload(r.Text, o)
	if err != nil || !bytes.Equal(back.Text, in) {
		t.Errorf("removing does not give back what was there: %v\n%s", err, back.Text)
	}
}

func TestWorkloads(t *testing.T) {
	plain := string(suricata(t))
	two := strings.Replace(plain, "      containers:\n", "      containers:\n        - name: exporter\n          image: x:1\n", 1)
	for name, test := range map[string]struct {
		text   string
		change func(*Options)
		has    []string
		warns  string
		fails  string
	}{
		"another name":         {text: plain, change: func(o *Options) { o.Workload = "daemonset/zeek" }},
		"another kind":         {text: plain, change: func(o *Options) { o.Workload = "deployment/suricata" }},
		"a Deployment":         {text: strings.Replace(plain, "kind: DaemonSet", "kind: Deployment", 1), change: func(o *Options) { o.Workload = "Deployment/suricata" }, has: []string{"pfring-wait", "NET_ADMIN"}},
		"kubectl's short name": {text: plain, change: func(o *Options) { o.Workload = "ds/suricata" }, has: []string{"pfring-wait", "NET_ADMIN"}},
		"a kind without nodes": {text: plain, change: func(o *Options) { o.Workload = "job/suricata" }, fails: "must be daemonset/NAME"},
		"two containers":       {text: two, fails: "--container is required"},
		"one of them":          {text: two, change: func(o *Options) { o.Container = "suricata" }, has: []string{`image: "jasonish/suricata:8.0"`, "NET_ADMIN"}},
		"none of them":         {text: two, change: func(o *Options) { o.Container = "zeek" }, fails: `container "zeek" not found, only exporter, suricata`},
		"the agent waits":      {text: plain, change: func(o *Options) { o.WaitWith, o.Image = withAuto, "x/pfring-agent:1" }, has: []string{"image: \"x/pfring-agent:1\"", "PFRING_INJECTED"}},
		"privileged":           {text: strings.Replace(plain, "                - SYS_NICE\n", "                - SYS_NICE\n            privileged: true\n", 1), fails: ""},
		"a network of its own": {text: strings.Replace(plain, "      hostNetwork: true\n", "", 1), has: []string{"pfring-wait"}, warns: "hostNetwork"},
		"not root":             {text: strings.Replace(plain, "      hostNetwork: true\n", "      hostNetwork: true\n      securityContext: {runAsUser: 1000}\n", 1), has: []string{"pfring-wait"}, warns: "does not run as root"},
		"no choice":            {text: plain, change: func(o *Options) { o.WaitWith = withAuto }, fails: "--workload requires --wait-with worker"},
		"no kind":              {text: plain, change: func(o *Options) { o.Workload = "suricata" }, fails: "must be daemonset/NAME"},
		"JSON":                 {text: `{"kind":"DaemonSet","metadata":{"name":"suricata"},"spec":{"template":{"spec":{"hostNetwork":true,"containers":[{"name":"a","image":"b:1"}]}}}}`, has: []string{`"name":"pfring-wait"`, `"add":["NET_ADMIN","NET_RAW"]`}},
	} {
		o := workloadOptions(test.change)
		r, err := Inject([]byte(test.text), o)
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: %v, want %s", name, err, test.fails)
			}
			continue
		}
		if err != nil || strings.Contains(strings.Join(r.Warnings, "\n"), test.warns) != true || len(r.Warnings) > 0 && test.warns == "" {
			t.Errorf("%s: %v %q", name, err, r.Warnings)
			continue
		}
		for _, want := range test.has {
			if !strings.Contains(string(r.Text), want) {
				t.Errorf("%s: %s is missing:\n%s", name, want, r.Text)
			}
		}
		if len(test.has) == 0 && name != "privileged" && string(r.Text) != test.text {
			t.Errorf("%s: something was changed:\n%s", name, r.Text)
		}
		again, err := Inject(r.Text, o)
		if err != nil || !bytes.Equal(again.Text, r.Text) {
			t.Errorf("%s: injecting twice is not once: %v\n%s", name, err, again.Text)
		}
		if back, err := RemoveWorkload(r.Text, o); err != nil || bytes.Contains(back.Text, []byte("pfring-wait")) || bytes.Contains(back.Text, []byte("NET_ADMIN")) {
			t.Errorf("%s: something is left: %v\n%s", name, err, back.Text)
		}
	}
}

func FuzzWorkload(f *testing.F) {
	text, err := os.ReadFile("testdata/suricata.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, in []byte) {
		o := workloadOptions(nil)
		r, err := Inject(in, o)
		if err != nil || r.Workers == 0 {
			return
		}
		if again, err := Inject(r.Text, o); err != nil || !bytes.Equal(again.Text, r.Text) {
			t.Errorf("injecting twice is not once: %v\n%q\n%q", err, r.Text, again.Text)
		}
	})
}
