package module

import (
	"errors"
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// withDefaults is r with what it leaves open.
func (r Request) withDefaults() Request {
	if r.Verify == "" {
		r.Verify = outcome.VerifiedSignature
	}
	if r.ModuleName == "" {
		r.ModuleName = "pf_ring"
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.MaxSize <= 0 {
		r.MaxSize = DefaultMaxSize
	}
	if r.Memory > 0 {
		r.MaxSize = min(r.MaxSize, r.Memory)
	}
	return r
}

// check refuses a request that no answer could satisfy.
func (r Request) check() error {
	switch r.Verify {
	case outcome.VerifiedSignature, outcome.VerifiedChecksum, outcome.VerifiedNone:
		return nil
	}
	return &Error{
		Reason: outcome.SourceUnsigned, What: "verify the module", Why: fmt.Sprintf("unknown verify level %q", r.Verify),
		Do: "Set tap.kernelModule.source.verify to signature, checksum or none.",
	}
}

func (r Request) wanted() Wanted {
	return Wanted{Kernel: r.Kernel, KernelVersion: r.KernelVersion, Arch: r.Arch, Version: r.Version}
}

// concerns tells whether an entry is about r's kernel, whatever it is for
// otherwise: what is there instead is told too.
func (r Request) concerns(e *Entry) bool { return e.concerns(r.Kernel) }

// located makes sure that the error is an *Error which names the repository.
func located(err error, source Source) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Reason: outcome.SourceInvalid, What: "get the module", Where: source.String(), Err: err}
	}
	if e.Where == "" {
		named := *e
		named.Where = source.String()
		return &named
	}
	return err
}
