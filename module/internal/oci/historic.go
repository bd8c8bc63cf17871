package oci

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/magic"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// allTag is the historic image that holds the modules of all kernels.
const allTag = "all"

// Bounds, in bytes, of an image's layer: as it comes, and unpacked.
const (
	maxLayer    = 128 << 20
	maxUnpacked = 1 << 30
)

// HasHistoric tells whether there is an image for the kernel, or one for all.
func (s *Source) HasHistoric(ctx context.Context, kernel string) bool {
	for _, tag := range s.historicTags(kernel) {
		if _, err := s.manifest(ctx, tag); err == nil {
			return true
		}
	}
	return false
}

// HistoricReleases lists the tags that look like kernel releases, and tells
// whether there is one for all. Since a tag has no +, a release with one is
// listed with _ in its place.
func (s *Source) HistoricReleases(ctx context.Context) (releases []string, all bool, err error) {
	const what, pages, pageSize = "list the tags", 20, 1000
	last := ""
	for range pages {
		r, err := s.get(ctx, what, fmt.Sprintf("tags/list?n=%d%s", pageSize, last), nil, maxManifest, nil)
		if err != nil {
			return nil, false, err
		}
		var list struct{ Tags []string }
		if err := json.Unmarshal(r.Body, &list); err != nil {
			return nil, false, &fault.Error{Reason: outcome.SourceInvalid, What: what, Where: s.String(), Err: err}
		}
		for _, tag := range list.Tags {
			all = all || tag == allTag
			if strings.Contains(tag, ".") && tag[0] >= '0' && tag[0] <= '9' {
				releases = append(releases, tag)
			}
		}
		if r.Header.Get("Link") == "" || len(list.Tags) == 0 {
			break
		}
		last = "&last=" + url.QueryEscape(list.Tags[len(list.Tags)-1])
	}
	return releases, all, nil
}

// FetchHistoric looks for the kernel's module in the image of its own and in
// the one for all. It returns the file and where it was.
func (s *Source) FetchHistoric(ctx context.Context, kernel, arch string, max int64) (data []byte, where string, err error) {
	for _, tag := range s.historicTags(kernel) {
		m, err := s.manifest(ctx, tag)
		if errors.Is(err, fault.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if m, err = s.forArch(ctx, m, tag, arch); err != nil {
			return nil, "", err
		}
		data, where, err := s.search(ctx, m, kernel, max)
		if err != nil || data != nil {
			return data, tag + ":" + where, err
		}
	}
	return nil, "", &fault.Error{
		Reason: outcome.NoModuleForKernel, What: "find the module", Where: s.String(),
		Why: fmt.Sprintf("no image with tag %s has a module for kernel %s", strings.Join(s.historicTags(kernel), " or "), kernel),
	}
}

// historicTags are the tags to look at: the one that is named, else that of the
// kernel release, where _ stands for +, and the one for all.
func (s *Source) historicTags(kernel string) []string {
	if s.tag != "" {
		return []string{s.tag}
	}
	return []string{strings.ReplaceAll(kernel, "+", "_"), allTag}
}

// search goes through an image's layers from the top. A layer is not held: it
// passes by, and the module in it is believed once the layer's digest is known.
func (s *Source) search(ctx context.Context, m *manifest, kernel string, max int64) (data []byte, where string, err error) {
	for i := len(m.Layers) - 1; i >= 0; i-- {
		const what = "fetch a layer of the image"
		layer := m.Layers[i]
		if layer.Size > maxLayer {
			return nil, "", fault.TooLarge(what, s.String(), fmt.Sprintf("it has %d bytes, the limit is %d", layer.Size, maxLayer))
		}
		consumer := stream.Consume(func(r io.Reader) (found, error) { return searchLayer(r, kernel, max, maxUnpacked) })
		err := s.blobTo(ctx, what, layer.Digest, maxLayer, consumer)
		f, searchErr := consumer.Close(err)
		if err != nil {
			return nil, "", err
		}
		if searchErr != nil {
			var e *fault.Error
			if !errors.As(searchErr, &e) {
				searchErr = &fault.Error{Reason: outcome.SourceInvalid, What: "read a layer of the image", Where: s.String(), Err: searchErr}
			}
			return nil, "", searchErr
		}
		if f.data != nil {
			return f.data, f.where, nil
		}
	}
	return nil, "", nil
}

// found is a module in a layer; without data there is none.
type found struct {
	data  []byte
	where string
}

// searchLayer looks for the module, of at most max bytes, in a layer, which may
// unpack to at most most.
func searchLayer(layer io.Reader, kernel string, max, most int64) (found, error) {
	plain, err := unpack(layer, max)
	if err != nil {
		return found{}, err
	}
	defer plain.Close()
	bounded := &io.LimitedReader{R: plain, N: most}
	files := tar.NewReader(bounded)
	for {
		h, err := files.Next()
		if err != nil && bounded.N <= 0 {
			return found{}, fault.TooLarge("reading a layer of the image", "", fmt.Sprintf("it unpacks to more than %d bytes", most))
		}
		if errors.Is(err, io.EOF) {
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		name := path.Clean("/" + h.Name)
		if h.Typeflag != tar.TypeReg || !isModule(name, kernel) {
			continue
		}
		if h.Size > max {
			return found{}, fault.TooLarge("read "+name, "", fmt.Sprintf("it has %d bytes, the limit is %d", h.Size, max))
		}
		data := make([]byte, h.Size)
		_, err = io.ReadFull(files, data)
		return found{data, name}, err
	}
}

// isModule tells the places where the historic images keep a kernel's module:
// one for KMM below /opt/lib/modules, one with all in /opt/modules.
func isModule(name, kernel string) bool {
	for _, extension := range []string{"", ".gz", ".xz", ".zst"} {
		if name == "/opt/modules/pf-ring-"+kernel+".ko"+extension ||
			(path.Base(name) == "pf_ring.ko"+extension && strings.HasPrefix(name, "/opt/lib/modules/"+kernel+"/")) {
			return true
		}
	}
	return false
}

// minLayerWindow is the window, in bytes, that a zstd layer may always ask its
// decoder for; where there is memory for large modules it may be half of one.
const minLayerWindow = 8 << 20

func unpack(layer io.Reader, limit int64) (io.ReadCloser, error) {
	r := bufio.NewReader(layer)
	begin, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch magic.Compression(begin) {
	case magic.Gz:
		return gzip.NewReader(r)
	case magic.Zst:
		window := uint64(minLayerWindow)
		if limit > 2*minLayerWindow {
			window = uint64(limit / 2)
		}
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}
