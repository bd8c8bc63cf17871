package image

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

// drip is a body of some bytes at a time.
type drip struct {
	ctx   context.Context //nolint:containedctx // as of a request
	every time.Duration
	bytes int
}

func (d drip) Read(b []byte) (int, error) {
	select {
	case <-time.After(d.every):
		return min(d.bytes, len(b)), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (drip) Close() error { return nil }

// A registry that sends a byte now and then is as good as one that is silent. How long
// the reader takes for what has come is its own business.
func TestAnAnswerThatDripsHasStalled(t *testing.T) {
	const idle = 15 * time.Second
	for name, test := range map[string]struct {
		body    drip
		between time.Duration
		want    time.Duration // when it ends; 0 for never
	}{
		"silence":         {drip{every: time.Hour, bytes: 1}, 0, idle},
		"a byte a second": {drip{every: time.Second + time.Millisecond, bytes: 1}, 0, idle},
		"enough":          {drip{every: 14 * time.Second, bytes: web.Progress}, 0, 0},
		"a slow reader":   {drip{every: time.Second, bytes: web.Progress}, time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				test.body.ctx = ctx
				alarm := time.AfterFunc(idle, func() { cancel(errStalled) })
				alarm.Stop()
				g := &guarded{ReadCloser: test.body, alarm: alarm, idle: idle, left: idle, ctx: ctx, cancel: cancel}
				var err error
				start := time.Now()
				for range 100 {
					if _, err = g.Read(make([]byte, web.Progress)); err != nil {
						break
					}
					time.Sleep(test.between)
				}
				ended := time.Since(start)
				if (test.want > 0) != errors.Is(err, errStalled) || (test.want > 0 && ended != test.want) {
					t.Errorf("after %s: %v", ended, err)
				}
			})
		})
	}
}
