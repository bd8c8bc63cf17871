package module

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bounds, in bytes, on what comes besides the module itself. An index of ten
// thousand modules has about 4 MB.
const (
	maxIndexSize     = 32 << 20
	maxSignatureSize = 16 << 10
)

// resettle is how long a publication that is under way gets to finish before
// index and signature are read again.
const resettle = 500 * time.Millisecond

// blobSource is a source that finds a file by its digest alone.
type blobSource interface {
	FetchBlob(ctx context.Context, sha256 string, max int64) ([]byte, error)
}

// getting is one run of Get.
type getting struct {
	Request
	source Source
	out    *Verified
	raw    []byte // the index as it came last
}

func newGetting(source Source, r Request) *getting {
	if r.Verify == "" {
		r.Verify = outcome.VerifiedSignature
	}
	if r.ModuleName == "" {
		r.ModuleName = "pf_ring"
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.MaxSize <= 0 {
		r.MaxSize = DefaultMaxSize
	}
	return &getting{Request: r, source: source, out: &Verified{Source: source.String(), Proof: r.Verify}}
}

func (g *getting) run(ctx context.Context) (*Verified, error) {
	start := time.Now()
	err := g.get(ctx)
	g.out.FetchDuration = time.Since(start)
	if err != nil {
		return nil, g.located(err)
	}
	return g.out, nil
}

// located makes sure that the error is an *Error which names the repository.
func (g *getting) located(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Reason: outcome.SourceInvalid, What: "getting the module", Where: g.out.Source, Err: err}
	}
	if e.Where == "" {
		named := *e
		named.Where = g.out.Source
		return &named
	}
	return err
}

func (g *getting) get(ctx context.Context) error {
	switch g.Verify {
	case outcome.VerifiedSignature, outcome.VerifiedChecksum, outcome.VerifiedNone:
	default:
		return &Error{
			Reason: outcome.SourceUnsigned, What: "verifying the module", Why: fmt.Sprintf("verify %q is not known", g.Verify),
			Do: "Set tap.kernelModule.source.verify to signature, checksum or none.",
		}
	}
	index, err := g.index(ctx)
	if err != nil {
		if historicMayBe(err) {
			return g.historic(ctx, err)
		}
		return err
	}
	entry, err := index.Find(g.Kernel, g.Arch, g.Version)
	if err != nil {
		return err
	}
	data, err := g.file(ctx, entry)
	if !mismatch(err) {
		return g.accept(data, entry, err)
	}
	// The file may have been replaced after the index was read.
	again, indexErr := g.index(ctx)
	if indexErr != nil {
		return err
	}
	fresh, findErr := again.Find(g.Kernel, g.Arch, g.Version)
	if findErr != nil || sameFile(fresh, entry) {
		return err
	}
	data, err = g.file(ctx, fresh)
	return g.accept(data, fresh, err)
}

// sameFile tells whether two entries name the same bytes.
func sameFile(a, b Entry) bool { return a.Path == b.Path && a.Size == b.Size && a.SHA256 == b.SHA256 }

func (g *getting) fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	data, err := g.source.Fetch(ctx, path, max)
	g.out.FetchedBytes += int64(len(data))
	return data, err
}

func (g *getting) warn(format string, args ...any) {
	g.out.Warnings = append(g.out.Warnings, fmt.Sprintf(format, args...))
}

// accept decompresses the file and checks that it is the wanted module.
func (g *getting) accept(data []byte, e Entry, err error) error {
	if err != nil {
		return err
	}
	plain, _, err := Decompress(data, g.MaxSize)
	if err != nil {
		return err
	}
	info, err := Inspect(plain)
	if err != nil {
		return err
	}
	if err := info.Check(g.Kernel, g.Arch, g.ModuleName); err != nil {
		return err
	}
	if e.Version != info.Version && e.Version != "" && info.Version != "" {
		if g.Version != "" {
			return noModule(fmt.Sprintf("version %s is pinned, %s is %s", g.Version, e.Path, info.Version), "")
		}
		g.warn("%s: the index says version %s, the module itself %s", e.Path, e.Version, info.Version)
	}
	g.out.Data, g.out.Info, g.out.Entry = plain, info, e
	return nil
}
