package main

import (
	"errors"
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
	if err := up("lo", nil); err != nil {
		return err
	}
	return network()
}

// network loads the modules of the network card, if the machine has one.
func network() error {
	for i := 0; ; i++ {
		image, err := os.ReadFile(fmt.Sprintf("/network/%d.ko", i))
		if errors.Is(err, os.ErrNotExist) && i == 0 {
			return nil
		}
		if errors.Is(err, os.ErrNotExist) {
			// The address that QEMU gives the first machine of a network.
			return up("eth0", []byte{10, 0, 2, 15})
		}
		if err == nil {
			err = unix.InitModule(image, "")
		}
		// Some kernels have one or the other built in.
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("loading module %d for the network: %w", i, err)
		}
	}
}

// up switches a network interface on, with an address in a network of 24 bits.
func up(name string, address []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("bringing %s up: %w", name, err)
		}
	}()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if address != nil {
		for _, set := range []struct {
			ioctl uint
			value []byte
		}{{unix.SIOCSIFADDR, address}, {unix.SIOCSIFNETMASK, []byte{255, 255, 255, 0}}} {
			if err := request.SetInet4Addr(set.value); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(s, set.ioctl, request); err != nil {
				return err
			}
		}
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request)
}
