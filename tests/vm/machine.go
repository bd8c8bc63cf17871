package vm

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/child"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// answerWithin bounds one request: longer than the guest's own patience.
const answerWithin = 150 * time.Second

// Options say what to boot.
type Options struct {
	Kernel Kernel
	// Append is added to the kernel's command line.
	Append string
	// Files are put into the machine, by absolute path.
	Files map[string][]byte
	// Network gives it a network in which HostAddress is this machine's loopback.
	Network bool
	// Firmware starts the kernel from UEFI; nil without.
	Firmware *Firmware
	// Disk is a raw image of an ext4 file system. The machine runs from it, and
	// has what it takes to run containers; it implies Network.
	Disk string
	// Forward is an address of this machine's loopback whose connections go to the
	// same port of the machine; "" is none. It takes a network.
	Forward string
	// Memory is in MiB, 512 unless set.
	Memory int
	// CPU is what QEMU emulates; "" is the least that every kernel runs on, without
	// the instructions for hashes that real ones have.
	CPU string
	// CountInstructions makes the machine's clock go by the instructions that it
	// carries out, one a nanosecond, whatever else this machine does.
	CountInstructions bool
}

// Machine is a running one. Its methods end the test when it does not answer.
type Machine struct {
	cmd     *exec.Cmd
	conn    net.Conn
	lines   *bufio.Reader
	console string
	off     bool
	// ended is closed when QEMU has ended.
	ended <-chan struct{}
}

// Boot starts a machine and waits for its init. It is switched off when the test
// ends.
func Boot(t testing.TB, o Options) *Machine {
	t.Helper()
	// Not t.TempDir: the path of a socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "pfring-vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o.Files["/init"] = ProgramFor(t, o.Kernel.Arch, "./tests/vm/guest")
	if o.Disk != "" {
		o.Network = true
		o.Files[step.DiskMarker] = nil
		addModules(t, o.Kernel, o.Files, slices.Concat(networkModules, nodeModules))
	} else if o.Network {
		addModules(t, o.Kernel, o.Files, networkModules)
	}
	m := &Machine{console: filepath.Join(dir, "console")}
	if err := m.start(dir, o); err != nil {
		t.Fatalf("starting a machine with %s: %v", o.Kernel.Release, err)
	}
	t.Cleanup(func() { m.PowerOff(t) })
	if first := m.receive(t); first.Data != "ready" {
		t.Fatalf("the machine's init is not ready: %+v", first)
	}
	return m
}

func (m *Machine) start(dir string, o Options) (err error) {
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, makeInitramfs(o.Files), 0o644); err != nil {
		return err
	}
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()
	m.cmd = qemu(o, m.console, socket, initrd)
	m.cmd.Args = append(m.cmd.Args, "-m", strconv.Itoa(cmp.Or(o.Memory, 512)))
	if o.Network {
		network := "user,id=net"
		if host, port, err := net.SplitHostPort(o.Forward); err == nil {
			network += ",hostfwd=tcp:" + host + ":" + port + "-:" + port
		}
		m.cmd.Args = append(m.cmd.Args, "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=")
	}
	if o.Firmware != nil {
		drives, err := o.Firmware.drives(dir)
		if err != nil {
			return err
		}
		m.cmd.Args = append(m.cmd.Args, drives...)
	}
	if o.Disk != "" {
		// What this machine has written it still has after QEMU ends, and that is all that is asked for.
		m.cmd.Args = append(m.cmd.Args, "-drive", "file="+o.Disk+",if=none,id=disk,format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=disk")
	}
	said := &limited{}
	m.cmd.Stdout, m.cmd.Stderr = said, said
	if m.ended, err = child.Start(m.cmd); err != nil {
		return err
	}
	if l, ok := listener.(*net.UnixListener); ok {
		err = l.SetDeadline(time.Now().Add(30 * time.Second))
	}
	if err == nil {
		m.conn, err = listener.Accept()
	}
	if err != nil {
		_ = m.cmd.Process.Kill() // it may have ended by itself
		<-m.ended
		return fmt.Errorf("QEMU: %w\n%s", err, said.b)
	}
	m.lines = bufio.NewReader(m.conn)
	return nil
}

