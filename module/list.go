package module

import (
	"context"
	"errors"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Listing is what a repository says it holds.
type Listing struct {
	// Index is nil in the historic layout.
	Index *Index
	// Releases are the kernel releases of the historic layout, sorted. What
	// they are for, architecture and version, it does not say.
	Releases []string
	// Source is the repository's address, without secrets.
	Source string
	// Proof is what the index has passed; "" when List failed.
	Proof        outcome.Verified
	FetchedBytes int64
	Warnings     []string
}

// List reads what source holds, verified as r asks; r's kernel, architecture
// and version do not matter. It fails with *Error. When the list is there and
// is not what r asks for (expired, signed by another, of the historic layout),
// the listing comes together with the error, so that a person can be told both.
func List(ctx context.Context, source Source, r Request) (*Listing, error) {
	g := newGetting(source, r)
	l := &Listing{Source: g.out.Source}
	err := g.list(ctx, l)
	l.FetchedBytes, l.Warnings = g.out.FetchedBytes, g.out.Warnings
	if err == nil {
		l.Proof = g.Verify
		return l, nil
	}
	if err = g.located(err); l.Index == nil && l.Releases == nil {
		return nil, err
	}
	return l, err
}

func (g *getting) list(ctx context.Context, l *Listing) error {
	index, err := g.index(ctx)
	if err == nil {
		l.Index = index
		return nil
	}
	if !historicMayBe(err) {
		if unverified, parseErr := ParseIndex(g.raw); parseErr == nil {
			l.Index = unverified
		}
		return err
	}
	if l.Releases, err = g.releases(ctx, err); err != nil {
		return err
	}
	slices.Sort(l.Releases)
	if g.Verify != outcome.VerifiedNone {
		return g.unsigned()
	}
	g.warnHistoric()
	return nil
}

// releases reads the list of the historic layout; noIndex is why there is no
// index.
func (g *getting) releases(ctx context.Context, noIndex error) ([]string, error) {
	if own, ok := g.source.(historicSource); ok {
		releases, all, err := own.HistoricReleases(ctx)
		if errors.Is(err, ErrNotFound) || (err == nil && len(releases) == 0 && !all) {
			return nil, g.noRepository(noIndex)
		}
		if all {
			g.warn("%s has an image for all kernels; which these are, only its layers tell", g.out.Source)
		}
		return append([]string{}, releases...), err
	}
	list, err := g.fetch(ctx, VersionsName, maxVersionsSize)
	if historicMayBe(err) {
		return nil, g.noRepository(noIndex)
	}
	if err != nil {
		return nil, err
	}
	return ParseVersions(list)
}
