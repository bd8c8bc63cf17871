package node

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel is the system calls of the agent.
type Kernel interface {
	// Release is that of uname(2).
	Release() (string, error)
	// InitModule hands a whole module to init_module(2). The error is a
	// unix.Errno. An empty image is a question: a kernel that would take a
	// module answers ENOEXEC.
	InitModule(image []byte, parameters string) error
	// DeleteModule is delete_module(2) without waiting.
	DeleteModule(name string) error
	// Listen begins to follow the kernel's log. That costs nothing until it is
	// read, which is needed after a failure only.
	Listen() KernelLog
	// KernelVersion is that of uname(2), which tells two builds of a release
	// apart; "" if it is unavailable.
	KernelVersion() string
}

// KernelLog is the kernel's log since a moment.
type KernelLog interface {
	// Lines are those since then, the oldest first; nil if the log may not be
	// read, which is the rule in a container.
	Lines() []string
	// Close ends listening.
	Close()
}

// Linux is the running kernel.
type Linux struct{}

// Release implements Kernel.
func (Linux) Release() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("cannot get the kernel release: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// InitModule implements Kernel. The wrapper of x/sys does not take an empty
// image.
func (Linux) InitModule(image []byte, parameters string) error {
	p, err := unix.BytePtrFromString(parameters)
	if err != nil {
		return unix.EINVAL
	}
	// #nosec G103 -- the kernel reads len(image) bytes and the string, and keeps neither
	_, _, errno := unix.Syscall(unix.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(unsafe.SliceData(image))), uintptr(len(image)), uintptr(unsafe.Pointer(p)))
	if errno != 0 {
		return errno
	}
	return nil
}

// DeleteModule implements Kernel.
func (Linux) DeleteModule(name string) error { return unix.DeleteModule(name, unix.O_NONBLOCK) }

// KernelVersion implements Kernel.
func (Linux) KernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Version[:])
}
