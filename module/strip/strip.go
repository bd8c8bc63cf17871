// Package strip makes kernel module files small without changing what the
// kernel loads: it takes debug information out, as strip --strip-debug does, and
// compresses with zstd. A module of PF_RING shrinks from 1.6 MB to some 60 KB.
//
// It imports package module alone. The agent does not import it: a node never
// changes a module.
package strip

import (
	"errors"
	"fmt"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// ErrSigned is returned for a module with an appended signature, which any
// change would break: strip first, then sign.
var ErrSigned = errors.New("the module is signed, and stripping would break the signature; strip it before it is signed")

// Debug returns the module without debug sections and the symbols and
// relocations that belong to them. What the kernel loads stays byte for byte: a
// test links the result. A module without debug information comes back as it
// is. It fails with *module.Error for what is not a module, with ErrSigned, and
// for files that it cannot rewrite with confidence.
func Debug(ko []byte) ([]byte, error) {
	before, err := module.Inspect(ko)
	if err != nil {
		return nil, err
	}
	if before.Signed {
		return nil, ErrSigned
	}
	f, err := read(ko)
	if err != nil {
		return nil, fmt.Errorf("cannot strip the module: %w", err)
	}
	if !f.mark() {
		return ko, nil
	}
	if err := f.rewrite(); err != nil {
		return nil, fmt.Errorf("cannot strip the module: %w", err)
	}
	out, err := f.write()
	if err != nil {
		return nil, fmt.Errorf("cannot strip the module: %w", err)
	}
	after, err := module.Inspect(out)
	if err != nil || after.Vermagic != before.Vermagic || after.Name != before.Name || len(after.Symbols) != len(before.Symbols) {
		return nil, errors.Join(errors.New("cannot strip the module: the result is not the same module"), err)
	}
	return out, nil
}

// Compress returns the module compressed by zstd, with its size in the header,
// so that a reader needs no window beside the result. The same bytes always give
// the same result.
//
// The best level of the library would save 2 % of a module and take 50 MB of
// tables, which is more than the supply controller may have.
func Compress(ko []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true))
	if err != nil {
		return nil, fmt.Errorf("cannot compress the module: %w", err)
	}
	return w.EncodeAll(ko, nil), w.Close()
}

// Small returns the module as repositories keep it: stripped, unless it is
// signed, and compressed by zstd.
func Small(ko []byte) ([]byte, error) {
	plain, err := Debug(ko)
	if errors.Is(err, ErrSigned) {
		plain, err = ko, nil
	}
	if err != nil {
		return nil, err
	}
	return Compress(plain)
}

// isDebug tells whether a section of this name holds debug information only.
func isDebug(name string) bool {
	for _, prefix := range []string{".debug", ".zdebug", ".gnu.debuglto_", ".stab"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
