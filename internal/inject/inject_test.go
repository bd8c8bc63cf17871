package inject

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// fixtures are manifests in the shape that Kubeshark's chart renders in these versions.
var fixtures = []string{"52.0", "52.3.88", "52.10", "53.3", "krm"}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func options(change func(*Options)) Options {
	o := Default()
	if change != nil {
		change(&o)
	}
	return o
}

var variants = map[string]Options{
	"default": options(nil),
	"kmm":     options(func(o *Options) { o.Mode = "kmm"; o.Timeout = 90 * time.Second }),
	"agent": options(func(o *Options) {
		o.Image, o.PullPolicy = "docker.io/kubeshark/pfring-agent:0.1.0", "IfNotPresent"
	}),
	"forced": options(func(o *Options) { o.WaitWith, o.WorkerFlag, o.StateFile = WithWorker, "always", "" }),
}

func TestInjectedManifests(t *testing.T) {
	for _, name := range fixtures {
		for variant, o := range variants {
			in := fixture(t, name)
			r, err := Inject(in, o)
			if err != nil {
				t.Errorf("%s, %s: %v", name, variant, err)
				continue
			}
			if r.Workers != 1 {
				t.Errorf("%s, %s: %d workers", name, variant, r.Workers)
			}
			goldentest.File(t, goldenFile(name+"."+variant), append([]byte(warningsOf(r)), r.Text...))
			properties(t, name+", "+variant, in, o, r)
		}
	}
}

func warningsOf(r Result) string {
	var b strings.Builder
	for _, w := range r.Warnings {
		b.WriteString("# stderr: " + w + "\n")
	}
	return b.String()
}

func goldenFile(name string) string { return filepath.Join("testdata", "golden", name+".yaml") }

// properties hold for whatever was injected.
func properties(t testing.TB, name string, in []byte, o Options, r Result) {
	t.Helper()
	again, err := Inject(r.Text, o)
	if err != nil || !bytes.Equal(again.Text, r.Text) {
		t.Errorf("%s: injecting twice is not once: %v\n%s", name, err, again.Text)
	}
	back, err := Remove(r.Text)
	if err != nil || !bytes.Equal(back.Text, in) {
		t.Errorf("%s: removing does not give back what was there: %v\n%q\n%q", name, err, in, back.Text)
	}
	for _, part := range split(r.Text) {
		if _, err := parse(part); err != nil {
			t.Errorf("%s: the result does not parse: %v", name, err)
		}
	}
	if !isSubsequence(lines(in), lines(r.Text)) {
		t.Errorf("%s: a line that was there is changed or gone", name)
	}
}

func lines(text []byte) [][]byte { return bytes.Split(bytes.TrimRight(text, "\r\n"), []byte("\n")) }

