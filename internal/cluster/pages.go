package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

const (
	// pageSize is how many objects of a list are in memory at once. Nodes weigh
	// about 10 KiB each, so a page is some megabytes.
	pageSize = 500
	// maxPages bounds a list: no cluster has 200,000 objects of a kind that this
	// project reads, and a server that always has one more page never ends.
	maxPages = 400
	// maxRestarts bounds how often a list is begun again because the API server
	// gave up its snapshot in the middle of it.
	maxRestarts = 3
)

// Pages lists objects page by page and hands each page to take. A list whose
// continuation has expired (410) is begun again, after a call of restart, so that
// no object is missed or counted twice. It returns the version of the last page,
// where a watch goes on. what names the objects in errors.
func Pages[L metav1.ListInterface](
	ctx context.Context, what string, opts metav1.ListOptions,
	list func(context.Context, metav1.ListOptions) (L, error), restart func(), take func(L),
) (version string, err error) {
	opts.Limit = pageSize
	for restarts := 0; ; restarts++ {
		restart()
		version, err := pages(ctx, what, opts, list, take)
		if err == nil || !apierrors.IsResourceExpired(err) || restarts == maxRestarts {
			return version, err
		}
		if err := wait.For(ctx, time.Duration(restarts)*time.Second); err != nil {
			return "", err
		}
	}
}

func pages[L metav1.ListInterface](
	ctx context.Context, what string, opts metav1.ListOptions,
	list func(context.Context, metav1.ListOptions) (L, error), take func(L),
) (version string, err error) {
	seen := map[string]bool{}
	for range maxPages {
		page, err := list(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("cannot list %s: %w", what, err)
		}
		take(page)
		opts.Continue = page.GetContinue()
		if opts.Continue == "" {
			return page.GetResourceVersion(), nil
		}
		if seen[opts.Continue] {
			return "", fmt.Errorf("cannot list %s: %w", what, errRepeats)
		}
		seen[opts.Continue] = true
	}
	return "", fmt.Errorf("cannot list %s: %w", what, errEndless)
}

var (
	errRepeats = errors.New("the API server repeats a page")
	errEndless = fmt.Errorf("the API server returned more than %d pages and did not end the list", maxPages)
)
