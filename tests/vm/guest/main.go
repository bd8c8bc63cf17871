// Command guest is the init of a machine of package vm: it mounts what the
// kernel shows, takes requests from the second serial port and powers off at
// the end. Called with a first argument it is one of the programs in exec.go.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// port is the device of the port for requests.
func port() string {
	if runtime.GOARCH == "arm64" {
		return "/dev/ttyS0" // beside the console, which is of another kind there
	}
	return "/dev/ttyS1"
}

func main() {
	if os.Getpid() != 1 {
		if err := program(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(125)
		}
		return
	}
	if err := begin(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "init: power off:", err)
	}
}

// begin prepares the machine and answers requests until one asks to power off.
func begin() error {
	_, err := os.Stat(step.DiskMarker)
	disk := err == nil
	if err := prepare(disk); err != nil {
		return err
	}
	if disk {
		return supervise()
	}
	return answerRequests()
}

// supervise answers requests in a process of its own, so that this one can wait
// for whatever containers leave to init.
func supervise() error {
	child, err := os.StartProcess(self, []string{"init", serve}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for children: %w", err)
		case pid == child.Pid && status != 0:
			return fmt.Errorf("answering requests ended with %v", status)
		case pid == child.Pid:
			return nil
		}
	}
}

// answerRequests does that until one asks to power off.
func answerRequests() error {
	tty, err := openPort()
	if err != nil {
		return err
	}
	g := &guest{running: map[string]*running{}}
	if err := answer(tty, step.Result{Data: "ready"}); err != nil {
		return err
	}
	requests := bufio.NewReader(tty)
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		var r step.Request
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("reading the request %q: %w", line, err)
		}
		if r.Op == step.Off {
			return nil
		}
		if err := answer(tty, g.do(r)); err != nil {
			return err
		}
	}
}

func answer(w io.Writer, r step.Result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// openPort opens the serial port as a plain stream of bytes.
func openPort() (*os.File, error) {
	tty, err := os.OpenFile(port(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("setting up %s: %w", port(), err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("setting up %s: %w", port(), err)
	}
	return tty, nil
}
