package node

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Listen implements Kernel.
func (Linux) Listen() KernelLog {
	// At its end each record that comes is read once, by whoever has it open.
	if f, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
		if _, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_END); err == nil {
			return records{f}
		}
		_ = f.Close() // only read
	}
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		now = unix.Timespec{}
	}
	return ring{time.Duration(now.Nano()) - clockSlack}
}

// records are those of /dev/kmsg.
type records struct{ f *os.File }

func (r records) Close() { _ = r.f.Close() } // only read

// Lines implements KernelLog. A record is "level,number,microseconds,flags;text"
// with lines of its own after it, and each read returns one.
func (r records) Lines() []string {
	lines := []string{}
	buf := make([]byte, 8<<10)
	for range 1000 {
		n, err := unix.Read(int(r.f.Fd()), buf)
		if err == unix.EPIPE {
			continue // some were overwritten meanwhile
		}
		if err != nil || n <= 0 {
			break
		}
		if text, ok := recordText(buf[:n]); ok {
			lines = append(lines, text)
		}
	}
	return lines
}

// recordText is the message of a record; false without the sign before it.
func recordText(record []byte) (string, bool) {
	_, text, ok := strings.Cut(string(record), ";")
	text, _, _ = strings.Cut(text, "\n")
	return text, ok
}

// clockSlack is how far the clock of the kernel's log may be behind another.
const clockSlack = time.Second

// ring is the log as syslog(2) has it, from a time since boot on.
type ring struct{ from time.Duration }

func (ring) Close() {}

// Lines implements KernelLog.
func (r ring) Lines() []string {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil || size <= 0 {
		return nil
	}
	buf := make([]byte, size)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil || n <= 0 {
		return nil
	}
	return linesFrom(strings.Split(string(bytes.TrimSpace(buf[:n])), "\n"), r.from)
}

// linesFrom leaves out the lines that are known to be older: each begins with
// "<level>[seconds.microseconds] ", unless the kernel writes no times.
func linesFrom(lines []string, from time.Duration) []string {
	out := []string{}
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, "[")
		stamp, _, _ := strings.Cut(rest, "]")
		seconds, err := strconv.ParseFloat(strings.TrimSpace(stamp), 64)
		if err == nil && time.Duration(seconds*float64(time.Second)) < from {
			continue
		}
		out = append(out, line)
	}
	return out
}
