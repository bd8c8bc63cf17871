// Package stream takes files as they come from a source, so that one of any
// size is read without being held: a sink is written to, and told when the file
// starts over. It knows neither sources nor what is in a file, and imports
// nothing of this project.
package stream

import "io"

// Sink takes a file from its beginning.
type Sink interface {
	io.Writer
	// Reset drops what has come: the file starts over.
	Reset()
}

// Buffer holds the file. The zero value is ready.
type Buffer struct{ data []byte }

// Grow makes room for n more bytes at once, so that nothing is copied as they
// come, and memory for no more than these is taken.
func (b *Buffer) Grow(n int64) {
	if free := int64(cap(b.data) - len(b.data)); n > free {
		b.data = append(make([]byte, 0, int64(len(b.data))+n), b.data...)
	}
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.data = append(b.data, p...)
	return len(p), nil
}

// ReadFrom appends all of r.
func (b *Buffer) ReadFrom(r io.Reader) (int64, error) {
	before := len(b.data)
	for {
		if len(b.data) == cap(b.data) {
			b.Grow(max(32<<10, int64(len(b.data))))
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			err = nil
		} else if err == nil {
			continue
		}
		return int64(len(b.data) - before), err
	}
}

// Reset drops what has come and keeps the room.
func (b *Buffer) Reset() { b.data = b.data[:0] }

// Bytes is what has come, valid until the next call.
func (b *Buffer) Bytes() []byte { return b.data }

// Consumer hands what is written to a function that reads, and keeps what it
// returns. When the file starts over, so does the function.
type Consumer[T any] struct {
	read func(io.Reader) (T, error)
	pipe *io.PipeWriter
	done chan result[T]
}

type result[T any] struct {
	value T
	err   error
}

// Consume returns a sink that is read by read. It must be closed.
func Consume[T any](read func(io.Reader) (T, error)) *Consumer[T] {
	c := &Consumer[T]{read: read}
	c.start()
	return c
}

func (c *Consumer[T]) start() {
	r, w := io.Pipe()
	done := make(chan result[T], 1)
	c.pipe, c.done = w, done
	go func() {
		value, err := c.read(r)
		_ = r.Close() // what comes after that is not wanted; it never fails
		done <- result[T]{value, err}
	}()
}

// Write hands p on. What comes after the function has returned is dropped.
func (c *Consumer[T]) Write(p []byte) (int, error) {
	if _, err := c.pipe.Write(p); err != nil && err != io.ErrClosedPipe {
		return 0, err
	}
	return len(p), nil
}

// Reset ends the function, whose result is dropped, and starts it again.
func (c *Consumer[T]) Reset() {
	_ = c.pipe.CloseWithError(io.ErrUnexpectedEOF) // it never fails
	<-c.done
	c.start()
}

// Close ends the file and returns what the function has found. With an err the
// file ended early, and the function's reader fails with it.
func (c *Consumer[T]) Close(err error) (T, error) {
	_ = c.pipe.CloseWithError(err) // it never fails
	got := <-c.done
	return got.value, got.err
}

// Tee is a sink that writes to all of sinks.
func Tee(sinks ...Sink) Sink { return tee(sinks) }

type tee []Sink

func (t tee) Write(p []byte) (int, error) {
	for _, s := range t {
		if _, err := s.Write(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (t tee) Reset() {
	for _, s := range t {
		s.Reset()
	}
}

// Of is a sink that writes to w and calls reset when the file starts over.
func Of(w io.Writer, reset func()) Sink { return of{w, reset} }

type of struct {
	io.Writer
	reset func()
}

func (o of) Reset() { o.reset() }

// Discard is a sink that drops the file.
var Discard = Of(io.Discard, func() {})
