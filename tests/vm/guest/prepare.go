package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// prepare mounts what programs expect. Security's file system is mounted below
// /host/sys only: a container sees it there alone, if at all.
func prepare() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
		{"sysfs", "/host/sys"}, {"securityfs", "/host/sys/kernel/security"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		// devtmpfs may be mounted already.
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mounting %s at %s: %w", m.kind, m.at, err)
		}
	}
	// The kernel's log is for those with SYSLOG only, as nodes mostly have it.
	if err := os.WriteFile("/proc/sys/kernel/dmesg_restrict", []byte("1"), 0o644); err != nil {
		return err
	}
	return loopbackUp()
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("bringing the loopback up: %w", err)
	}
	defer func() { _ = unix.Close(s) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bringing the loopback up: %w", err)
	}
	return nil
}
