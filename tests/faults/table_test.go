package faults

import (
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// row is one fault. Its name and what becomes of it stand in docs/faults.md.
type row struct {
	name string
	// spoil changes what the repository holds, harm what passes on the way, and
	// reach how the agent gets there.
	spoil func(t *testing.T, r *repository)
	harm  func(t *testing.T, r *repository) harm
	reach func(o *module.SourceOptions, address string)
	// minSerial is the agent's setting.
	minSerial int64
	// hangs is set where only the deadline ends it.
	hangs bool
	want  outcome.Reason
	says  string
}

func always(h harm) func(*testing.T, *repository) harm {
	return func(*testing.T, *repository) harm { return h }
}

// onModule does harm to the module alone: index and signature arrive.
func onModule(h harm) func(*testing.T, *repository) harm {
	return func(_ *testing.T, r *repository) harm { return at(r.Index.Modules[0].Path, h) }
}

func table() []row {
	var out []row
	for _, part := range [][]row{reaching(), answering(), delivering(), proving()} {
		out = append(out, part...)
	}
	return out
}

// reaching are faults before there is an answer.
func reaching() []row {
	return []row{
		{name: "none", want: outcome.Loaded},
		{name: "connection refused", hangs: true, want: outcome.SourceUnreachable, says: "refused", reach: elsewhere(func(u *url.URL) { u.Host = net.JoinHostPort(u.Hostname(), "1") })},
		{name: "DNS failure", want: outcome.SourceUnreachable, says: "no-such-host.invalid", reach: elsewhere(func(u *url.URL) { u.Host = "no-such-host.invalid" })},
		{name: "unknown CA", want: outcome.SourceTLSUntrusted, reach: func(o *module.SourceOptions, _ string) { o.CAFile = "" }},
		{name: "connection closed without an answer", hangs: true, want: outcome.SourceUnreachable, harm: always(hangUp)},
	}
}

// elsewhere changes where the agent looks for the server.
func elsewhere(change func(*url.URL)) func(*module.SourceOptions, string) {
	return func(o *module.SourceOptions, _ string) {
		where := &o.URL
		if o.Endpoint != "" {
			where = &o.Endpoint
		}
		u, err := url.Parse(*where)
		if err != nil {
			panic(err) // it is the test server's own
		}
		change(u)
		*where = u.String()
	}
}

// answering are answers that are no file.
func answering() []row {
	return []row{
		{name: "404 for everything", want: outcome.SourceInvalid, harm: always(status(http.StatusNotFound, 0))},
		{name: "404 for the module", want: outcome.NoModuleForKernel, harm: onModule(status(http.StatusNotFound, 0))},
		{name: "403", want: outcome.SourceForbidden, harm: always(status(http.StatusForbidden, 0))},
		{name: "500 three times, then fine", want: outcome.Loaded, harm: always(status(http.StatusInternalServerError, 3))},
		{name: "500 for ever", hangs: true, want: outcome.SourceUnreachable, harm: always(status(http.StatusInternalServerError, 0)), says: "500"},
		{name: "redirect loop", want: outcome.SourceInvalid, says: "redirect", harm: always(around)},
		{name: "redirect away from TLS", want: outcome.SourceInvalid, says: "redirect", harm: always(plain)},
		{name: "a login page instead of the index", want: outcome.SourceInvalid, harm: always(text("<html><body>Log in \x1b[31m</body></html>"))},
		{name: "a login page instead of the module", want: outcome.DigestMismatch, harm: onModule(text("<html><body>Log in</body></html>"))},
	}
}

// delivering are files that do not arrive as they are.
func delivering() []row {
	return []row{
		{name: "stalled body", hangs: true, want: outcome.SourceTimeout, harm: onModule(stall)},
		{name: "slow drip", hangs: true, want: outcome.SourceTimeout, harm: onModule(forever([]byte{0}, 20*time.Millisecond))},
		{name: "truncated body, three times", want: outcome.Loaded, harm: onModule(announce(half, same, 3))},
		{name: "truncated body, always at the same byte", hangs: true, want: outcome.SourceUnreachable, harm: onModule(noRange(announce(half, same, 0)))},
		{name: "Content-Length too large", want: outcome.TooLarge, harm: onModule(noRange(announce(all, moreLength, 0)))},
		{name: "Content-Length too small", want: outcome.DigestMismatch, harm: onModule(noRange(announce(half, halfLength, 0)))},
		{name: "endless body of the module", want: outcome.TooLarge, harm: onModule(forever(make([]byte, 1<<16), 0))},
		{name: "endless body of the index", want: outcome.TooLarge, harm: always(at(module.IndexName, forever(make([]byte, 1<<20), 0)))},
	}
}

// proving are files that arrive and do not pass.
func proving() []row {
	return []row{
		{name: "decompression bomb, signed", want: outcome.TooLarge, spoil: func(_ *testing.T, r *repository) {
			m := r.Index.Modules[0]
			r.Index.Modules = nil
			r.AddFile(m.KernelRelease, m.Arch, m.Version, make([]byte, module.DefaultMaxSize+1), module.FormatXz).Sign()
		}},
		{name: "module swapped", want: outcome.DigestMismatch, spoil: func(t *testing.T, r *repository) {
			ko := moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: release, Arch: arch(), Padding: 200_001}.Bytes()
			r.Files[r.Index.Modules[0].Path], _ = moduletest.Compress(t, ko, module.FormatZst)
		}},
		{name: "index and signature out of step, once", want: outcome.Loaded, harm: func(_ *testing.T, r *repository) harm {
			before := r.Files[module.SignatureName]
			r.Index.Serial++
			r.Sign()
			return at(module.SignatureName, bytesOf(before, 1))
		}},
		{name: "index and signature out of step for ever", want: outcome.SignatureInvalid, harm: func(_ *testing.T, r *repository) harm {
			before := r.Files[module.SignatureName]
			r.Index.Serial++
			r.Sign()
			return at(module.SignatureName, bytesOf(before, 0))
		}},
		{name: "no signature", want: outcome.SourceUnsigned, harm: always(at(module.SignatureName, status(http.StatusNotFound, 0)))},
		{name: "expired index", want: outcome.IndexExpired, spoil: func(_ *testing.T, r *repository) {
			r.Index.Expires = time.Now().Add(-time.Hour)
			r.Sign()
		}},
		{name: "older serial", want: outcome.IndexRolledBack, minSerial: 8},
	}
}
