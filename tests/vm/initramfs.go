package vm

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// initramfs is a cpio archive in the format newc, from which the kernel starts.
type initramfs struct {
	out   bytes.Buffer
	inode int
	dirs  map[string]bool
}

// Modes of stat(2).
const (
	modeDir     = 0o040755
	modeFile    = 0o100755
	modeDevice  = 0o020600
	consoleRdev = 5 // major; the minor is 1
)

// makeInitramfs packs files, by absolute path.
func makeInitramfs(files map[string][]byte) []byte {
	a := &initramfs{dirs: map[string]bool{".": true, "/": true}}
	a.parents("/dev/console")
	a.entry("dev/console", modeDevice, nil, consoleRdev, 1)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.parents(name)
		a.entry(strings.TrimPrefix(name, "/"), modeFile, files[name], 0, 0)
	}
	a.entry("TRAILER!!!", 0, nil, 0, 0)
	return a.out.Bytes()
}

func (a *initramfs) parents(name string) {
	dir := path.Dir(name)
	if a.dirs[dir] {
		return
	}
	a.parents(dir)
	a.dirs[dir] = true
	a.entry(strings.TrimPrefix(dir, "/"), modeDir, nil, 0, 0)
}

// entry writes a header of 13 numbers, the name and the data, each padded to
// four bytes.
func (a *initramfs) entry(name string, mode int, data []byte, major, minor int) {
	a.inode++
	a.out.WriteString("070701")
	for _, n := range []int{a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0} {
		fmt.Fprintf(&a.out, "%08x", n)
	}
	a.out.WriteString(name + "\x00")
	a.pad()
	a.out.Write(data)
	a.pad()
}

func (a *initramfs) pad() {
	for a.out.Len()%4 != 0 {
		a.out.WriteByte(0)
	}
}
