package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// RetryOptions say where to load again, and how carefully.
type RetryOptions struct {
	// Reasons and Nodes restrict it; empty means all.
	Reasons []outcome.Reason
	Nodes   []string
	// Batch is how many nodes at a time.
	Batch Batch
	// Timeout bounds how long one batch may take; 0 is indefinitely.
	Timeout time.Duration
	// Begin, if not nil, is called before each batch, Done after it.
	Begin func(batch, batches int, nodes []string)
	Done  func([]Node)
}

// Batch is a number of nodes, or a share of those to retry.
type Batch struct{ number, percent int }

// ParseBatch reads "5" or "10%". At least one node is always taken.
func ParseBatch(s string) (Batch, error) {
	digits, isPercent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 1 || isPercent && n > 100:
		return Batch{}, fmt.Errorf("%q: must be a number of nodes such as 5, or a share such as 10%%", s)
	case isPercent:
		return Batch{percent: n}, nil
	}
	return Batch{number: n}, nil
}

func (b Batch) of(nodes int) int {
	if b.percent > 0 {
		// Up, so that 10% of 15 are two.
		return max(1, (nodes*b.percent+99)/100)
	}
	return max(1, b.number)
}

// Candidates are the nodes where a retry makes sense: those that stay on
// libpcap, and those where the agent fails again and again, whose pauses grow.
func (r *Report) Candidates(o RetryOptions) ([]Node, error) {
	for _, name := range o.Nodes {
		if !slices.ContainsFunc(r.Nodes, func(n Node) bool { return n.Node == name }) {
			return nil, fmt.Errorf("node %s not found in the release", name)
		}
	}
	var list []Node
	for _, n := range r.Nodes {
		fell := n.Wanted && n.State.withoutModule() && n.Pod != ""
		named := len(o.Nodes) == 0 || slices.Contains(o.Nodes, n.Node)
		if fell && named && (len(o.Reasons) == 0 || slices.Contains(o.Reasons, n.Reason)) {
			list = append(list, n)
		}
	}
	return list, nil
}

// ErrStuck means that a batch did not come back in time; later ones were left
// alone.
var ErrStuck = errors.New("stopped: the other nodes were not changed")

// Retry deletes the agent's pods on the nodes, batch by batch, so that the
// DaemonSet makes new ones that load again, and waits for each batch to be
// settled. It returns what happened to the nodes it came to.
func (c *Client) Retry(ctx context.Context, r *Release, nodes []Node, o RetryOptions) ([]Node, error) {
	f, _, err := c.read(ctx, r)
	if err != nil {
		return nil, err
	}
	w := &waiter{client: c, facts: f}
	size := o.Batch.of(len(nodes))
	batches := (len(nodes) + size - 1) / size
	var after []Node
	number := 0
	for batch := range slices.Chunk(nodes, size) {
		number++
		if o.Begin != nil {
			o.Begin(number, batches, names(batch))
		}
		result, err := w.retryBatch(ctx, batch, o.Timeout)
		after = append(after, result...)
		if err != nil {
			return after, err
		}
		if o.Done != nil {
			o.Done(result)
		}
	}
	return after, nil
}

// retryBatch re-runs the load on a batch of nodes.
func (w *waiter) retryBatch(ctx context.Context, batch []Node, timeout time.Duration) ([]Node, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	old := map[string]bool{}
	for _, n := range batch {
		old[n.Pod] = true
		err := w.client.core.Pods(w.facts.release.Namespace).Delete(ctx, n.Pod, metav1.DeleteOptions{})
		// Somebody else may have been quicker; the new pod is what counts.
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("cannot delete pod %s: %w", n.Pod, err)
		}
	}
	var result []Node
	err := w.until(ctx, func(r *Report) bool {
		result = pick(r, batch)
		return !slices.ContainsFunc(result, func(n Node) bool {
			return old[n.Pod] || n.Pod == "" && n.State != Excluded || !n.State.settled() && !n.State.withoutModule()
		})
	})
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return result, fmt.Errorf("a batch was not ready after %s: %w", timeout, ErrStuck)
	}
	return result, err
}

// pick returns the nodes of a batch as they are now. One that has left the
// cluster is not waited for.
func pick(r *Report, batch []Node) []Node {
	var list []Node
	for _, n := range batch {
		at, found := slices.BinarySearchFunc(r.Nodes, n.Node, func(a Node, name string) int { return text.Natural(a.Node, name) })
		if found {
			list = append(list, r.Nodes[at])
		}
	}
	return list
}

func names(nodes []Node) []string {
	var list []string
	for _, n := range nodes {
		list = append(list, n.Node)
	}
	return list
}
