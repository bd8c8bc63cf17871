package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ServerOptions say what the agent serves.
type ServerOptions struct {
	// Metrics serves /metrics; without it that answers 404.
	Metrics bool
	// Rings adds the counters of the open rings to the metrics.
	Rings bool
}

// Serve answers /healthz, /readyz and /metrics on l until ctx ends.
func (w *Watch) Serve(ctx context.Context, l net.Listener, o ServerOptions) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", w.ready)
	if o.Metrics {
		mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			reply(rw, http.StatusOK, w.metrics(o.Rings))
		})
	}
	s := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // it ends with the program
	defer stop()
	if err := s.Serve(&guests{Listener: l, most: maxGuests}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve probes and metrics: %w", err)
	}
	return nil
}

// ready: the outcome still holds. A node on libpcap is ready too, since falling
// back is what its values ask for.
func (w *Watch) ready(rw http.ResponseWriter, _ *http.Request) {
	o := w.Outcome()
	status := http.StatusOK
	if w.gone() {
		status = http.StatusServiceUnavailable
	}
	reply(rw, status, fmt.Sprintf("%s %s: %s\n", o.Backend, o.Reason, o.Message))
}

func reply(rw http.ResponseWriter, status int, text string) {
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	if rw.Header().Get("Content-Type") == "" {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	rw.WriteHeader(status)
	// A prober that is gone needs no answer.
	_, _ = rw.Write([]byte(text)) // whoever asked has gone
}
