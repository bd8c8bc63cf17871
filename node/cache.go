package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// cache is what a node keeps on disk, in a folder that only Load writes: for
// each repository a copy of the module and index that were loaded last, and the
// newest serial and versions that were accepted of each key. The zero value
// keeps nothing.
type cache struct {
	dir string
	log *slog.Logger
	// brief is how long a repository may take to begin its answer where the copy
	// has the module; 0 is briefly.
	brief time.Duration
}

// briefly is long enough for a repository that is there, and short enough for a
// node that boots while it is not.
const briefly = 5 * time.Second

// seenName is the file of what was accepted; maxSeen bounds it in bytes.
const (
	seenName = "seen.json"
	maxSeen  = 1 << 20
)

// reserve is how much of a load's time is left for the copy when the repository
// does not answer: a quarter, and no more than this.
const reserve = 15 * time.Second

// get gets the module from source or, when that is away, from this node's copy,
// which proves itself as the original would. keep is to be called once the module
// is loaded. away says why the copy was taken; nil when it was not.
func (c cache) get(ctx context.Context, source module.Source, r module.Request) (v *module.Verified, keep func(), away, err error) {
	if c.dir == "" {
		v, err = module.Get(ctx, source, r)
		return v, func() {}, nil, err
	}
	folder := c.folder(source)
	r.Seen = c.seen()
	if module.HasCopy(folder) {
		return c.getOrCopy(ctx, source, r, folder)
	}
	v, copied, err := c.ask(ctx, source, r, folder)
	return v, func() { c.keep(copied, v, r.Kernel) }, nil, err
}

// getOrCopy is get where there is a copy. One that has the module for this kernel
// is taken after a short try; the long one follows if it cannot be used after all.
func (c cache) getOrCopy(ctx context.Context, source module.Source, r module.Request, folder string) (v *module.Verified, keep func(), away, err error) {
	whole := cmp.Or(c.brief, briefly)
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		whole = left - min(left/4, reserve)
	}
	tries := []time.Duration{whole}
	if _, err := module.Get(ctx, module.OpenCopy(folder), r); err == nil {
		tries = []time.Duration{min(cmp.Or(c.brief, briefly), whole), whole}
	}
	for _, d := range tries {
		var copied *module.Copy
		answers := false
		r.Answered = func() { answers = true }
		asking, cancel := context.WithTimeout(ctx, d)
		v, copied, err = c.ask(asking, source, r, folder)
		cancel()
		if err == nil {
			return v, func() { c.keep(copied, v, r.Kernel) }, nil, nil
		}
		if !isAway(err) || ctx.Err() != nil {
			return nil, nil, nil, err
		}
		if answers && d < whole {
			continue // it is slow, and not away
		}
		v, copyErr := module.Get(ctx, module.OpenCopy(folder), r)
		if copyErr == nil {
			v.Source = source.String()
			return v, func() { c.accept(v.Signer, v.Serial, r.Kernel, v.Info.Version) }, err, nil
		}
		c.log.Warn("the repository is unavailable, and this node's copy cannot be used", "error", copyErr)
	}
	return nil, nil, nil, err
}

// ask gets the module from the repository, and what was read of it for a copy.
func (c cache) ask(ctx context.Context, source module.Source, r module.Request, folder string) (*module.Verified, *module.Copy, error) {
	r.Copy = module.NewCopy(folder)
	v, err := module.Get(ctx, source, r)
	if err != nil {
		r.Copy.Discard()
		return nil, nil, err
	}
	c.accept(v.Signer, v.Serial, "", "")
	return v, r.Copy, nil
}

// isAway tells whether the repository could not be asked. What it says when it
// can be, such as that an index is rolled back, no copy makes up for.
func isAway(err error) bool {
	var e *module.Error
	if !errors.As(err, &e) || errors.Is(err, context.DeadlineExceeded) {
		return errors.Is(err, context.DeadlineExceeded)
	}
	switch e.Reason {
	case outcome.SourceUnreachable, outcome.SourceTimeout, outcome.SourceForbidden, outcome.SourceTLSUntrusted:
		return true
	}
	return false
}

// folder is where the copy of a repository is.
func (c cache) folder(source module.Source) string {
	sum := sha256.Sum256([]byte(source.String()))
	return filepath.Join(c.dir, "repositories", hex.EncodeToString(sum[:8]))
}

// keep commits the copy of a module that was loaded, and remembers its version.
func (c cache) keep(copied *module.Copy, v *module.Verified, kernel string) {
	c.accept(v.Signer, v.Serial, kernel, v.Info.Version)
	if err := copied.Commit(v); err != nil {
		c.log.Warn("this node has no copy of its module to use while the repository is unavailable", "error", err)
	}
}

// memory is the content of the file of what was accepted, by key, as it stands
// there: what a newer agent has added stays when an older one writes it again.
type memory map[string]json.RawMessage

// of is what is remembered of one key; false for what is not understood.
func (m memory) of(key string) (module.Seen, bool) {
	var s module.Seen
	text, ok := m[key]
	return s, ok && json.Unmarshal(text, &s) == nil
}

// with is m with a newer serial and versions of a key.
func (m memory) with(key string, s module.Seen) (memory, error) {
	var before map[string]json.RawMessage
	_ = json.Unmarshal(m[key], &before) // what is not an object is replaced
	fields := map[string]json.RawMessage{}
	maps.Copy(fields, before)
	for name, value := range map[string]any{"serial": s.Serial, "versions": s.Versions} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		fields[name] = text
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	out := memory{}
	maps.Copy(out, m)
	out[key] = text
	return out, nil
}

// remembered reads the file; what cannot be read is empty.
func (c cache) remembered() memory {
	path := filepath.Join(c.dir, seenName)
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	data, err := readfile.Read(ctx, path, maxSeen)
	m := memory{}
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		c.log.Warn("the newest serials that this node has seen cannot be read; older indexes are accepted", "file", path, "error", err)
		return memory{}
	}
	return m
}

// seen is what was accepted before, by key.
func (c cache) seen() map[string]module.Seen {
	seen := map[string]module.Seen{}
	m := c.remembered()
	for key := range m {
		s, ok := m.of(key)
		if !ok {
			c.log.Warn("what this node has seen of a key cannot be read; older indexes of it are accepted", "file", filepath.Join(c.dir, seenName), "key", key)
			continue
		}
		seen[key] = s
	}
	return seen
}

// accept remembers the serial of a verified index and, once it is loaded, the
// version of a module for a kernel release.
func (c cache) accept(key string, serial int64, kernel, version string) {
	if key == "" {
		return // whose it is, is not known
	}
	all := c.remembered()
	s, _ := all.of(key)
	newer := version != "" && (s.Versions[kernel] == "" || module.CompareVersions(version, s.Versions[kernel]) > 0)
	if serial <= s.Serial && !newer {
		return
	}
	s.Serial = max(s.Serial, serial)
	if newer {
		versions := map[string]string{kernel: version}
		for k, v := range s.Versions {
			// A node has few kernels in its life; a file that grows without end is a fault.
			if k != kernel && len(versions) < 32 {
				versions[k] = v
			}
		}
		s.Versions = versions
	}
	all, err := all.with(key, s)
	var data []byte
	if err == nil {
		data, err = json.Marshal(all)
	}
	if err == nil {
		err = replaceFile(filepath.Join(c.dir, seenName), data)
	}
	if err != nil {
		c.log.Warn("cannot store the serial of the index", "error", err)
	}
}
