// Package child starts the programs that tests run beside themselves, so that
// none of them outlives a test that is killed. Only tests import it.
package child

import (
	"os/exec"
	"runtime"
)

// Start starts a program that is killed when this process dies, however that
// happens. done is closed when it has ended; how is in cmd.ProcessState then.
func Start(cmd *exec.Cmd) (done <-chan struct{}, err error) {
	cmd.SysProcAttr = dieWithParent()
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// The death signal comes when the thread ends that started the child, so keep the thread until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
		}
	}()
	return ended, <-started
}
