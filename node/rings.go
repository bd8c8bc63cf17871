package node

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// Ring is one open PF_RING socket, as its file in /proc/net/pf_ring tells.
type Ring struct {
	// Name is PID-DEVICE.N.
	Name, Device, App string
	// Packets and Lost count since the ring was opened.
	Packets, Lost uint64
}

// Rings lists the open rings of all network namespaces. A ring shows itself
// only in the namespace of its socket, so each namespace is looked at once,
// through a process that is in it. What vanishes meanwhile is left out.
func (h *Host) Rings(name string) []Ring {
	proc := h.HostProc
	if proc == "" {
		proc = h.Proc
	}
	processes, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	seen := map[uint64]bool{}
	var rings []Ring
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		netns, ok := netNamespace(filepath.Join(proc, p.Name()))
		if !ok || seen[netns] {
			continue
		}
		seen[netns] = true
		rings = append(rings, readRings(filepath.Join(proc, p.Name(), "net", name))...)
	}
	sort.Sort(byName(rings))
	return rings
}

// byName sorts without a copy of the algorithm of its own, which slices.SortFunc
// would compile into the agent.
type byName []Ring

func (r byName) Len() int           { return len(r) }
func (r byName) Less(i, j int) bool { return r[i].Name < r[j].Name }
func (r byName) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// netNamespace tells the network namespace of a process from another's: the
// entries below net/ are one for all processes of a namespace, and so is their
// inode. It can be read without the rights of ptrace, unlike ns/net.
func netNamespace(process string) (namespace uint64, ok bool) {
	namespace = inode(filepath.Join(process, "net", "dev"))
	return namespace, namespace != 0
}

// inode is the number of a file or folder, 0 if it cannot be seen.
func inode(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

func readRings(dir string) []Ring {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var rings []Ring
	for _, e := range entries {
		pid, _, ok := strings.Cut(e.Name(), "-")
		if _, err := strconv.Atoi(pid); !ok || err != nil || e.IsDir() {
			continue
		}
		data, err := readfile.Regular(filepath.Join(dir, e.Name()), maxKernelFile)
		if err != nil {
			continue
		}
		rings = append(rings, parseRing(e.Name(), data))
	}
	return rings
}

// parseRing reads lines of "Key : value".
func parseRing(name string, data []byte) Ring {
	r := Ring{Name: name}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Bound Device(s)":
			r.Device = value
		case "Appl. Name":
			r.App = value
		case "Tot Packets":
			r.Packets = number(value)
		case "Tot Pkt Lost":
			r.Lost = number(value)
		}
	}
	return r
}

// number is 0 for what is none: a counter that PF_RING writes otherwise some
// day must not take the others along.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
