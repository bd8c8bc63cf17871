package module

import (
	"context"
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
// the listing comes together with the error, so that both can be reported.
func List(ctx context.Context, source Source, r Request) (*Listing, error) {
	s, r := newSupply(source, r), r.withDefaults()
	l, err := list(ctx, s, r)
	l.Source, l.FetchedBytes = source.String(), s.bytes
	if err == nil {
		l.Proof = r.Verify
		return l, nil
	}
	if err = located(err, source); l.Index == nil && l.Releases == nil {
		return nil, err
	}
	return l, err
}

func list(ctx context.Context, s *supply, r Request) (*Listing, error) {
	index, err := readIndex(ctx, s, r, nil)
	if !historicMayBe(err) {
		l := &Listing{Warnings: index.warnings}
		if index.readable() == nil {
			l.Index = &index.Index
		}
		return l, err
	}
	releases, warnings, err := listHistoric(ctx, s, err)
	if err != nil {
		return &Listing{}, err
	}
	slices.Sort(releases)
	l := &Listing{Releases: releases, Warnings: warnings}
	if r.Verify != outcome.VerifiedNone {
		return l, unsigned()
	}
	l.Warnings = append(l.Warnings, unproved(s.source))
	return l, nil
}
