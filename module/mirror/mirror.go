package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// Destination is where a repository is copied to. Has and Put may be called by
// several at once, unless it is Sequential.
type Destination interface {
	// Has tells whether the file of e is there, with its digest.
	Has(ctx context.Context, e module.Entry) (bool, error)
	// Put stores the file of e.
	Put(ctx context.Context, e module.Entry, data []byte) error
	// Publish makes the index the current one, after all files that it lists
	// in have are stored. signature is nil for none. A Watcher fails when the
	// current index is another than at Begin, as far as it can tell.
	Publish(ctx context.Context, have []module.Entry, index, signature []byte) error
	// Sequential asks for one file after the other.
	Sequential() bool
	// Close gives up what was not published.
	Close() error
	// String is what source.url is for it, or its file's name.
	String() string
}

// Watcher is a destination that other writers may reach at the same time.
type Watcher interface {
	// Begin remembers which index is the current one.
	Begin(ctx context.Context) error
}

// Options say what is copied.
type Options struct {
	Source module.Source
	// Request says what the index must pass; its kernel does not matter.
	Request module.Request
	// Limit is how long fetching one file may take, with all that is tried again;
	// 0 means no limit.
	Limit time.Duration
	// Want chooses modules; nil takes all.
	Want func(module.Entry) bool
	// SkipAbsent leaves out modules that the index lists and the source does not
	// hold: a copy of some modules has the index of all.
	SkipAbsent bool
	// Sign makes the index and the signature that are published, from the
	// source's index cut down to what was chosen. nil publishes the source's own.
	Sign func(module.Index) (index, signature []byte, err error)
	// Change makes another file and its entry of each, such as a smaller one, for
	// an index of its own; nil copies them as they are. It requires Sign.
	Change func(module.Entry, []byte) (module.Entry, []byte, error)
	// Progress is reported after each file; nil for none. It is called by one at a
	// time.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	// Done of Total modules are there; Copied of them came in this run.
	Done, Total, Copied int
	// Bytes were fetched.
	Bytes int64
	// Absent of the Total are not in the source.
	Absent int
	// Last is the path of the module that was done last.
	Last string
}

// Result is what a run did.
type Result struct {
	Progress
	// Index is the source's.
	Index *module.Index
	// Signed says that the published index has a signature.
	Signed bool
}

// parallel is how many modules are under way at once: enough to fill a link,
// and each is in memory.
const parallel = 4

// ErrNothingWanted is returned when no module of the index is chosen.
var ErrNothingWanted = errors.New("none of the requested modules found in the repository")

