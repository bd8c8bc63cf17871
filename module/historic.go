package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
			Reason: outcome.SourceInvalid, What: "reading " + VersionsName,
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

// historic takes a module from a repository without an index. It can prove
// nothing, so it does so only where verify is none.
func (g *getting) historic(ctx context.Context, noIndex error) error {
	if _, err := historicPath(g.Kernel); err != nil {
		return err
	}
	data, where, err := g.historicBytes(ctx, noIndex)
	if err != nil {
		return err
	}
	g.warnHistoric()
	sum := sha256.Sum256(data)
	g.out.SHA256 = hex.EncodeToString(sum[:])
	e := Entry{
		KernelRelease: g.Kernel, Arch: g.Arch, Version: g.Version, Path: where,
		Size: int64(len(data)), SHA256: g.out.SHA256,
	}
	if err := g.accept(data, e, nil); err != nil {
		return err
	}
	g.out.Entry.Version, g.out.Entry.Vermagic, g.out.Entry.Signed = g.out.Info.Version, g.out.Info.Vermagic, g.out.Info.Signed
	return nil
}

func (g *getting) historicBytes(ctx context.Context, noIndex error) (data []byte, where string, err error) {
	if own, ok := g.source.(historicSource); ok {
		if g.Verify != outcome.VerifiedNone {
			if own.HasHistoric(ctx, g.Kernel) {
				return nil, "", g.unsigned()
			}
			return nil, "", g.noRepository(noIndex)
		}
		data, where, err = own.FetchHistoric(ctx, g.Kernel, g.Arch, g.MaxSize)
		g.out.FetchedBytes += int64(len(data))
		return data, where, err
	}
	releases, err := g.releases(ctx, noIndex)
	if err != nil {
		return nil, "", err
	}
	if g.Verify != outcome.VerifiedNone {
		return nil, "", g.unsigned()
	}
	if !slices.Contains(releases, g.Kernel) {
		return nil, "", noModule(fmt.Sprintf("none of its %d kernel releases is %s", len(releases), g.Kernel), "")
	}
	where, err = historicPath(g.Kernel)
	if err != nil {
		return nil, "", err
	}
	data, err = g.fetch(ctx, where, g.MaxSize)
	if errors.Is(err, ErrNotFound) {
		err = noModule(fmt.Sprintf("%s lists %s, and %s is not there", VersionsName, g.Kernel, where), "")
	}
	return data, where, err
}

func (g *getting) warnHistoric() {
	g.warn("%s is of the historic layout: nothing about its modules is verified", g.out.Source)
}

func (g *getting) unsigned() error {
	return &Error{
		Reason: outcome.SourceUnsigned, What: "verifying the repository",
		Why: "it is of the historic layout, which has neither digests nor signatures",
		Do:  "Set tap.kernelModule.source.verify to none to trust it as it is, or point source.url to a repository with a signed index.",
	}
}

// noRepository says that neither layout is there.
func (g *getting) noRepository(noIndex error) error {
	if !errors.Is(noIndex, ErrNotFound) {
		return noIndex
	}
	return &Error{
		Reason: outcome.SourceInvalid, What: "looking for a module repository",
		Why: "there is neither " + IndexName + " nor a historic layout", Err: ErrNotFound,
	}
}

// historicPath is where the historic layout keeps a release's module.
func historicPath(kernel string) (string, error) {
	path := kernel + "/pf_ring.ko"
	if kernel == "" || strings.Contains(kernel, "/") || !validPath(path) {
		return "", noModule(fmt.Sprintf("%q is no kernel release", kernel), "")
	}
	return path, nil
}
