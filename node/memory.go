package node

import (
	"math"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// noLimit is from where on a number is not a limit: version 1 of control groups
// writes the largest number of pages instead of "max".
const noLimit = math.MaxInt64 / 4

// BoundMemory keeps the collector below the container's limit on memory, unless
// GOMEMLIMIT says otherwise, and returns how many bytes a load may hold at once;
// 0 where nothing bounds it.
func (h *Host) BoundMemory(cgroups, gomemlimit string) int64 {
	limit := h.memoryLimit(cgroups)
	if limit == 0 {
		return 0
	}
	if gomemlimit == "" {
		debug.SetMemoryLimit(limit / 4 * 3)
	}
	return module.WorkingMemory(limit)
}

// memoryLimit is the least limit in bytes that a control group of this process
// sets, by version 1 or 2, below where they are mounted, /sys/fs/cgroup; 0 when
// none does. A container sees its own group as the root or, in version 1
// without a namespace, under a path that is the host's.
func (h *Host) memoryLimit(cgroups string) int64 {
	least := int64(0)
	look := func(parts ...string) {
		text := h.line(parts...)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < noLimit && (least == 0 || n < least) {
			least = n
		}
	}
	for line := range strings.Lines(h.line(h.Proc, "self/cgroup")) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		roots, file := []string{cgroups, filepath.Join(cgroups, "unified")}, "memory.max"
		if fields[1] == "memory" {
			roots, file = []string{filepath.Join(cgroups, "memory")}, "memory.limit_in_bytes"
		} else if fields[1] != "" {
			continue
		}
		for _, root := range roots {
			for group := filepath.Clean("/" + fields[2]); ; group = filepath.Dir(group) {
				look(root, group, file)
				if group == "/" {
					break
				}
			}
		}
	}
	return least
}
