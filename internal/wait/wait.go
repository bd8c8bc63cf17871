// Package wait sleeps under a context. It imports only the standard library.
package wait

import (
	"context"
	"time"
)

// For waits for d. It returns the context's error at once when ctx ends, also
// where it had ended before.
func For(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
