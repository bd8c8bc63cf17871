package web

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A server that sends a byte now and then is as good as one that is silent.
func TestTooFewBytesInAnIdleTimeEndAnExchange(t *testing.T) {
	for name, test := range map[string]struct {
		every time.Duration
		bytes int
		// want is when it ends; 0 for never.
		want time.Duration
		says string
	}{
		"silence":             {time.Hour, 1, 15 * time.Second, "the server stopped responding for 15s"},
		"a byte a second":     {time.Second + time.Millisecond, 1, 15 * time.Second, "the server is too slow: 14 bytes in 15s"},
		"one too few":         {14 * time.Second, Progress - 1, 15 * time.Second, "the server is too slow: 4095 bytes in 15s"},
		"just enough":         {14 * time.Second, Progress, 0, ""},
		"enough, in pieces":   {3 * time.Second, Progress / 4, 0, ""},
		"as much as there is": {time.Second, 1 << 20, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				p := newPulse(15*time.Second, cancel)
				defer p.stop()
				time.Sleep(time.Minute) // it is not started
				p.start()
				start := time.Now()
				for time.Since(start) < 10*time.Minute && ctx.Err() == nil {
					select {
					case <-time.After(test.every):
						p.add(test.bytes)
					case <-ctx.Done():
					}
				}
				if test.want == 0 {
					if ctx.Err() != nil {
						t.Errorf("it ended: %v", context.Cause(ctx))
					}
					return
				}
				if ended := time.Since(start); ended != test.want || !isStalled(context.Cause(ctx)) || context.Cause(ctx).Error() != test.says {
					t.Errorf("it ended after %s: %v", ended, context.Cause(ctx))
				}
			})
		})
	}
}
