// Package flock keeps processes on one machine apart: whoever writes a folder,
// such as a module repository's, locks it. The system frees a lock when its
// process ends, however it ends, so nothing is left to clean up. It imports
// nothing of this project but package wait.
package flock

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

// patience is how long Dir waits for another process, and poll how often it
// looks.
const (
	patience = time.Minute
	poll     = 50 * time.Millisecond
)

// Try locks an open file, without waiting. It returns false when another holder
// has it. The lock ends when the file is closed. Where the system or the file
// system knows no such locks it returns true.
func Try(f *os.File) (bool, error) { return try(f) }

// Dir locks a folder, and waits up to a minute for another process that has it.
// unlock gives it back.
func Dir(ctx context.Context, dir string) (unlock func() error, err error) {
	f, err := openDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	for end := time.Now().Add(patience); ; {
		free, err := try(f)
		if err == nil && !free {
			if time.Now().After(end) {
				err = fmt.Errorf("another process has been writing to it for %s", patience)
			} else {
				err = wait.For(ctx, poll)
			}
		}
		if err != nil {
			_ = f.Close() // nothing was written
			return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
		}
		if free {
			return f.Close, nil
		}
	}
}
