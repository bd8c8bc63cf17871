package node

import (
	"context"
	"errors"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxAnswer bounds what a probe reads, in bytes.
const maxAnswer = 16 << 20

// ProbeResult says whether a module repository answers from this node.
type ProbeResult struct {
	Target     string         `json:"target"`
	OK         bool           `json:"ok"`
	Reason     outcome.Reason `json:"reason,omitempty"`
	Message    string         `json:"message"`
	DurationMS int64          `json:"durationMs"`
}

// Probe asks each target for its index, and for the list that repositories had
// before there was an index.
func Probe(ctx context.Context, targets []string, open func(target string) (module.Source, error)) []ProbeResult {
	results := make([]ProbeResult, 0, len(targets))
	for _, t := range targets {
		start := time.Now()
		r := probe(ctx, t, open)
		r.DurationMS = time.Since(start).Milliseconds()
		results = append(results, r)
	}
	return results
}

func probe(ctx context.Context, target string, open func(string) (module.Source, error)) ProbeResult {
	source, err := open(target)
	if err != nil {
		return failed(target, err)
	}
	target = source.String()
	for _, path := range []string{module.IndexName, module.VersionsName} {
		if _, err = source.Fetch(ctx, path, maxAnswer); err == nil {
			return ProbeResult{Target: target, OK: true, Message: path + " was read"}
		}
		if !errors.Is(err, module.ErrNotFound) {
			break
		}
	}
	return failed(target, err)
}

func failed(target string, err error) ProbeResult {
	r := ProbeResult{Target: target, Reason: outcome.SourceInvalid, Message: err.Error()}
	if e := (*module.Error)(nil); errors.As(err, &e) {
		r.Reason = e.Reason
	}
	return r
}
