package child

import "syscall"

// dieWithParent has the kernel kill a child when the thread ends that started it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
