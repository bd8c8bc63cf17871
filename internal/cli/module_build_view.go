package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// buildView shows how builds go: on a terminal a line for each that runs, which
// rewrites itself, elsewhere a line for each step.
type buildView struct {
	out  io.Writer
	mu   sync.Mutex
	rows []*buildRow
	// drawn is how many lines stand on the terminal; width is its columns, 0 if
	// it is none.
	drawn, width         int
	total, built, failed int
	stop                 chan struct{}
	ticker               sync.WaitGroup
}

type buildRow struct {
	target build.Target
	step   string
	since  time.Time
}

func newBuildView(out io.Writer, total int, logs bool) *buildView {
	v := &buildView{out: out, total: total, stop: make(chan struct{})}
	file, ok := out.(*os.File)
	if !ok || logs || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return v
	}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 20 {
		v.width = width
	} else {
		v.width = 80
	}
	v.ticker.Go(v.tick)
	return v
}

// tick keeps the times going.
func (v *buildView) tick() {
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-v.stop:
			return
		case <-every.C:
			v.mu.Lock()
			v.draw("")
			v.mu.Unlock()
		}
	}
}

func (v *buildView) end() {
	close(v.stop)
	v.ticker.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rows = nil
	v.erase()
}

func (v *buildView) step(t build.Target, step string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.rows, func(r *buildRow) bool { return r.target.String() == t.String() })
	if i < 0 {
		i = len(v.rows)
		v.rows = append(v.rows, &buildRow{target: t, since: time.Now()})
	}
	if v.rows[i].step == step {
		return
	}
	v.rows[i].step = step
	if v.width == 0 {
		v.say(fmt.Sprintf("%s: %s\n", t, step))
		return
	}
	v.draw("")
}

// line shows a line of a log.
func (v *buildView) line(t build.Target, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.say(fmt.Sprintf("%s | %s\n", t.Kernel, text))
}

// done says what came of a build; the line stays.
func (v *buildView) done(r build.Result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rows = slices.DeleteFunc(v.rows, func(row *buildRow) bool { return row.target.String() == r.Target.String() })
	took := r.Duration.Round(time.Second)
	var text string
	if r.Err == nil {
		v.built++
		text = fmt.Sprintf("%s: PF_RING %s built in %s, %s, sha256 %s; %s\n", r.Target, r.Module.Info.Version, took, megabytes(r.Module.Info.Size), r.Module.SHA256, buildOf(r.Module))
	} else {
		v.failed++
		var lines []string
		if f := (*build.Failure)(nil); errors.As(r.Err, &f) {
			lines = f.Lines
		}
		text = fmt.Sprintf("%s: not built: %v%s\n", r.Target, r.Err, indented(lines))
	}
	if v.width == 0 {
		v.say(text)
		return
	}
	v.draw(text)
}

// buildOf says which build of the kernel release a module is for.
func buildOf(m build.Module) string {
	if m.KernelVersion == "" {
		return "which build of this kernel release it is for is not known"
	}
	return "for " + m.KernelVersion
}

// draw puts text above the lines that rewrite themselves.
func (v *buildView) draw(text string) {
	if v.width == 0 {
		return
	}
	var b strings.Builder
	b.WriteString(v.up())
	b.WriteString(text)
	for _, r := range v.rows {
		b.WriteString(cut(r.text(), v.width-1) + "\n")
	}
	v.drawn = len(v.rows)
	if v.total > 1 {
		b.WriteString(cut(fmt.Sprintf("%d of %d built, %d failed", v.built, v.total, v.failed), v.width-1) + "\n")
		v.drawn++
	}
	v.say(b.String())
}

func (v *buildView) erase() { v.say(v.up()); v.drawn = 0 }

// up goes back to the first line drawn and clears from there on.
func (v *buildView) up() string {
	if v.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", v.drawn)
}

// say writes; what is only for the eye is not lost if it cannot be.
func (v *buildView) say(text string) { _, _ = io.WriteString(v.out, text) } // progress: the build goes on without a reader

func (r *buildRow) text() string {
	steps := build.Steps()
	done := slices.Index(steps, r.step) + 1
	bar := strings.Repeat("=", done*3) + strings.Repeat(" ", (len(steps)-done)*3)
	took := time.Since(r.since).Round(time.Second)
	return fmt.Sprintf("[%s] %s  %s  %s", bar, r.target, took, r.step)
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
