package repository

import (
	"errors"
	"fmt"
	"path"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// Shrink says how modules are made smaller before they are stored. A module with
// a kernel signature is not stripped: that would break the signature.
type Shrink struct {
	// Strip takes debug information out; Compress compresses by zstd.
	Strip, Compress bool
}

// Nothing tells whether modules stay as they are.
func (s Shrink) Nothing() bool { return !s.Strip && !s.Compress }

// Entry returns the entry and the file for what data, the file of e, becomes.
// What was compressed stays so, by zstd.
func (s Shrink) Entry(e module.Entry, data []byte) (module.Entry, []byte, error) {
	ko, format, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return e, nil, err
	}
	plain := ko
	if s.Strip {
		if plain, err = strip.Debug(ko); errors.Is(err, strip.ErrSigned) {
			plain, err = ko, nil
		}
		if err != nil {
			return e, nil, err
		}
	}
	stripped := len(plain) != len(ko)
	switch {
	case !stripped && (!s.Compress || format == module.FormatZst):
		return e, data, nil
	case s.Compress || format != module.FormatRaw:
		if data, err = strip.Compress(plain); err != nil {
			return e, nil, err
		}
		e.Compression = module.FormatZst
		e.Path = path.Join(path.Dir(e.Path), module.BareName(e.Path)+".ko.zst")
	default:
		data = plain
	}
	e.Size, e.SHA256, e.ModuleSHA256 = int64(len(data)), digest(data), digest(plain)
	return e, data, nil
}

// shrink stores what the files of entries become beside them. It returns the new
// entries, the paths that nothing lists any more, and how to take it back.
func (r *locked) shrink(entries []module.Entry, s Shrink) (out []module.Entry, gone []string, undo func() error, err error) {
	files, taken := map[string][]byte{}, map[string]bool{}
	for _, e := range entries {
		taken[e.Path] = true
	}
	for _, e := range entries {
		data, err := r.read(e.Path)
		if err != nil {
			return nil, nil, noUndo, fmt.Errorf("cannot read %s: %w", e.Path, err)
		}
		small, data, err := s.Entry(e, data)
		if err != nil {
			return nil, nil, noUndo, fmt.Errorf("%s: %w", e.Path, err)
		}
		out = append(out, small)
		if small.SHA256 == e.SHA256 {
			continue
		}
		files[small.Path] = data
		if small.Path != e.Path {
			if taken[small.Path] {
				return nil, nil, noUndo, fmt.Errorf("cannot rename %s to %s, which is another module: rename one of them", e.Path, small.Path)
			}
			taken[small.Path] = true
			gone = append(gone, e.Path)
		}
	}
	undo, err = r.put(files)
	return out, gone, undo, err
}

func noUndo() error { return nil }
