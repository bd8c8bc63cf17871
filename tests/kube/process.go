package kube

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/tests/child"
)

// process is a running component of the control plane.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done <-chan struct{} // closed when it has ended
}

// startProcess runs program with args and writes what it says to dir/name.log.
// It is killed when this process dies, however that happens.
func startProcess(dir, name, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", name, err)
	}
	p.cmd = exec.Command(program, append([]string{name}, args...)...) // #nosec G204 -- arguments of our own
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.done, err = child.Start(p.cmd)
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// stop kills the process, if it still runs, and waits for its end.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	// An error means that it has just ended by itself; nothing it holds is worth a slower end.
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ended tells whether the process is gone, and then why.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%v); its log ends:\n%s", p.name, p.cmd.ProcessState, p.tail())
	default:
		return nil
	}
}

// tail returns the end of the log.
func (p *process) tail() string {
	const most = 4 << 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
