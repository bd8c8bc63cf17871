//go:build !linux

package child

import "syscall"

// dieWithParent does nothing: only Linux can tie a child's life to its parent's, so elsewhere a test that is killed leaves
// its programs behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