func isSubsequence(part, whole [][]byte) bool {
	for _, line := range whole {
		if len(part) > 0 && bytes.Equal(bytes.TrimSuffix(part[0], []byte("\r")), bytes.TrimSuffix(line, []byte("\r"))) {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// A program that writes YAML again drops comments and sorts keys.
func TestRemoveFindsWhatAnotherProgramHasWrittenAnew(t *testing.T) {
	for _, name := range fixtures {
		for variant, o := range variants {
			in := fixture(t, name)
			r, err := Inject(in, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, indent := range []int{2, 4} {
				before, after := rewritten(t, in, indent), rewritten(t, r.Text, indent)
				back, err := Remove(after)
				if err != nil || !bytes.Equal(back.Text, before) {
					t.Errorf("%s, %s, indent %d: %v\n%s\n%s", name, variant, indent, err, before, back.Text)
				}
			}
		}
	}
}

func rewritten(t *testing.T, text []byte, indent int) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(indent)
	for _, part := range split(text) {
		var value map[string]any
		if err := yaml.Unmarshal(part, &value); err != nil {
			t.Fatal(err)
		}
		if value != nil {
			if err := enc.Encode(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out.Bytes()
}

func TestOtherSettingsReplaceEarlierOnes(t *testing.T) {
	in := fixture(t, "53.3")
	first, err := Inject(in, variants["agent"])
	if err != nil {
		t.Fatal(err)
	}
	second, err := Inject(first.Text, variants["kmm"])
	if err != nil {
		t.Fatal(err)
	}
	direct, err := Inject(in, variants["kmm"])
	if err != nil || !bytes.Equal(second.Text, direct.Text) {
		t.Errorf("%v\n%s", err, second.Text)
	}
}

const head = "kind: DaemonSet\nmetadata: {name: kubeshark-worker-daemon-set}\nspec:\n  template:\n    spec:\n"

// shapes are ways to write a worker that can be edited.
func shapes() map[string]string {
	body := "      containers:\n      - name: sniffer\n        image: w:v53.3.0\n        command:\n        - ./worker\n"
	return map[string]string{
		"no end of line":              head + strings.TrimSuffix(body, "\n"),
		"Windows lines":               strings.ReplaceAll(head+body, "\n", "\r\n"),
		"Windows lines, no last end":  strings.TrimSuffix(strings.ReplaceAll(head+body, "\n", "\r\n"), "\r\n"),
		"blank lines after":           head + body + "\n\n   \n",
		"a comment after":             head + body + "# the end\n",
		"a deeper comment after":      head + body + "          # of the command\n",
		"a text after":                head + body + "      initContainers:\n      - name: a\n        command:\n        - |+\n          x\n          # no comment\n\n\n",
		"a folded text after":         head + body + "      initContainers:\n      - name: a\n        command:\n        - >\n          x\n\n",
		"comments above":              head + "      # one\n      # two\n" + body,
		"volumes first":               head + "      volumes:\n        - name: v\n          emptyDir: {}\n" + body,
		"a comment before a volume":   head + "      volumes:\n        # one\n        - name: v\n          emptyDir: {}\n        # two\n" + body,
		"in a List":                   "kind: List\nitems:\n- " + strings.TrimSuffix(strings.ReplaceAll(head+body, "\n", "\n  "), "  "),
		"twice":                       head + body + "---\n" + head + body,
		"after an end marker":         "kind: A\n...\n" + head + body + "...\n",
		"after a directive":           "%YAML 1.1\n---\n" + head + body,
		"a marker with a comment":     "--- # worker\n" + head + body,
		"nothing but a comment first": "# all\n---\n" + head + body,
		"another container first":     head + "      containers:\n      - name: tracer\n        command: [./tracer]\n" + strings.TrimPrefix(body, "      containers:\n"),
	}
}

func TestShapesOfYAML(t *testing.T) {
	for name, text := range shapes() {
		o := options(func(o *Options) { o.WorkerFlag = "always" })
		r, err := Inject([]byte(text), o)
		if err != nil || r.Workers == 0 {
			t.Errorf("%s: %v, %d workers", name, err, r.Workers)
			continue
		}
		properties(t, name, []byte(text), o, r)
		if want := strings.Count(text, "sniffer"); strings.Count(string(r.Text), "name: pfring-wait") != want || strings.Count(string(r.Text), "- -kernel-module") != want {
			t.Errorf("%s:\n%s", name, r.Text)
		}
	}
}

func TestWhatCannotBeEditedIsAnErrorAndNotAGuess(t *testing.T) {
	for name, text := range map[string]string{
		"JSON, and JSON again":   "{\"kind\":\"ConfigMap\"}\n" + `{"kind":"DaemonSet","metadata":{"name":"kubeshark-worker-daemon-set"}}`,
		"no containers":          head + "      hostNetwork: true\n",
		"no image":               strings.Replace(head, "metadata: {", "metadata: {labels: {app.kubeshark.com/app: worker}, ", 1) + "      containers:\n      - name: sniffer\n",
		"an empty list":          head + "      initContainers: []\n      containers:\n      - {name: sniffer, image: \"w:v53.3.0\"}\n",
		"no list":                head + "      initContainers:\n      containers:\n      - {name: sniffer, image: \"w:v53.3.0\"}\n",
		"an alias":               head + "      volumes: &v\n      - name: a\n      containers:\n      - name: sniffer\n        image: w:v53.3.0\n        x: *v\n",
		"a dash alone":           head + "      initContainers:\n      -\n        name: a\n      containers:\n      - name: sniffer\n        image: w:v53.3.0\n",
		"a merge key":            "x: &x\n  initContainers:\n  - name: a\n" + head + "      <<: *x\n      containers:\n      - name: sniffer\n        image: w:v53.3.0\n",
		"the same key twice":     head + "      a: 1\n      a: 2\n      containers:\n      - name: sniffer\n        image: w:v53.3.0\n",
		"a lone carriage return": strings.ReplaceAll(head, "\n", "\r\n") + "      containers:\r\n      - name: sniffer\r\n        image: w:v53.3.0\r\n        command:\r\n        - ./worker\r",
		"a line of Unicode's":    head + "      containers:\n      - name: sniffer\n        image: w:v53.3.0\n        command:\n        - ./worker\n        - \"a\u2028b\"\n",
		"something else":         "a: b: c\n",
		"tabs":                   "a:\n\t- b\n",
		"a worker and a bad one": head + "      containers:\n      - name: sniffer\n        image: w:v53.3.0\n---\n}\n",
	} {
		if r, err := Inject([]byte(text), Default()); err == nil {
			t.Errorf("%s was edited:\n%s", name, r.Text)
		}
	}
}

func TestWhatIsNoWorkerIsLeftAlone(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"blank":             "\n\n",
		"a comment":         "# nothing\n",
		"another DaemonSet": "kind: DaemonSet\nmetadata:\n  name: other\n  labels:\n    app.kubeshark.com/app: hub\n",
		"a Deployment":      "kind: Deployment\nmetadata:\n  name: kubeshark-worker-daemon-set\n",
		"text":              "just text\n",
		"a list":            "- a\n- b\n",
	} {
		r, err := Inject([]byte(text), Default())
		if err != nil || r.Workers != 0 || string(r.Text) != text {
			t.Errorf("%s: %q, %v", name, r.Text, err)
		}
	}
}

func TestTheFlagGoesToTheWorkersThatKnowIt(t *testing.T) {
	for tag, want := range map[string]bool{
		"v52.0.0": false, "v52.1.0": true, "v52.3.88": true, "v52.3.88-debug": true, "52.3.0": true, "v52.3.89": false, "v52.10.3": false, "v53.3.0": false, "latest": false,
		// Which of 52.3 the tag v52.3 is cannot be determined.
		"v52.3": false, "v52.2": true, "v52.4": false,
	} {
		text := head + "      containers:\n      - name: sniffer\n        image: reg:5000/worker:" + tag + "\n        command:\n        - ./worker\n        - -i\n"
		r, err := Inject([]byte(text), Default())
		if got := strings.Contains(string(r.Text), "- -kernel-module\n"); err != nil || got != want {
			t.Errorf("%s: %v, %v", tag, got, err)
		}
	}
}

func TestAnOldWorkerWithoutAKnownShellIsNotMadeToWait(t *testing.T) {
	r, err := Inject(fixture(t, "52.0"), Default())
	if err != nil || !bytes.Equal(r.Text, fixture(t, "52.0")) || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "version 52.0.0") {
		t.Errorf("%v %q", err, r.Warnings)
	}
}

// What each release of Kubeshark's chart renders is in a table of package kubeshark.
func TestEachReleaseOfKubesharksChart(t *testing.T) {
	text, err := os.ReadFile("../kubeshark/testdata/tags.tsv")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		release, _ := kubeshark.Parse(f[0])
		in := workerOf(f)
		r, err := Inject([]byte(in), Default())
		waits := strings.Contains(string(r.Text), "name: pfring-wait")
		switch loads := strings.Contains(f[6], kubeshark.Loader); {
		case loads:
			count["refused"]++
			if err == nil || !strings.Contains(err.Error(), kubeshark.Loader) {
				t.Errorf("%s loads PF_RING itself: %v", f[0], err)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", f[0], err)
			continue
		}
		properties(t, f[0], []byte(in), Default(), r)
		if want := release.HasShell(); waits != want || len(r.Warnings) > 0 == want {
			t.Errorf("%s: a wait: %v; %q", f[0], waits, r.Warnings)
		}
		if want := release.TakesFlag(); strings.Contains(string(r.Text), "- -kernel-module\n") != want {
			t.Errorf("%s: the flag is not as wanted (%v)", f[0], want)
		}
		count[map[bool]string{true: "waits", false: "no shell known"}[waits]]++
	}
	if count["refused"]+count["waits"]+count["no shell known"] != 75 || count["waits"] < 35 {
		t.Errorf("of 75 releases: %v", count)
	}
}

// workerOf writes the worker of a line of tags.tsv.
func workerOf(f []string) string {
	var b strings.Builder
	b.WriteString("kind: DaemonSet\nmetadata:\n  name: kubeshark-worker-daemon-set\n  labels:\n    " + f[4] + ": worker\n" +
		"    app.kubernetes.io/version: \"" + f[2] + "\"\n    helm.sh/chart: " + f[3] + "\nspec:\n  template:\n    spec:\n")
	if f[6] != "-" {
		b.WriteString("      initContainers:\n")
		for name := range strings.SplitSeq(f[6], ",") {
			b.WriteString("      - name: " + name + "\n        image: x\n")
		}
	}
	b.WriteString("      containers:\n      - name: sniffer\n        image: docker.io/kubeshark/worker:" + f[1] + "\n        command:\n        - ./worker\n")
	if f[5] != "-" {
		b.WriteString("        - -packet-capture\n        - '" + f[5] + "'\n")
	}
	return b.String()
}

func TestAWorkerThatLoadsTheModuleItselfIsAnError(t *testing.T) {
	module := string(fixture(t, "52.3.88-module"))
	old := strings.NewReplacer("- -no-kernel-module", "- -x", "- NET_RAW", "- SYS_MODULE").Replace(string(fixture(t, "52.0")))
	for _, text := range []string{module, old} {
		if r, err := Inject([]byte(text), Default()); err == nil || !strings.Contains(err.Error(), "only one loader") {
			t.Errorf("%v\n%s", err, r.Text)
		}
		if r, err := Remove([]byte(text)); err != nil || string(r.Text) != text {
			t.Errorf("removing nothing: %v", err)
		}
	}
}

func TestAWorkerOfAnotherBackendIsNotMadeToWait(t *testing.T) {
	plain := string(fixture(t, "53.3"))
	for backend, wanted := range map[string]bool{"best": true, "pf_ring": true, "af_packet": false, "ebpf": false, "libpcap": false, "something-new": true} {
		text := strings.Replace(plain, "            - -port\n", "            - -packet-capture\n            - '"+backend+"'\n            - -port\n", 1)
		r, err := Inject([]byte(text), Default())
		if err != nil || strings.Contains(string(r.Text), "pfring-wait") != wanted || len(r.Warnings) == 0 != wanted {
			t.Errorf("%s: %v %q", backend, err, r.Warnings)
		}
	}
}

// kubectl prints JSON with four spaces, jq with two, and programs with none.
func TestJSON(t *testing.T) {
	var object map[string]any
	var worker []byte
	for _, doc := range split(fixture(t, "53.3")) {
		if bytes.Contains(doc, []byte("kind: DaemonSet")) {
			worker = doc
		}
	}
	if err := yaml.Unmarshal(worker, &object); err != nil {
		t.Fatal(err)
	}
	object["metadata"].(map[string]any)["annotations"] = map[string]any{"a": "<&>\n\"12\": 3", "b": "12", "c": "no", "d": "🦈"}
	for _, in := range []any{object, map[string]any{"kind": "List", "apiVersion": "v1", "items": []any{map[string]any{"kind": "ConfigMap"}, object}, "metadata": map[string]any{}}} {
		for _, indent := range []string{"    ", "  ", ""} {
			text, err := json.MarshalIndent(in, "", indent)
			if indent == "" {
				text, err = json.Marshal(in)
			}
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
			o := options(func(o *Options) { o.WorkerFlag = "always" })
			r, err := Inject(text, o)
			if err != nil || r.Workers != 1 || !json.Valid(r.Text) || bytes.Count(r.Text, []byte(`"pfring-wait"`)) != 1 || bytes.Count(r.Text, []byte(`"-kernel-module"`)) != 1 {
				t.Fatalf("%v\n%s", err, r.Text)
			}
			again, err := Inject(r.Text, o)
			if err != nil || !bytes.Equal(again.Text, r.Text) {
				t.Errorf("twice: %v\n%s", err, again.Text)
			}
			back, err := Remove(r.Text)
			if err != nil || !bytes.Equal(back.Text, text) {
				t.Errorf("removed: %v\n%s\n%s", err, back.Text, text)
			}
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"mode":               func(o *Options) { o.Mode = "manual" },
		"wait with":          func(o *Options) { o.WaitWith = "patience" },
		"flag":               func(o *Options) { o.WorkerFlag = "perhaps" },
		"pull policy":        func(o *Options) { o.PullPolicy = "Sometimes" },
		"indefinitely":       func(o *Options) { o.Timeout = 0 },
		"too long":           func(o *Options) { o.Timeout = 2 * time.Hour },
		"agent, no image":    func(o *Options) { o.WaitWith = withAgent },
		"worker, image":      func(o *Options) { o.WaitWith, o.Image = WithWorker, "a:1" },
		"image of two words": func(o *Options) { o.Image = "a:1\nname: x" },
		"relative path":      func(o *Options) { o.StateFile = "state.json" },
		"path in the root":   func(o *Options) { o.StateFile = "/state.json" },
		"path with dots":     func(o *Options) { o.StateFile = "/run/../state.json" },
		"path that leaves":   func(o *Options) { o.StateFile = "/run/pfring/../other/state.json" },
		"path with code":     func(o *Options) { o.StateFile = "/run/$(reboot)/s" },
	} {
		if _, err := Inject(nil, options(change)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestFunctionConfig(t *testing.T) {
	settings, ok, err := FunctionConfig(fixture(t, "krm"))
	if err != nil || !ok || len(settings) != 2 || settings["mode"] != "kmm" || settings["wait-timeout"] != "30s" {
		t.Errorf("%v %v %v", settings, ok, err)
	}
	if _, ok, err := FunctionConfig(fixture(t, "53.3")); ok || err != nil {
		t.Errorf("a stream of manifests was taken for a function's input: %v", err)
	}
	for _, text := range []string{"kind: ResourceList\nfunctionConfig: {data: []}\n", "kind: ResourceList\nfunctionConfig: {spec: {image: [a]}}\n"} {
		if _, _, err := FunctionConfig([]byte(text)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func FuzzInject(f *testing.F) {
	for _, name := range fixtures {
		f.Add(fixture(f, name))
	}
	for _, text := range shapes() {
		f.Add([]byte(text))
	}
	f.Add([]byte(head + "      containers:\n      - name: sniffer\n        image: w:v53.3.0\n        command: [a]\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		clean, err := Remove(in)
		if err != nil || !bytes.Equal(clean.Text, in) {
			return
		}
		for _, o := range variants {
			if r, err := Inject(in, o); err == nil {
				properties(t, "fuzz", in, o, r)
			}
		}
	})
}

// A carriage return alone ends a line of YAML and none of ours: an edit would land
// in another place, so there is none.
func TestALoneCarriageReturnIsRefused(t *testing.T) {
	text := strings.ReplaceAll(string(fixture(t, "52.3.88")), "\n", "\r\n")
	if _, err := Inject([]byte(text), Default()); err != nil {
		t.Fatalf("CRLF alone: %v", err)
	}
	in := strings.Replace(text, "- ./worker\r\n", "- ./worker\r", 1)
	if r, err := Inject([]byte(in), Default()); err == nil || !strings.Contains(err.Error(), "carriage return") || r.Text != nil {
		t.Errorf("it was edited: %v", err)
	}
}

func TestAWorkerIsFoundByItsLabelWhateverItsName(t *testing.T) {
	for _, key := range kubeshark.WorkerLabels() {
		text := "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: another\n  labels:\n    " + key + ": worker\n" +
			"spec:\n  template:\n    spec:\n      containers:\n      - name: sniffer\n        image: kubeshark/worker:v53.3\n        command: [./worker, -i, any]\n"
		r, err := Inject([]byte(text), Default())
		if err != nil || r.Workers != 1 {
			t.Errorf("%s: %d workers, %v; want 1", key, r.Workers, err)
		}
	}
}

func TestJSONWithoutAWorkerStaysAsItIs(t *testing.T) {
	in := "{ \"kind\" : \"ConfigMap\",\t\"apiVersion\":\"v1\" , \"metadata\":{\"name\":\"x\"}}\n"
	r, err := Inject([]byte(in), Default())
	if err != nil || string(r.Text) != in {
		t.Errorf("got %q, %v; want the same bytes", r.Text, err)
	}
}
