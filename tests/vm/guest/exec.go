package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// Programs that this binary is besides init.
const (
	// become PRIVILEGE COMMAND… runs a command with fewer rights.
	become = "become"
	// hold opens a ring and keeps it until it is ended.
	hold = "hold"
	// capture PACKETS is hold with traffic, on PF_RING itself.
	capture = "capture"
	// serve answers requests; see supervise.
	serve = "serve"
)

// self is this binary, also where the initramfs is no longer the root.
const self = "/proc/self/exe"

func program(args []string) error {
	switch {
	case len(args) > 3 && args[1] == become:
		return runAs(step.Privilege(args[2]), args[3:])
	case len(args) == 2 && args[1] == hold:
		return holdRing()
	case len(args) == 3 && args[1] == capture:
		return captureRing(args[2])
	case len(args) == 2 && args[1] == serve:
		return answerRequests()
	}
	return fmt.Errorf("no such program: %q", args[1:])
}

// command is what a request asks to run.
func command(r step.Request) *exec.Cmd {
	args := r.Args
	if r.Privilege != step.Root && r.Privilege != step.UserNamespace {
		args = append([]string{self, become, string(r.Privilege)}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=/bin:/sbin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if r.NetNS {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNET
	}
	if r.Group != "" {
		// It stays open until the machine is off.
		cmd.SysProcAttr.UseCgroupFD = true
		cmd.SysProcAttr.CgroupFD, cmd.Err = unix.Open(r.Group, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if r.Privilege == step.UserNamespace {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		whole := []syscall.SysProcIDMap{{Size: 1 << 16}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = whole, whole
	}
	return cmd
}

// runAs becomes the command. Capabilities that are not in the bounding set are
// not in that of a program which uid 0 executes.
func runAs(p step.Privilege, args []string) error {
	runtime.LockOSThread()
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if c == unix.CAP_SYS_MODULE && p != step.NoCapability {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("dropping capability %d: %w", c, err)
		}
	}
	if p == step.Seccomp {
		if err := refuseInitModule(); err != nil {
			return err
		}
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// refuseInitModule puts a seccomp filter in place that answers EPERM.
func refuseInitModule() error {
	const number = 0 // offset of struct seccomp_data's nr
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_INIT_MODULE},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	if err != nil {
		return fmt.Errorf("setting the seccomp filter: %w", err)
	}
	return nil
}

func holdRing() error {
	if _, err := unix.Socket(ringFamily, unix.SOCK_RAW, allProtocols); err != nil {
		return fmt.Errorf("opening a ring: %w", err)
	}
	fmt.Println("held")
	return unix.Pause()
}
