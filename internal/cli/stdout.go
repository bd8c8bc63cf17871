package cli

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// standardOutput is where a command writes its answer. It remembers the first failure:
// nobody is to take an answer that was cut off, such as on a full disk, for a whole
// one, and help and completion do not look at errors of writing.
type standardOutput struct {
	file *os.File

	mu     sync.Mutex
	failed error
}

// outputError is that the answer could not be written.
type outputError struct{ cause error }

func (e *outputError) Error() string {
	cause := e.cause
	if path := (*fs.PathError)(nil); errors.As(cause, &path) {
		cause = path.Err
	}
	return "cannot write to standard output: " + cause.Error()
}

func (e *outputError) Unwrap() error { return e.cause }

func (o *standardOutput) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		err = &outputError{err}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.failed == nil {
			o.failed = err
		}
	}
	return n, err
}

// Fd lets a printer ask for the terminal and its width.
func (o *standardOutput) Fd() uintptr { return o.file.Fd() }

// ended is what a command ended with, once what it wrote is counted in.
func (o *standardOutput) ended(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil || err != nil && !errors.Is(err, o.failed) && err.Error() != "" {
		return err
	}
	return o.failed
}

// descriptor is the file that w writes to, for questions about terminals.
func descriptor(w any) (fd int, is bool) {
	file, is := w.(interface{ Fd() uintptr })
	if !is {
		return 0, false
	}
	return int(file.Fd()), true // #nosec G115 -- a file descriptor
}