// Run copies what o chooses to d. It fails with *module.Error for what is wrong
// with the source.
func Run(ctx context.Context, o Options, d Destination) (*Result, error) {
	rec := &recorder{Source: o.Source, limit: o.Limit}
	index, err := module.ReadIndex(ctx, rec, o.Request)
	if err != nil {
		return nil, err
	}
	signature, err := rec.signature(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(index, o.Want)
	if err != nil {
		return nil, err
	}
	if w, ok := d.(Watcher); ok {
		if err := w.Begin(ctx); err != nil {
			return nil, fmt.Errorf("cannot read the index of %s: %w", d, err)
		}
	}
	result := &Result{Index: index, Progress: Progress{Total: len(chosen)}}
	have, err := copyAll(ctx, o, d, index.Module, chosen, &result.Progress)
	if err != nil {
		return result, err
	}
	if len(have) == 0 {
		return result, fmt.Errorf("none of the modules that its index lists found in %s", o.Source)
	}
	raw := rec.last[module.IndexName]
	if o.Sign != nil {
		cut := *index
		cut.Modules = have
		if raw, signature, err = o.Sign(cut); err != nil {
			return result, fmt.Errorf("cannot sign the copy: %w", err)
		}
	}
	result.Signed = signature != nil
	if err := d.Publish(ctx, have, raw, signature); err != nil {
		return result, fmt.Errorf("cannot publish the index to %s: %w", d, err)
	}
	return result, nil
}

func choose(index *module.Index, want func(module.Entry) bool) ([]module.Entry, error) {
	chosen := slices.Clone(index.Modules)
	if want != nil {
		chosen = slices.DeleteFunc(chosen, func(e module.Entry) bool { return !want(e) })
	}
	if len(chosen) == 0 {
		return nil, ErrNothingWanted
	}
	if err := checkPaths(chosen); err != nil {
		return nil, err
	}
	return chosen, nil
}

// copyAll returns the entries whose files are at the destination now. name is
// the kernel's name of the module.
func copyAll(ctx context.Context, o Options, d Destination, name string, entries []module.Entry, p *Progress) ([]module.Entry, error) {
	var mu sync.Mutex
	absent, stored := make([]bool, len(entries)), make([]module.Entry, len(entries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	if d.Sequential() {
		group.SetLimit(1)
	}
	for i, e := range entries {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var n int64
			var err error
			stored[i], n, err = copyOne(ctx, o, d, name, e)
			absent[i] = o.SkipAbsent && errors.Is(err, module.ErrNotFound)
			if err != nil && !absent[i] {
				return fmt.Errorf("cannot copy %s: %w", e.Path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			p.Done++
			p.Last = e.Path
			if absent[i] {
				p.Absent++
			} else if n > 0 {
				p.Copied++
				p.Bytes += n
			}
			if o.Progress != nil {
				o.Progress(*p)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var have []module.Entry
	for i, e := range stored {
		if !absent[i] {
			have = append(have, e)
		}
	}
	// What two entries have become may not be one file.
	return have, checkPaths(have)
}

// copyOne returns the entry of what is at the destination now, and how many bytes
// were fetched; 0 when the file was there.
func copyOne(ctx context.Context, o Options, d Destination, name string, e module.Entry) (module.Entry, int64, error) {
	if o.Change == nil {
		if there, err := d.Has(ctx, e); there || err != nil {
			return e, 0, err
		}
	}
	data, err := fetch(ctx, o.Source, o.Limit, e)
	if err != nil {
		return e, 0, err
	}
	if err := Fits(e, data); err != nil {
		return e, 0, err
	}
	if err := checkModule(e, name, data); err != nil {
		return e, 0, err
	}
	fetched := int64(len(data))
	if o.Change != nil {
		if e, data, err = o.Change(e, data); err != nil {
			return e, 0, err
		}
		if there, err := d.Has(ctx, e); there || err != nil {
			return e, fetched, err
		}
	}
	return e, fetched, d.Put(ctx, e, data)
}

func fetch(ctx context.Context, source module.Source, limit time.Duration, e module.Entry) ([]byte, error) {
	ctx, cancel := withLimit(ctx, limit)
	defer cancel()
	if e.Size > module.DefaultMaxSize {
		return nil, fmt.Errorf("the index says that it has %d bytes, more than the limit of %d", e.Size, module.DefaultMaxSize)
	}
	if byDigest, ok := source.(interface {
		FetchBlob(ctx context.Context, sha256 string, max int64) ([]byte, error)
	}); ok {
		return byDigest.FetchBlob(ctx, e.SHA256, e.Size)
	}
	return source.Fetch(ctx, e.Path, e.Size)
}

// withLimit bounds what is done with ctx; a limit of 0 does not.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// Fits tells whether data is the file of e.
func Fits(e module.Entry, data []byte) error {
	if int64(len(data)) != e.Size {
		return fmt.Errorf("it has %d bytes, the index says %d", len(data), e.Size)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != e.SHA256 {
		return fmt.Errorf("its sha256 is %x, the index says %s", sum, e.SHA256)
	}
	return nil
}

// recorder keeps what was fetched last, so that the very bytes that passed are
// copied.
type recorder struct {
	module.Source
	limit time.Duration
	last  map[string][]byte
}

// Fetch is the source's own.
func (r *recorder) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	ctx, cancel := withLimit(ctx, r.limit)
	defer cancel()
	data, err := r.Source.Fetch(ctx, path, max)
	if r.last == nil {
		r.last = map[string][]byte{}
	}
	r.last[path] = data
	return data, err
}

// signature is the one that was verified, or the one there is if none was asked
// for.
func (r *recorder) signature(ctx context.Context) ([]byte, error) {
	if data := r.last[module.SignatureName]; data != nil {
		return data, nil
	}
	const max = 16 << 10
	data, err := r.Fetch(ctx, module.SignatureName, max)
	if errors.Is(err, module.ErrNotFound) {
		return nil, nil
	}
	return data, err
}
