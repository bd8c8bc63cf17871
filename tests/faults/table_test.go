package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// row is one fault. Its name and what happens to it stand in docs/faults.md.
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
	// byDigest is what happens to it where files are asked for by their digests; ""
	// is the same.
	byDigest outcome.Reason
	// historic pushes what there is instead of an index: an image of its layout.
	historic func(t *testing.T, registry string, r *repository)
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
	for _, part := range [][]row{reaching(), answering(), delivering(), proving(), filling(), historic()} {
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

// answering are answers that are not the file.
func answering() []row {
	return []row{
		{name: "404 for everything", want: outcome.SourceInvalid, harm: always(status(http.StatusNotFound, 0))},
		{name: "404 for the module", want: outcome.NoModuleForKernel, harm: onModule(status(http.StatusNotFound, 0))},
		{name: "403", want: outcome.SourceForbidden, harm: always(status(http.StatusForbidden, 0))},
		{name: "500 three times, then fine", want: outcome.Loaded, harm: always(status(http.StatusInternalServerError, 3))},
		{name: "500 without end", hangs: true, want: outcome.SourceUnreachable, harm: always(status(http.StatusInternalServerError, 0)), says: "500"},
		{name: "redirect loop", want: outcome.SourceInvalid, says: "redirect", harm: always(around)},
		{name: "redirect away from TLS", want: outcome.SourceInvalid, says: "redirect", harm: always(plain)},
		{name: "a login page instead of the index", want: outcome.SourceInvalid, harm: always(text("<html><body>Log in \x1b[31m</body></html>"))},
		{name: "a login page instead of the module", want: outcome.DigestMismatch, harm: onModule(text("<html><body>Log in</body></html>"))},
		{name: "an S3 error with status 200 instead of the index", want: outcome.SourceInvalid, harm: always(text(s3Error))},
		{name: "an S3 error with status 200 instead of the module", want: outcome.DigestMismatch, harm: onModule(text(s3Error))},
		{name: "redirect to a cloud's metadata", want: outcome.SourceInvalid, says: "credentials", harm: always(toMetadata)},
		{name: "a part that was not asked for (206)", hangs: true, want: outcome.SourceInvalid, says: "206", harm: always(partial)},
	}
}

// delivering are files that do not arrive as they are.
func delivering() []row {
	return []row{
		{name: "stalled body", hangs: true, want: outcome.SourceTimeout, harm: onModule(stall)},
		{name: "slow drip", hangs: true, want: outcome.SourceTimeout, harm: onModule(forever([]byte{0}, 20*time.Millisecond))},
		{name: "truncated body, three times", want: outcome.Loaded, harm: onModule(announce(half, same, 3))},
		{name: "truncated body, always at the same byte", hangs: true, want: outcome.SourceUnreachable, harm: onModule(noRange(announce(half, same, 0)))},
		{name: "truncated body, a byte more each time", hangs: true, want: outcome.SourceUnreachable, harm: func(t *testing.T, r *repository) harm { return onModule(dribbling(t))(t, r) }},
		{name: "Content-Length too large", want: outcome.TooLarge, harm: onModule(noRange(announce(all, moreLength, 0)))},
		{name: "Content-Length too small", want: outcome.DigestMismatch, harm: onModule(noRange(announce(half, halfLength, 0)))},
		{name: "compressed on the way", want: outcome.DigestMismatch, says: "prox", harm: onModule(compressed)},
		{name: "index compressed on the way", want: outcome.SourceInvalid, byDigest: outcome.DigestMismatch, says: "prox", harm: always(at(module.IndexName, compressed))},
		{name: "the rest of another file under the same ETag", want: outcome.DigestMismatch, harm: onModule(resuming(spliced))},
		{name: "trailers behind the module", want: outcome.Loaded, harm: onModule(trailers)},
		{name: "endless body of the module", want: outcome.TooLarge, harm: onModule(forever(make([]byte, 1<<16), 0))},
		{name: "endless body of the index", want: outcome.TooLarge, harm: always(at(module.IndexName, forever(make([]byte, 1<<20), 0)))},
	}
}

// proving are files that arrive and do not pass.
func proving() []row {
	return []row{
		{name: "module swapped", want: outcome.DigestMismatch, byDigest: outcome.NoModuleForKernel, spoil: func(t *testing.T, r *repository) {
			ko := moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: release, Arch: arch(), Padding: 200_001}.Bytes()
			r.Files[r.Index.Modules[0].Path], _ = moduletest.Compress(t, ko, module.FormatZst)
		}},
		{name: "index and signature out of step, once", want: outcome.Loaded, byDigest: outcome.DigestMismatch, harm: func(_ *testing.T, r *repository) harm {
			before := r.Files[module.SignatureName]
			r.Index.Serial++
			r.Sign()
			return at(module.SignatureName, bytesOf(before, 1))
		}},
		{name: "index and signature out of step without end", want: outcome.SignatureInvalid, byDigest: outcome.DigestMismatch, harm: func(_ *testing.T, r *repository) harm {
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
		{name: "index of a newer form", want: outcome.SourceInvalid, says: "schemaVersion is 2", spoil: func(_ *testing.T, r *repository) {
			r.Index.SchemaVersion = 2
			r.Sign()
		}},
		{name: "index with fields of a newer form", want: outcome.Loaded, spoil: func(_ *testing.T, r *repository) {
			r.publish(bytes.Replace(r.Files[module.IndexName], []byte(`"kernelRelease"`), []byte(`"news":{"a":[1]},"kernelRelease"`), 1))
		}},
		{name: "index that was made in the future", want: outcome.Loaded, spoil: func(_ *testing.T, r *repository) {
			r.Index.Created = time.Now().Add(48 * time.Hour)
			r.Sign()
		}},
		{name: "name that changes the direction of writing", want: outcome.SourceInvalid, says: "not printable", spoil: renamed("modules/\u202eok.gnir_fp/pf_ring.ko.zst")},
		{name: "name with a control character", want: outcome.SourceInvalid, says: "not printable", spoil: renamed("modules/\x1b[2J/pf_ring.ko.zst")},
		{name: "name with an accent, composed", want: outcome.Loaded, spoil: renamed("modules/r\u00e9seau/pf_ring.ko.zst")},
		{name: "name with an accent, decomposed", want: outcome.Loaded, spoil: renamed("modules/re\u0301seau/pf_ring.ko.zst")},
		{name: "older serial", want: outcome.IndexRolledBack, minSerial: 8},
	}
}

// filling are files that would fill the memory of the agent's container.
func filling() []row {
	const mib = 1 << 20
	// as stores other bytes for the module, compressed by a command.
	as := func(size int, command ...string) func(*testing.T, *repository) {
		return func(t *testing.T, r *repository) { r.store(t, make([]byte, size), command...) }
	}
	return []row{
		{name: "index of 100,000 modules, signed", want: outcome.Loaded, spoil: func(_ *testing.T, r *repository) { r.crowd(100_000) }},
		{name: "index with a million empty entries, signed", want: outcome.SourceInvalid, says: "kernelRelease is empty", spoil: func(_ *testing.T, r *repository) {
			r.publish([]byte(`{"schemaVersion":1,"module":"pf_ring","serial":7,"modules":[` + strings.Repeat("{},", 1_000_000) + `{}]}`))
		}},
		{name: "index with a million fields of a newer form, signed", want: outcome.Loaded, spoil: func(_ *testing.T, r *repository) {
			var fields bytes.Buffer
			for i := range 1_000_000 {
				fmt.Fprintf(&fields, `"later-%d":0,`, i)
			}
			r.publish(bytes.Replace(r.Files[module.IndexName], []byte("{"), append([]byte("{"), fields.Bytes()...), 1))
		}},
		{name: "index with one huge text, signed", want: outcome.SourceInvalid, says: "a single value", spoil: func(_ *testing.T, r *repository) {
			r.publish([]byte(`{"schemaVersion":1,"module":"pf_ring","serial":7,"comment":"` + strings.Repeat("a", 30*mib) + `","modules":[]}`))
		}},
		{name: "index with endless versions for the kernel, signed", want: outcome.SourceInvalid, says: "alone has more than", spoil: func(_ *testing.T, r *repository) { r.versions(60_000) }},
		{name: "index without an end, of real entries", want: outcome.TooLarge, harm: func(_ *testing.T, r *repository) harm { return at(module.IndexName, entries(r)) }},
		{name: "module of 16 MiB, by xz", want: outcome.Loaded, spoil: func(t *testing.T, r *repository) { r.enlarge(t, 16*mib, "xz", "-9") }},
		{name: "module of 16 MiB, by gzip", want: outcome.Loaded, spoil: func(t *testing.T, r *repository) { r.enlarge(t, 16*mib, "gzip") }},
		{name: "module of 32 MiB, by zstd", want: outcome.Loaded, spoil: func(t *testing.T, r *repository) {
			r.enlarge(t, 32*mib, "zstd", "-q", "--long=27", "--stream-size=33554432")
		}},
		{name: "module of 48 MiB, by zstd", want: outcome.TooLarge, says: "agent.resources.limits.memory", spoil: func(t *testing.T, r *repository) { r.enlarge(t, 48*mib, "zstd", "-q") }},
		{name: "xz bomb, signed", want: outcome.TooLarge, spoil: as(65*mib, "xz")},
		{name: "gzip bomb, signed", want: outcome.TooLarge, spoil: as(65*mib, "gzip")},
		{name: "zstd bomb, signed", want: outcome.TooLarge, spoil: as(65*mib, "zstd", "-q")},
		{name: "zstd window of 64 MiB and no size, signed", want: outcome.TooLarge, spoil: as(65*mib, "zstd", "-q", "--long=26", "--no-content-size")},
	}
}

// renamed moves the module to another path.
func renamed(path string) func(*testing.T, *repository) {
	return func(_ *testing.T, r *repository) {
		m := &r.Index.Modules[0]
		r.Files[path] = r.Files[m.Path]
		delete(r.Files, m.Path)
		m.Path = path
		r.Sign()
	}
}

// publish signs bytes as the index.
func (r *repository) publish(index []byte) {
	r.Files[module.IndexName] = index
	r.SignFiles()
}

// crowd adds modules of other kernels to the index.
func (r *repository) crowd(n int) {
	m := r.Index.Modules[0]
	for i := range n {
		other := m
		other.KernelRelease = fmt.Sprintf("5.10.0-%d-generic", i)
		other.Path = "modules/amd64/" + other.KernelRelease + "/8.9.0/pf_ring.ko.zst"
		other.Vermagic = other.KernelRelease + " SMP preempt mod_unload modversions "
		r.Index.Modules = append(r.Index.Modules, other)
	}
	r.Sign()
}

// versions adds versions of the module for the same kernel.
func (r *repository) versions(n int) {
	for i := range n {
		other := r.Index.Modules[0]
		other.Version = fmt.Sprintf("1.0.%d", i)
		r.Index.Modules = append(r.Index.Modules, other)
	}
	r.Sign()
}

// entries is an index that goes on and on.
func entries(r *repository) harm {
	one, err := json.Marshal(r.Index.Modules[0])
	if err != nil {
		panic(err) // it was made here
	}
	chunk := bytes.Repeat(bytes.Replace(append(one, ','), []byte(release), []byte("5.10.0-1-generic"), 1), 2000)
	return func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		_, err := io.WriteString(w, `{"schemaVersion":1,"module":"pf_ring","serial":7,"modules":[`)
		for err == nil && r.Context().Err() == nil {
			_, err = w.Write(chunk)
		}
		return true
	}
}

// enlarge makes the module as large as size, of the bytes that it had and a
// padding that compresses as real modules do, and stores it compressed.
func (r *repository) enlarge(t *testing.T, size int, command ...string) {
	t.Helper()
	ko := moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: release, Arch: arch(), Padding: 4 << 20}.Bytes()
	r.module = append(ko, bytes.Repeat([]byte("kernel module "), size/14)...)[:size]
	r.store(t, r.module, command...)
}

// store makes data the module's file, compressed by a command.
func (r *repository) store(t *testing.T, data []byte, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], "-c")...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m := &r.Index.Modules[0]
	r.Files[m.Path], m.Size, m.SHA256 = out, int64(len(out)), digest(out)
	r.Sign()
}
