package inject

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
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
	goldentest.File(t, goldenFile("suricata.workload"), r.Text)
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

// What is written once and used twice would change in both places, or be lost.
func TestAWorkloadWithAnchorsIsAnError(t *testing.T) {
	plain := string(suricata(t))
	const context = "          securityContext:\n            capabilities:\n              add:\n                - SYS_NICE\n"
	for name, text := range map[string]string{
		"an alias":          "x: &c {privileged: true}\n" + strings.Replace(plain, context, "          securityContext: *c\n", 1)[4:],
		"a merge key":       "x: &c {privileged: true}\n" + strings.Replace(plain, context, "          securityContext:\n            <<: *c\n", 1)[4:],
		"an anchor":         strings.Replace(plain, "securityContext:", "securityContext: &c", 1),
		"an alias of lists": "x: &v [{name: a, emptyDir: {}}]\n" + strings.Replace(plain, "      volumes:\n        - name: logs\n          emptyDir: {}\n", "      volumes: *v\n", 1)[4:],
	} {
		for what, edit := range map[string]func([]byte, Options) (Result, error){"inject": Inject, "remove": RemoveWorkload} {
			if r, err := edit([]byte(text), workloadOptions(nil)); err == nil || !strings.Contains(err.Error(), "explode") {
				t.Errorf("%s of %s: %v\n%s", what, name, err, r.Text)
			}
		}
	}
}

func TestAWorkloadKeepsTheDocumentsAroundIt(t *testing.T) {
	plain := string(suricata(t))
	for name, text := range map[string]string{
		"end markers":             "kind: A\n...\n" + plain + "...\nkind: B\n...\n",
		"a marker with a comment": "kind: A\n" + strings.Replace(plain, "---\n", "--- # Source: x.yaml\n", 1) + "---\nkind: B\n",
		"a marker with more":      "kind: A\n--- !!map\n" + plain[4:] + "---\nkind: B\n",
		"Windows lines":           strings.ReplaceAll("kind: A\n"+plain+"---\nkind: B\n", "\n", "\r\n"),
		"lists in brackets":       "kind: A\n" + strings.Replace(plain, "      volumes:\n        - name: logs\n          emptyDir: {}\n", "      volumes: []\n      initContainers: null\n", 1) + "---\nkind: B\n",
	} {
		o := workloadOptions(nil)
		r, err := Inject([]byte(text), o)
		if err != nil || r.Workers != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := RemoveWorkload(r.Text, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, out := range [][]byte{r.Text, back.Text} {
			var kinds []string
			for _, doc := range split(out) {
				object, err := parse(doc)
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, out)
				}
				kinds = append(kinds, scalar(get(object, "kind")))
			}
			if got := strings.Join(kinds, " "); got != "A DaemonSet B" {
				t.Errorf("%s: %s\n%q", name, got, out)
			}
		}
		if again, err := Inject(r.Text, o); err != nil || !bytes.Equal(again.Text, r.Text) {
			t.Errorf("%s: injecting twice is not once: %v\n%s", name, err, again.Text)
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
