package image

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what zstd may keep in memory of a layer, in bytes: the most that
// the zstd command takes by default.
const maxWindow = 128 << 20

// plain reads a layer's tar, at most maxPlain bytes of it, whatever its
// compression. Layer.Uncompressed does the same with the standard library's gzip,
// which takes twice as long: more than all else that packing a module does.
func plain(l v1.Layer) (io.ReadCloser, error) {
	compressed, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReader(compressed)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, compressed.Close())
	}
	var from io.Reader = buffered
	stop := func() {}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		from, err = gzip.NewReader(buffered)
	case bytes.Equal(magic, []byte("\x28\xb5\x2f\xfd")):
		var frames *zstd.Decoder
		if frames, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			from, stop = frames, frames.Close
		}
	default:
		err = nil
	}
	if err != nil {
		return nil, errors.Join(err, compressed.Close())
	}
	return &plainReader{io.LimitReader(from, maxPlain), compressed, stop}, nil
}

type plainReader struct {
	io.Reader
	compressed io.Closer
	stop       func()
}

func (r *plainReader) Close() error {
	r.stop()
	return r.compressed.Close()
}
