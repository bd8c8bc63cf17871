package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

func TestOnATerminalEachBuildHasALineThatIsRewritten(t *testing.T) {
	var out bytes.Buffer
	v := &buildView{out: &out, total: 2, width: 60, stop: make(chan struct{})}
	one, two := build.Target{Kernel: "6.1.0-18-amd64", Arch: "amd64"}, build.Target{Kernel: "6.8.0-51-generic", Arch: "arm64"}
	v.step(one, "packages")
	v.step(two, build.StepWaiting+": 0/3 nodes are available: "+strings.Repeat("insufficient cpu ", 20))
	v.step(one, "compile")
	v.done(build.Result{Target: one, Duration: 62 * time.Second, Module: build.Module{SHA256: "abc", Info: module.Info{Version: "8.9.0", Size: 257000}}})
	v.done(build.Result{Target: two, Err: &build.Failure{Why: "there are no headers", Lines: []string{"E: Unable to locate"}}})
	v.end()
	got := screen(out.String())
	want := "6.1.0-18-amd64 amd64: PF_RING 8.9.0 built in 1m2s, 0.3 MB, sha256 abc; which build of this kernel release it is for is not known\n" +
		"6.8.0-51-generic arm64: not built: there are no headers\n    E: Unable to locate\n"
	if got != want {
		t.Errorf("on the screen is left\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "waiting") && len(strings.TrimRight(line, "\n")) >= 60 {
			t.Errorf("a line that the terminal breaks cannot be rewritten: %q", line)
		}
	}
	if !strings.Contains(out.String(), "[============   ] 6.1.0-18-amd64 amd64") || !strings.Contains(out.String(), "1 of 2 built, 0 failed") {
		t.Errorf("%q", out.String())
	}
}

// screen is what a terminal shows after s: only lines up and clearing below are
// used.
func screen(s string) string {
	var lines []string
	for s != "" {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			n := 0
			for rest[0] >= '0' && rest[0] <= '9' {
				n, rest = n*10+int(rest[0]-'0'), rest[1:]
			}
			lines = lines[:len(lines)-n]
			s = strings.TrimPrefix(rest, "A\r\x1b[J")
			continue
		}
		line, rest, _ := strings.Cut(s, "\n")
		lines, s = append(lines, line), rest
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestElsewhereThanOnATerminalEachStepIsALine(t *testing.T) {
	var out bytes.Buffer
	v := newBuildView(&out, 1, false)
	target := build.Target{Kernel: "6.1.0-18-amd64", Arch: "amd64"}
	for _, step := range []string{"packages", "packages", "compile"} {
		v.step(target, step)
	}
	v.done(build.Result{Target: target, Err: build.ErrInterrupted})
	v.end()
	if want := "6.1.0-18-amd64 amd64: packages\n6.1.0-18-amd64 amd64: compile\n6.1.0-18-amd64 amd64: not built: interrupted\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
