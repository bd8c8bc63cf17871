package inject

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// style is one way to write a worker. Each value is from a fixed sequence, so that the same styles are tried each time.
type style struct {
	r *rand.Rand
	b strings.Builder
}

func (s *style) one(n int) bool { return s.r.IntN(n) == 0 }

// line writes a line, with what people put around lines.
func (s *style) line(indent int, text string) {
	if s.one(6) {
		comment := []string{"# a comment", "#", "# with\ta tab: - name: pfring", "# {{ a template }} &anchor *alias", "#- name: old"}[s.r.IntN(5)]
		s.b.WriteString(strings.Repeat(" ", []int{0, indent, indent + 4}[s.r.IntN(3)]) + comment + "\n")
	}
	if s.one(9) {
		s.b.WriteString([]string{"\n", "   \n", "\n\n"}[s.r.IntN(3)])
	}
	if s.one(7) && !strings.HasSuffix(text, "|") && !strings.HasSuffix(text, ">-") && !strings.HasSuffix(text, "|+") {
		text += []string{" # why", "   ", " #\t#"}[s.r.IntN(3)]
	}
	s.b.WriteString(strings.Repeat(" ", indent) + text + "\n")
}

// list writes a list of a pod's spec: indented below its key or not, its last item ending in a text of several lines or not.
func (s *style) list(key string, items ...[]string) {
	s.line(6, key+":")
	dash := 6
	if s.one(2) {
		dash += 2
	}
	for _, item := range items {
		s.line(dash, "- "+item[0])
		for _, text := range item[1:] {
			s.line(dash+2, text)
		}
		if s.one(4) {
			s.b.WriteString(strings.Repeat(" ", dash+2) + []string{"note: |\n", "note: >-\n", "note: |+\n"}[s.r.IntN(3)])
			for range 1 + s.r.IntN(3) {
				s.b.WriteString(strings.Repeat(" ", dash+4) + []string{"- name: pfring-wait", "# no comment", "---", strings.Repeat("long ", 60), "x\ttab"}[s.r.IntN(5)] + "\n")
			}
			if s.one(2) {
				s.b.WriteString("\n")
			}
		}
	}
}

// worker is a document with a worker, and perhaps others before and after it.
func (s *style) worker() string {
	if s.one(3) {
		s.b.WriteString("# Source: kubeshark/templates/x.yaml\nkind: ConfigMap\nmetadata: {name: a}\ndata: &d\n  x: \"folded\n\n    over lines\"\ny: *d\n---\n")
	}
	if s.one(4) {
		s.b.WriteString("--- # worker\n")
	}
	s.b.WriteString("kind: DaemonSet\nmetadata:\n  name: kubeshark-worker-daemon-set\n  annotations: &shared {a: 'b'}\nspec:\n  template:\n    metadata: {annotations: *shared}\n    spec:\n")
	parts := []func(){
		func() {
			s.list("containers", []string{`name: "sniffer"`, "image: w:v53.3.0", "command:", "- ./worker", "- '-i'", "env: [{name: A, value: 'b'}]"}, []string{"name: tracer", "image: t:1"})
		},
		func() { s.line(6, "hostNetwork: true") },
	}
	if s.one(2) {
		parts = append(parts, func() {
			s.list("initContainers", []string{"name: mount", "image: i:1"}, []string{"image: 'j'", "name: second"})
		})
	}
	if s.one(2) {
		parts = append(parts, func() { s.list("volumes", []string{"name: v", "emptyDir: {}"}) })
	}
	s.r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, part := range parts {
		part()
	}
	if s.one(3) {
		s.b.WriteString([]string{"status: {}\n", "# the end\n", "...\n", "---\nkind: ConfigMap\n"}[s.r.IntN(4)])
	}
	text := s.b.String()
	if s.one(4) {
		text = strings.TrimRight(text, "\n")
	}
	if s.one(3) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if s.one(6) {
		text = "\ufeff" + text
	}
	return text
}

// However a worker is written: injected twice is injected once, and what is removed again leaves every byte as it was.
func TestEveryStyleOfYAMLComesBackByteForByte(t *testing.T) {
	for seed := range uint64(400) {
		s := &style{r: rand.New(rand.NewPCG(seed, 1))}
		text := []byte(s.worker())
		o := options(func(o *Options) { o.WorkerFlag = "always" })
		r, err := Inject(text, o)
		if err != nil {
			// A text of several lines that ends with the file has no line feed, and gets one by whatever follows.
			if bytes.HasSuffix(text, []byte("\n")) {
				t.Fatalf("style %d: %v\n%s", seed, err, text)
			}
			continue
		}
		if r.Workers != 1 {
			t.Fatalf("style %d: %d workers\n%s", seed, r.Workers, r.Text)
		}
		if properties(t, fmt.Sprint("style ", seed), text, o, r); t.Failed() {
			return
		}
	}
}
