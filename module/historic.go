package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// VersionsName is where the historic layout lists its kernel releases.
const VersionsName = "meta/versions.json"

// maxVersionsSize bounds the historic list, in bytes.
const maxVersionsSize = 4 << 20

// historicSource is a source with a historic layout of its own, such as images
// by kernel release.
type historicSource interface {
	// FetchHistoric returns the module and where it was found.
	FetchHistoric(ctx context.Context, kernel, arch string, max int64) (data []byte, where string, err error)
	// HistoricReleases lists the kernel releases that have a module of their own,
	// and tells whether there is one image for all.
	HistoricReleases(ctx context.Context) (releases []string, all bool, err error)
	// HasHistoric tells whether it has one for any kernel, as far as one can tell.
	HasHistoric(ctx context.Context, kernel string) bool
}

// ParseVersions reads the historic list: a JSON array of kernel releases. It
// fails with *Error and reason source-invalid.
func ParseVersions(data []byte) ([]string, error) {
	var releases []string
	if err := json.Unmarshal(data, &releases); err != nil || releases == nil {
		return nil, &Error{
			Reason: outcome.SourceInvalid, What: "read " + VersionsName,
			Why: "it is not a JSON array of kernel releases; it begins with " + opening(data), Err: err,
		}
	}
	return releases, nil
}

// historicMayBe tells whether a failure to fetch the index may mean that the
// repository is of the historic layout. A public bucket that does not let
// itself be listed says forbidden for what it has not.
func historicMayBe(err error) bool {
	var e *Error
	return errors.Is(err, ErrNotFound) || (errors.As(err, &e) && e.Reason == outcome.SourceForbidden)
}

// getHistoric takes a module from a repository without an index. It can prove
// nothing, so it does so only where verify is none.
func getHistoric(ctx context.Context, s *supply, r Request, noIndex error) (*Verified, error) {
	if _, err := historicPath(r.Kernel); err != nil {
		return nil, err
	}
	data, where, warnings, err := historicFile(ctx, s, r, noIndex)
	if err != nil {
		return nil, err
	}
	e := Entry{
		KernelRelease: r.Kernel, Arch: r.Arch, Version: r.Version, Path: where, Size: int64(len(data)), SHA256: digest(data),
	}
	v, err := accept(r, e, data)
	if err != nil {
		return nil, err
	}
	v.Entry.Version, v.Entry.Vermagic, v.Entry.Signed = v.Info.Version, v.Info.Vermagic, v.Info.Signed
	v.Warnings = slices.Concat(warnings, []string{unproved(s.source)}, v.Warnings)
	return v, nil
}

func historicFile(ctx context.Context, s *supply, r Request, noIndex error) (data []byte, where string, warnings []string, err error) {
	if own, ok := s.source.(historicSource); ok {
		if r.Verify != outcome.VerifiedNone {
			if own.HasHistoric(ctx, r.Kernel) {
				return nil, "", nil, unsigned()
			}
			return nil, "", nil, noRepository(noIndex)
		}
		data, where, err = own.FetchHistoric(ctx, r.Kernel, r.Arch, r.unsized())
		s.bytes += int64(len(data))
		return data, where, nil, err
	}
	releases, warnings, err := listHistoric(ctx, s, noIndex)
	if err != nil {
		return nil, "", nil, err
	}
	if r.Verify != outcome.VerifiedNone {
		return nil, "", nil, unsigned()
	}
	if !slices.Contains(releases, r.Kernel) {
		return nil, "", nil, noModule(fmt.Sprintf("none of its %d kernel releases is %s", len(releases), r.Kernel), "")
	}
	where, err = historicPath(r.Kernel)
	if err != nil {
		return nil, "", nil, err
	}
	data, err = s.fetch(ctx, where, r.unsized())
	if errors.Is(err, ErrNotFound) {
		err = noModule(fmt.Sprintf("%s lists %s, but %s does not exist", VersionsName, r.Kernel, where), "")
	}
	return data, where, warnings, err
}

// listHistoric reads the list of the historic layout; noIndex is why there is
// no index.
func listHistoric(ctx context.Context, s *supply, noIndex error) (releases, warnings []string, err error) {
	if own, ok := s.source.(historicSource); ok {
		releases, all, err := own.HistoricReleases(ctx)
		if errors.Is(err, ErrNotFound) || (err == nil && len(releases) == 0 && !all) {
			return nil, nil, noRepository(noIndex)
		}
		if all {
			warnings = append(warnings, fmt.Sprintf("%s has an image for all kernels; only its layers show which kernels these are", s.source))
		}
		return append([]string{}, releases...), warnings, err
	}
	list, err := s.fetch(ctx, VersionsName, maxVersionsSize)
	if historicMayBe(err) {
		return nil, nil, noRepository(noIndex)
	}
	if err != nil {
		return nil, nil, err
	}
	releases, err = ParseVersions(list)
	return releases, nil, err
}

// unproved is the warning about a repository of the historic layout.
func unproved(source Source) string {
	return fmt.Sprintf("%s has the historic layout: its modules are not verified", source)
}

func unsigned() error {
	return &Error{
		Reason: outcome.SourceUnsigned, What: "verify the repository",
		Why: "it has the historic layout, which has neither digests nor signatures",
		Do:  "To trust it without verification, set tap.kernelModule.source.verify to none. Or set source.url to a repository with a signed index.",
	}
}

// noRepository says that neither layout is there.
func noRepository(noIndex error) error {
	if !errors.Is(noIndex, ErrNotFound) {
		return noIndex
	}
	return &Error{
		Reason: outcome.SourceInvalid, What: "find a module repository",
		Why: "there is neither " + IndexName + " nor a historic layout", Err: ErrNotFound,
	}
}

// historicPath is where the historic layout keeps a release's module.
func historicPath(kernel string) (string, error) {
	path := kernel + "/pf_ring.ko"
	if kernel == "" || strings.Contains(kernel, "/") || !validPath(path) {
		return "", noModule(fmt.Sprintf("invalid kernel release %q", kernel), "")
	}
	return path, nil
}
