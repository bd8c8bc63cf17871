package module

import (
	"context"
	"errors"

	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
)

// streamSource is a source that hands a file on as it comes.
type streamSource interface {
	FetchTo(ctx context.Context, path string, max int64, to stream.Sink) error
}

// blobSource is a source that finds a file by its digest alone.
type blobSource interface {
	FetchBlob(ctx context.Context, sha256 string, max int64) ([]byte, error)
}

// supply is a source during one Get or List: it counts what comes, and keeps a
// copy if one is wanted.
type supply struct {
	source   Source
	copy     *Copy
	answered func()
	bytes    int64
}

func newSupply(source Source, r Request) *supply {
	return &supply{source: source, copy: r.Copy, answered: r.Answered}
}

// fetch returns a file as a whole.
func (s *supply) fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	data, err := s.source.Fetch(ctx, path, max)
	_, _ = counting{s}.Write(data) // it never fails
	if err == nil && path == SignatureName {
		s.copy.signature(data)
	}
	return data, err
}

// to writes the index to a sink as it comes.
func (s *supply) to(ctx context.Context, path string, max int64, to stream.Sink) error {
	to = stream.Tee(to, s.counter(), s.copy.index())
	if streams, ok := s.source.(streamSource); ok {
		return streams.FetchTo(ctx, path, max, to)
	}
	data, err := s.source.Fetch(ctx, path, max)
	if err != nil {
		return err
	}
	_, err = to.Write(data)
	return err
}

func (s *supply) counter() stream.Sink { return stream.Of(counting{s}, func() {}) }

type counting struct{ *supply }

func (c counting) Write(p []byte) (int, error) {
	if c.answered != nil && len(p) > 0 {
		c.answered()
	}
	c.bytes += int64(len(p))
	return len(p), nil
}

// entry returns the file of an entry.
func (s *supply) entry(ctx context.Context, e Entry, max int64) ([]byte, error) {
	blobs, ok := s.source.(blobSource)
	if !ok {
		return s.fetch(ctx, e.Path, max)
	}
	data, err := blobs.FetchBlob(ctx, e.SHA256, max)
	s.bytes += int64(len(data))
	return data, err
}

// Answers reads the index of source, or the list that repositories had before
// there was an index, keeps nothing of it, and returns which of them it was. It
// fails with *Error.
func Answers(ctx context.Context, source Source) (path string, err error) {
	s := newSupply(source, Request{})
	for _, path = range []string{IndexName, VersionsName} {
		if err = s.to(ctx, path, maxIndexSize, stream.Discard); err == nil || !errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err != nil {
		return "", located(err, source)
	}
	return path, nil
}