// qemu is the emulator for the kernel's architecture, with a console and a serial
// port to talk over.
func qemu(o Options, console, socket, initrd string) *exec.Cmd {
	// Debian 12's QEMU corrupts the flags at times when it emulates cmpxchg16b,
	// and newer kernels then die of a double fault: they do without. A second
	// processor makes little faster, and a node with two has hung once.
	program, tty := "qemu-system-x86_64", "ttyS0"
	args := []string{"-cpu", cmp.Or(o.CPU, "qemu64,-cx16"), "-serial", "file:" + console, "-serial", "unix:" + socket}
	if o.Kernel.Arch == "arm64" {
		// The board has one serial port.
		program, tty = "qemu-system-aarch64", "ttyAMA0"
		args = []string{"-machine", "virt", "-cpu", "max", "-serial", "file:" + console, "-chardev", "socket,id=port,path=" + socket, "-device", "pci-serial,chardev=port"}
	}
	if o.CountInstructions {
		args = append(args, "-icount", "shift=0")
	}
	return exec.Command(program, append(args, "-accel", "tcg", "-smp", "1", "-display", "none", "-nodefaults", "-no-reboot",
		"-kernel", o.Kernel.Image, "-initrd", initrd, "-append", "console="+tty+" panic=-1 quiet random.trust_cpu=on "+o.Append)...)
}

// limited keeps the beginning of what is written.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.b = append(l.b, p[:min(len(p), 4096-len(l.b))]...)
	return len(p), nil
}

// Do carries out a request. What the machine itself could not do ends the test.
func (m *Machine) Do(t testing.TB, r step.Request) step.Result {
	t.Helper()
	result := m.Try(t, r)
	if result.Error != "" {
		t.Fatalf("%s %s%q: %s\n%s%s", r.Op, r.Path, r.Args, result.Error, result.Stdout, result.Stderr)
	}
	return result
}

// Try is Do where the machine may answer that it could not.
func (m *Machine) Try(t testing.TB, r step.Request) step.Result {
	t.Helper()
	line, err := json.Marshal(r)
	if err == nil {
		_, err = m.conn.Write(append(line, '\n'))
	}
	if err != nil {
		t.Fatalf("asking the machine: %v\n%s", err, m.Console())
	}
	return m.receive(t)
}

func (m *Machine) receive(t testing.TB) (r step.Result) {
	t.Helper()
	err := m.conn.SetReadDeadline(time.Now().Add(answerWithin))
	var line []byte
	// The firmware draws on every serial port; an answer begins with a brace.
	for err == nil && !bytes.HasPrefix(line, []byte("{")) {
		line, err = m.lines.ReadBytes('\n')
		line = line[max(0, bytes.IndexByte(line, '{')):]
	}
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		t.Fatalf("the machine has not answered: %v\nits console:\n%s", err, m.Console())
	}
	return r
}

// Console is the end of what the kernel has printed.
func (m *Machine) Console() string {
	data, err := os.ReadFile(m.console)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-8192):])
}

// PowerOff writes what the machine has in memory to its disk, ends it without
// asking its programs, and waits for that or kills it. Again it does nothing.
func (m *Machine) PowerOff(t testing.TB) {
	if m.off {
		return
	}
	m.off = true
	line, err := json.Marshal(step.Request{Op: step.Off})
	if err == nil {
		_, err = m.conn.Write(append(line, '\n'))
	}
	if err == nil {
		err = m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	if err == nil {
		_, err = io.Copy(io.Discard, m.conn)
	}
	if err != nil {
		t.Logf("the machine did not power off: %v\n%s", err, m.Console())
		_ = m.cmd.Process.Kill()
	}
	_ = m.conn.Close()
	<-m.ended
}
