package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type mount struct{ kind, at string }

// prepare mounts what programs expect and sets up the network, if there is one.
func prepare(disk bool) error {
	if err := mountAll([]mount{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}}); err != nil {
		return err
	}
	modules, err := loadModules()
	if err != nil {
		return err
	}
	// Security's file system is mounted below /host/sys only: a container sees it there alone, if at all.
	mounts := []mount{{"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"sysfs", "/host/sys"}, {"securityfs", "/host/sys/kernel/security"}, {"cgroup2", "/sys/fs/cgroup"}}
	if disk {
		if err := enterDisk(); err != nil {
			return err
		}
		mounts = []mount{
			{"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"securityfs", "/sys/kernel/security"}, {"cgroup2", "/sys/fs/cgroup"},
			{"devpts", "/dev/pts"}, {"tmpfs", "/dev/shm"}, {"mqueue", "/dev/mqueue"},
		}
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	// The kernel's log is for those with SYSLOG only, as nodes mostly have it.
	if err := os.WriteFile("/proc/sys/kernel/dmesg_restrict", []byte("1"), 0o644); err != nil {
		return err
	}
	if err := up("lo", nil); err != nil || modules == 0 {
		return err
	}
	// The address that QEMU gives the first machine of a network.
	return up("eth0", []byte{10, 0, 2, 15})
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		// devtmpfs may be mounted already.
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mounting %s at %s: %w", m.kind, m.at, err)
		}
	}
	return nil
}

// loadModules loads the modules that the machine was given and counts them.
func loadModules() (int, error) {
	for i := 0; ; i++ {
		image, err := os.ReadFile(fmt.Sprintf("/modules/%02d.ko", i))
		if errors.Is(err, os.ErrNotExist) {
			return i, nil
		}
		if err == nil {
			err = unix.InitModule(image, "")
		}
		// Some kernels have one or the other built in.
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return 0, fmt.Errorf("loading module %d: %w", i, err)
		}
	}
}

// enterDisk makes the file system on the disk the root, as switch_root does,
// with what is mounted so far in it.
func enterDisk() error {
	const device, root = "/dev/vda", "/root"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Mount(device, root, "ext4", 0, "")
		if err == nil {
			break
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENXIO) || time.Now().After(end) {
			return fmt.Errorf("mounting %s: %w", device, err)
		}
	}
	for _, at := range []string{"/proc", "/sys", "/dev"} {
		if err := os.MkdirAll(root+at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(at, root+at, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving %s: %w", at, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	// A kubelet wants its mounts to be seen by containers.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	return nil
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
