package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bounds on reading an outcome: in bytes, and in time.
const (
	maxRecord  = 64 << 10
	readWithin = 2 * time.Second
)

// Record is where an outcome is written down. Each path may be "".
type Record struct {
	// Shared is read by the main container.
	Shared string
	// State is on the host, for whoever runs on the node: one file of the agent
	// that loads, another of the one that watches.
	State string
	// Termination is the container's termination message.
	Termination string
}

// Write writes the outcome everywhere. A place that cannot be written is logged
// and does not keep the others from it: capture does not hang on a file.
func (r Record) Write(o outcome.Outcome, log *slog.Logger) {
	line, err := o.Encode()
	if err != nil {
		log.Error("cannot write the outcome", "error", err)
		return
	}
	for _, path := range []string{r.Shared, r.State} {
		if path == "" {
			continue
		}
		if err := replaceFile(path, line); err != nil {
			log.Error("cannot write the outcome", "error", err)
		}
	}
	if r.Termination == "" {
		return
	}
	// The container's runtime has mounted this very file: it is rewritten in
	// place, as a rename would put another one beside it.
	if err := os.WriteFile(r.Termination, line, 0o644); err != nil {
		log.Warn("cannot write the termination message", "error", err)
	}
}

// ReadOutcome reads what Write has written; nil without error if there is none.
func ReadOutcome(path string) (*outcome.Outcome, error) {
	if path == "" {
		return nil, nil
	}
	// Whoever may write there must not hold the reader up: not by a pipe, a file
	// without end or a volume that hangs.
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	data, err := readfile.Read(ctx, path, maxRecord)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the outcome: %w", err)
	}
	o, err := outcome.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the outcome in %s: %w", path, err)
	}
	return &o, nil
}

func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot create the folder of %s: %w", path, err)
	}
	return atomicfile.Replace(path, data, 0o644)
}
