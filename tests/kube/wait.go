package kube

import (
	"context"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

const (
	// startTimeout bounds each step of the start; a loaded machine needs a fraction of it.
	startTimeout = 2 * time.Minute
	// pollInterval is short beside what is waited for, and long beside a request on loopback.
	pollInterval = 50 * time.Millisecond
)

// Poll asks check until it says true, fails, or ctx ends. what names the thing
// that is waited for, for the error.
func Poll(ctx context.Context, what string, check func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		done, err := check(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// waitFor polls, and gives up as soon as a component has ended.
func (c *Cluster) waitFor(ctx context.Context, what string, check func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return Poll(ctx, what, func(ctx context.Context) (bool, error) {
		for _, p := range c.processes {
			if err := p.ended(); err != nil {
				return false, err
			}
		}
		return check(ctx)
	})
}

// apiReady asks /readyz. What cannot be reached yet is not ready.
func (c *Cluster) apiReady(ctx context.Context) (bool, error) {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return false, fmt.Errorf("making a client: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/readyz", nil)
	if err != nil {
		return false, fmt.Errorf("making a request: %w", err)
	}
	if resp, err := client.Do(req); err == nil {
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}
	return false, nil
}

// hasServiceAccount tells whether pods can be made in the namespace default.
func (c *Cluster) hasServiceAccount(ctx context.Context) (bool, error) {
	return c.namespaceReady(ctx, metav1.NamespaceDefault)
}

func (c *Cluster) namespaceReady(ctx context.Context, namespace string) (bool, error) {
	_, err := c.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
