package repository

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Symvers are the checksums of the symbols that a kernel release exports, as its
// build leaves them in Module.symvers.
type Symvers struct {
	Release string
	CRCs    map[string]uint32
}

// maxSymvers bounds a Module.symvers, in bytes: that of a distribution's kernel
// has some 2 MiB.
const maxSymvers = 64 << 20

// ReadSymvers reads the Module.symvers of a kernel release, plain or compressed
// as in /boot of some distributions.
func ReadSymvers(release, file string) (Symvers, error) {
	data, err := readfile.Regular(file, maxSymvers)
	if err != nil {
		return Symvers{}, fmt.Errorf("cannot read the symbols of kernel %s: %w", release, err)
	}
	if data, _, err = module.Decompress(data, maxSymvers); err != nil {
		return Symvers{}, fmt.Errorf("%s: %w", file, err)
	}
	s, err := ParseSymvers(release, data)
	if err != nil {
		return Symvers{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// ParseSymvers reads lines of a checksum and a symbol, and more that does not
// matter here: where the symbol is from and how it is exported.
func ParseSymvers(release string, data []byte) (Symvers, error) {
	s := Symvers{Release: release, CRCs: map[string]uint32{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 3 {
			return Symvers{}, fmt.Errorf("invalid line %d: must be checksum, symbol and module, as in Module.symvers", n)
		}
		crc, err := strconv.ParseUint(strings.TrimPrefix(fields[0], "0x"), 16, 32)
		if err != nil {
			return Symvers{}, fmt.Errorf("invalid line %d: its checksum is %q", n, fields[0])
		}
		s.CRCs[fields[1]] = uint32(crc)
	}
	if err := lines.Err(); err != nil {
		return Symvers{}, err
	}
	if s.CRCs[layout] == 0 {
		return Symvers{}, errors.New("it has no checksum of " + layout + ": the kernel was built without MODVERSIONS, or this is not the kernel's own file")
	}
	return s, nil
}

// layout is the symbol whose checksum stands for the layout of struct module. The
// kernel compares it before all others.
const layout = "module_layout"

// fits tells whether a module was proved to fit the release: it has checksums,
// and each is that of the kernel. why says what contradicts it.
func (s Symvers) fits(symbols []module.Symbol) (fits bool, why string) {
	if !slices.ContainsFunc(symbols, func(sym module.Symbol) bool { return sym.Name == layout }) {
		return false, "it was built without MODVERSIONS, so it has no checksums of the symbols it requires"
	}
	for _, sym := range symbols {
		crc, there := s.CRCs[sym.Name]
		switch {
		case !there:
			return false, "the kernel does not export " + sym.Name
		case crc != sym.CRC:
			return false, fmt.Sprintf("the checksum of %s is 0x%08x, the module requires 0x%08x", sym.Name, crc, sym.CRC)
		}
	}
	return true, ""
}

// fits are the releases, other than its own, that a module was proved to fit:
// those of before, unless list has newer symbols of them, and those of list.
func fits(own string, symbols []module.Symbol, before []module.Fit, list []Symvers) []module.Fit {
	var out []module.Fit
	add := func(release string) {
		f := module.Fit{KernelRelease: release, Proof: module.ProofSymvers}
		if release != own && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	asked := func(release string) bool {
		return slices.ContainsFunc(list, func(s Symvers) bool { return s.Release == release })
	}
	for _, f := range before {
		if f.Proof == module.ProofSymvers && !asked(f.KernelRelease) {
			add(f.KernelRelease)
		}
	}
	for _, s := range list {
		if ok, _ := s.fits(symbols); ok {
			add(s.Release)
		}
	}
	slices.SortFunc(out, func(a, b module.Fit) int { return strings.Compare(a.KernelRelease, b.KernelRelease) })
	return out
}

// Proof says whether a module was proved to fit a kernel release.
type Proof struct {
	Release, Path string
	// Why says what contradicts it; "" is proved.
	Why string
}

// prove holds each module against the symbols of each release but its own.
func prove(entries []module.Entry, symbols map[string][]module.Symbol, list []Symvers) []Proof {
	var proofs []Proof
	for _, s := range list {
		for _, e := range entries {
			if e.KernelRelease != s.Release {
				_, why := s.fits(symbols[e.Path])
				proofs = append(proofs, Proof{s.Release, e.Path, why})
			}
		}
	}
	return proofs
}
