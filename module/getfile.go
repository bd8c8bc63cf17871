package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// fetchFile fetches the file of an entry and compares it with what the entry
// says.
func fetchFile(ctx context.Context, s *supply, r Request, e Entry) (data []byte, warnings []string, err error) {
	if e.Size > r.MaxSize {
		return nil, nil, tooLargeFor(r, "fetch "+e.Path, fmt.Sprintf("according to the index it has %d bytes, the limit is %d", e.Size, r.MaxSize), e.Size)
	}
	limit := e.Size
	if r.Verify == outcome.VerifiedNone {
		limit = r.unsized()
	}
	data, err = s.entry(ctx, e, limit)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, noModule(fmt.Sprintf("the index lists %s, but the file does not exist", e.Path),
			"Upload it, or create the index again with `pfring module index`.")
	}
	if err != nil {
		return nil, nil, err
	}
	var why, do string
	switch sum := digest(data); {
	case int64(len(data)) != e.Size:
		why = fmt.Sprintf("it has %d bytes, the index says %d", len(data), e.Size)
	case sum != e.SHA256:
		why = fmt.Sprintf("its sha256 is %s, the index says %s", sum, e.SHA256)
	default:
		return data, nil, nil
	}
	if Format(data) == FormatGz && path.Ext(e.Path) != ".gz" {
		why += "; it came compressed by gzip"
		do = "Turn off compression in the server, and in proxies between it and the nodes."
	}
	if r.Verify == outcome.VerifiedNone {
		return data, []string{fmt.Sprintf("%s: %s; accepted, since source.verify is none", e.Path, why)}, nil
	}
	return nil, nil, &Error{Reason: outcome.DigestMismatch, What: "verify " + e.Path, Why: why, Do: do}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mismatch(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == outcome.DigestMismatch
}

// accept decompresses the file of an entry and checks that it is the wanted
// module.
func accept(r Request, e Entry, data []byte) (*Verified, error) {
	plain, _, err := decompress(data, r)
	if err != nil {
		return nil, err
	}
	info, err := Inspect(plain)
	if err != nil {
		return nil, err
	}
	proof := e.proof(r.Kernel)
	builtFor := r.Kernel
	if proof != "" && e.KernelRelease != r.Kernel {
		builtFor = e.KernelRelease
	} else {
		proof = ""
	}
	if err := info.Check(builtFor, r.Arch, r.ModuleName); err != nil {
		return nil, err
	}
	// What the repository holds is hashed once for each of its readers: the digest
	// of a file that passed is the entry's.
	v := &Verified{Data: plain, Info: info, Entry: e, SHA256: e.SHA256, FitsBy: proof, file: data}
	if r.Verify == outcome.VerifiedNone {
		v.SHA256 = digest(data)
	}
	if e.Version != info.Version && e.Version != "" && info.Version != "" {
		if r.Version != "" {
			return nil, noModule(fmt.Sprintf("version %s is pinned, %s is %s", r.Version, e.Path, info.Version), "")
		}
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: the index says version %s, the module itself %s", e.Path, e.Version, info.Version))
	}
	return v, nil
}
