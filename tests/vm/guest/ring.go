package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of PF_RING's linux/pf_ring.h: its family and the option that starts a ring.
const (
	ringFamily   = 27
	allProtocols = unix.ETH_P_ALL << 8 // in the network's order
	activateRing = 106
)

// captureRing opens a ring of PF_RING itself on the loopback of its network
// namespace, sends as many packets there as it is reported, reads none of them, and
// says what the memory that it shares with the kernel counts: packets, and those
// of them that were lost. Then it keeps the ring until it is ended.
func captureRing(count string) error {
	packets, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	if err := up("lo", nil); err != nil {
		return err
	}
	ring, err := unix.Socket(ringFamily, unix.SOCK_RAW, allProtocols)
	if err != nil {
		return fmt.Errorf("opening a ring: %w", err)
	}
	if err := bindRing(ring, "lo"); err != nil {
		return fmt.Errorf("binding the ring: %w", err)
	}
	// The first page of FlowSlotInfo, which only the kernel writes.
	info, err := unix.Mmap(ring, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the ring: %w", err)
	}
	if err := unix.SetsockoptInt(ring, 0, activateRing, 0); err != nil {
		return fmt.Errorf("starting the ring: %w", err)
	}
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		return err
	}
	for range packets {
		// Nobody listens, and every other packet is reported so.
		_, _ = conn.Write([]byte("packet"))
	}
	const total, lost = 40, 48 // offsets of tot_pkts and tot_lost
	fmt.Printf("counted %d %d\n", binary.NativeEndian.Uint64(info[total:]), binary.NativeEndian.Uint64(info[lost:]))
	return unix.Pause()
}

// bindRing is bind(2) with a device, as of a packet socket but for the family.
func bindRing(ring int, device string) error {
	of, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	address := unix.RawSockaddrLinklayer{Family: ringFamily, Protocol: unix.ETH_P_ALL, Ifindex: int32(of.Index)}
	// #nosec G103 -- the kernel reads the structure and keeps nothing of it
	if _, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(ring), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address)); errno != 0 {
		return errno
	}
	return nil
}
