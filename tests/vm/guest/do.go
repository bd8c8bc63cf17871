package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// patience bounds what waits for something to happen: an emulated machine on a
// busy one is slow.
const patience = 60 * time.Second

type guest struct{ running map[string]*running }

// running is a started program.
type running struct {
	cmd      *exec.Cmd
	out, err buffer
	since    time.Time
	ended    chan struct{}
}

// buffer may be read while the program writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (g *guest) do(r step.Request) step.Result {
	result, err := g.try(r)
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func (g *guest) try(r step.Request) (step.Result, error) {
	switch r.Op {
	case step.Exec:
		p, err := start(r)
		if err != nil {
			return step.Result{}, err
		}
		return p.wait()
	case step.Start:
		p, err := start(r)
		if err != nil {
			return step.Result{}, err
		}
		g.running[r.Name] = p
		return step.Result{}, p.until(r.Until)
	case step.Wait, step.Signal:
		p := g.running[r.Name]
		if p == nil {
			return step.Result{}, fmt.Errorf("no program %q is running", r.Name)
		}
		if r.Op == step.Signal {
			return step.Result{}, p.cmd.Process.Signal(syscall.Signal(r.Number))
		}
		delete(g.running, r.Name)
		return p.wait()
	case step.Get:
		return get(r.Path, r.Until)
	}
	return files(r)
}

func files(r step.Request) (step.Result, error) {
	switch r.Op {
	case step.Read:
		data, err := os.ReadFile(r.Path)
		return step.Result{Data: string(data)}, err
	case step.Write:
		if err := os.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
			return step.Result{}, err
		}
		return step.Result{}, os.WriteFile(r.Path, []byte(r.Data), 0o644)
	case step.List:
		paths, err := filepath.Glob(r.Path)
		return step.Result{Data: strings.Join(paths, "\n")}, err
	case step.Remove:
		return step.Result{}, os.RemoveAll(r.Path)
	case step.Insmod:
		image, err := os.ReadFile(r.Path)
		if err != nil {
			return step.Result{}, err
		}
		return errno(unix.InitModule(image, r.Data)), nil
	case step.Finit, step.FinitBusy:
		return finit(r)
	case step.Rmmod:
		return errno(unix.DeleteModule(r.Path, unix.O_NONBLOCK)), nil
	}
	return step.Result{}, fmt.Errorf("no such operation: %q", r.Op)
}

func finit(r step.Request) (result step.Result, err error) {
	if r.Op == step.FinitBusy {
		writer, err := os.OpenFile(r.Path, os.O_WRONLY, 0)
		if err != nil {
			return step.Result{}, err
		}
		defer func() { err = errors.Join(err, writer.Close()) }()
	}
	f, err := os.Open(r.Path)
	if err != nil {
		return step.Result{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return errno(unix.FinitModule(int(f.Fd()), r.Data, r.Number)), nil
}

func errno(err error) step.Result {
	e := syscall.Errno(0)
	if errors.As(err, &e) {
		return step.Result{Data: unix.ErrnoName(e)}
	}
	return step.Result{}
}

func start(r step.Request) (*running, error) {
	p := &running{cmd: command(r), since: time.Now(), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		// How it ended is read from ProcessState.
		_ = p.cmd.Wait()
	}()
	return p, nil
}

func (p *running) wait() (step.Result, error) {
	select {
	case <-p.ended:
	case <-time.After(patience):
		// Go's programs say where they hang.
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(2 * time.Second)
		_ = p.cmd.Process.Kill()
		<-p.ended
		return p.result(), fmt.Errorf("%q did not end within %v", p.cmd.Args, patience)
	}
	return p.result(), nil
}

func (p *running) result() step.Result {
	r := step.Result{
		Code: p.cmd.ProcessState.ExitCode(), Stdout: p.out.String(), Stderr: p.err.String(),
		Micros: time.Since(p.since).Microseconds(),
	}
	if usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.MaxRSS = usage.Maxrss
	}
	return r
}

// until waits for a text in what the program prints.
func (p *running) until(text string) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if text == "" || strings.Contains(p.out.String()+p.err.String(), text) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%q ended before it printed %q:\n%s%s", p.cmd.Args, text, p.out.String(), p.err.String())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("%q has not printed %q:\n%s%s", p.cmd.Args, text, p.out.String(), p.err.String())
		}
	}
}

// get asks until the status is the wanted one.
func get(url, until string) (step.Result, error) {
	var last string
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(url)
		if err == nil {
			body, e := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			last, err = answer.Status+"\n"+string(body), e
			if strings.Contains(answer.Status, until) {
				return step.Result{Data: last}, err
			}
		} else {
			last = err.Error()
		}
		if time.Now().After(end) {
			return step.Result{Data: last}, fmt.Errorf("GET %s never answered %q; at last: %s", url, until, last)
		}
	}
}
