package module_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A clock that is in the past hides that an index has expired.
func TestAnIndexOfTheFutureIsToldOf(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	for ahead, warned := range map[time.Duration]bool{0: false, 30 * time.Minute: false, 25 * time.Hour: true} {
		q := request(r)
		q.Now = func() time.Time { return r.Index.Created.Add(-ahead) }
		v, err := get(t, r.Files, q)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(v.Warnings, ""), "clock"); got != warned {
			t.Errorf("%s ahead: %q", ahead, v.Warnings)
		}
	}
}

// get writes files into a folder and gets the module of r from there.
func get(t *testing.T, files map[string][]byte, r module.Request) (*module.Verified, error) {
	t.Helper()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, files)
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	return module.Get(context.Background(), source, r)
}

// request asks for the default module with a signature by r's key.
func request(r *moduletest.Repository) module.Request {
	return module.Request{Kernel: moduletest.Kernel, Arch: "amd64", PublicKeys: []string{r.PublicKey}}
}

func TestGetReturnsTheVeryModuleThatWasSigned(t *testing.T) {
	for _, format := range formats() {
		k := moduletest.KO{Padding: 5000}
		r := moduletest.NewRepository(t).Add(moduletest.KO{Version: "8.8.0"}, format).Add(k, format).
			Add(moduletest.KO{Arch: "arm64", Version: "9.0.0"}, format).Sign()
		v, err := get(t, r.Files, request(r))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		e := r.Index.Modules[1]
		delivered := int64(len(r.Files[e.Path]) + len(r.Files[module.IndexName]) + len(r.Files[module.SignatureName]))
		if !bytes.Equal(v.Data, k.Bytes()) || v.SHA256 != e.SHA256 || !reflect.DeepEqual(v.Entry, e) || v.Proof != outcome.VerifiedSignature ||
			v.Info.Version != "8.9.0" || !strings.HasPrefix(v.Source, "file:///") || v.FetchedBytes != delivered || len(v.Warnings) != 0 {
			t.Errorf("%s: %+v", format, v)
		}
	}
}

func TestGetTakesAPinnedVersion(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Version: "8.8.0"}, "zst").Add(moduletest.KO{Version: "8.10.0"}, "zst").Sign()
	q := request(r)
	q.Version = "8.8.0"
	if v, err := get(t, r.Files, q); err != nil || v.Info.Version != "8.8.0" {
		t.Errorf("%v, %v", v, err)
	}
}

// repository returns a signed one after a change.
func repository(t *testing.T, change func(*moduletest.Repository)) *moduletest.Repository {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	if change != nil {
		change(r)
	}
	return r
}

// swap replaces the first module's file.
func swap(data []byte) func(*moduletest.Repository) {
	return func(r *moduletest.Repository) { r.Files[r.Index.Modules[0].Path] = data }
}

// list adds a file that says of itself what k says, under the release, arch and
// version of the default module.
func list(data []byte) func(*moduletest.Repository) {
	return func(r *moduletest.Repository) {
		r.Index.Modules = nil
		r.AddFile(moduletest.Kernel, "amd64", "8.9.0", data, module.FormatRaw).Sign()
	}
}

func TestGetRefusesWhatDoesNotPass(t *testing.T) {
	bomb, _ := moduletest.Compress(t, make([]byte, 3*mib), "zst")
	ko := moduletest.KO{}.Bytes()
	for name, test := range map[string]struct {
		change func(*moduletest.Repository)
		ask    func(*module.Request)
		want   outcome.Reason
	}{
		"another key":    {nil, func(q *module.Request) { q.PublicKeys = []string{moduletest.NewRepository(t).PublicKey} }, outcome.SignatureInvalid},
		"no key":         {nil, func(q *module.Request) { q.PublicKeys = nil }, outcome.SourceUnsigned},
		"no signature":   {func(r *moduletest.Repository) { delete(r.Files, module.SignatureName) }, nil, outcome.SourceUnsigned},
		"unknown verify": {nil, func(q *module.Request) { q.Verify = "md5" }, outcome.SourceUnsigned},
		"index changed":  {func(r *moduletest.Repository) { r.Files[module.IndexName] = append(r.Files[module.IndexName], ' ') }, nil, outcome.SignatureInvalid},
		"expired":        {nil, func(q *module.Request) { q.Now = func() time.Time { return time.Now().AddDate(2, 0, 0) } }, outcome.IndexExpired},
		"expired, checksum": {nil, func(q *module.Request) {
			q.Now, q.Verify = func() time.Time { return time.Now().AddDate(2, 0, 0) }, "checksum"
		}, outcome.IndexExpired},
		"older serial":         {nil, func(q *module.Request) { q.MinSerial = 2 }, outcome.IndexRolledBack},
		"index of another":     {func(r *moduletest.Repository) { r.Index.Module = "zfs"; r.Sign() }, nil, outcome.SourceInvalid},
		"signed rubbish":       {func(r *moduletest.Repository) { r.Index.SchemaVersion = 9; r.Sign() }, nil, outcome.SourceInvalid},
		"other kernel":         {nil, func(q *module.Request) { q.Kernel = "5.4.0" }, outcome.NoModuleForKernel},
		"other arch":           {nil, func(q *module.Request) { q.Arch = "arm64" }, outcome.NoModuleForKernel},
		"version not there":    {nil, func(q *module.Request) { q.Version = "1.0.0" }, outcome.NoModuleForKernel},
		"file not there":       {func(r *moduletest.Repository) { delete(r.Files, r.Index.Modules[0].Path) }, nil, outcome.NoModuleForKernel},
		"swapped":              {swap(ko), nil, outcome.TooLarge},
		"swapped by a shorter": {swap(ko[:9]), nil, outcome.DigestMismatch},
		"bit flipped":          {func(r *moduletest.Repository) { r.Files[r.Index.Modules[0].Path][9] ^= 1 }, nil, outcome.DigestMismatch},
		"entry over the limit": {nil, func(q *module.Request) { q.MaxSize = 100 }, outcome.TooLarge},
		"bomb":                 {list(bomb), func(q *module.Request) { q.MaxSize = mib }, outcome.TooLarge},
		"an error page":        {list([]byte("<html>")), nil, outcome.NotAModule},
		"cut short":            {list(ko[:len(ko)-3]), nil, outcome.Truncated},
		"another module":       {list(moduletest.KO{Name: "e1000"}.Bytes()), nil, outcome.WrongModule},
		"built for arm64":      {list(moduletest.KO{Arch: "arm64"}.Bytes()), nil, outcome.WrongArch},
		"for another kernel":   {list(moduletest.KO{Kernel: "5.4.0"}.Bytes()), nil, outcome.WrongKernel},
		"not what was pinned":  {list(moduletest.KO{Version: "8.8.8"}.Bytes()), func(q *module.Request) { q.Version = "8.9.0" }, outcome.NoModuleForKernel},
		"nothing at all":       {func(r *moduletest.Repository) { clear(r.Files) }, nil, outcome.SourceInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := repository(t, test.change)
			q := request(r)
			if test.ask != nil {
				test.ask(&q)
			}
			v, err := get(t, r.Files, q)
			if v != nil || reason(err) != test.want {
				t.Fatalf("%v, %v, want %s", v, err, test.want)
			}
			if !strings.Contains(err.Error(), "/") || !strings.HasSuffix(err.Error(), ".") {
				t.Errorf("the message names no place or no remedy: %v", err)
			}
		})
	}
}

func TestGetTellsWhatItTakesAllTheSame(t *testing.T) {
	soon := func(q *module.Request) {
		q.Now = func() time.Time { return time.Now().Add((365 - 13) * 24 * time.Hour) }
	}
	none := func(q *module.Request) { q.Verify = outcome.VerifiedNone }
	for name, test := range map[string]struct {
		change func(*moduletest.Repository)
		ask    func(*module.Request)
		says   string
	}{
		"expires soon":           {nil, soon, "expires on"},
		"version differs":        {list(moduletest.KO{Version: "8.8.8"}.Bytes()), nil, "8.8.8"},
		"a bad key among others": {nil, func(q *module.Request) { q.PublicKeys = append(q.PublicKeys, "rubbish") }, "1 of the configured"},
		"none: swapped":          {swap(moduletest.KO{}.Bytes()), none, "accepted, since source.verify is none"},
		"none: expired":          {func(r *moduletest.Repository) { r.Index.Expires = time.Now().AddDate(-1, 0, 0); r.Sign() }, none, "has expired"},
	} {
		r := repository(t, test.change)
		q := request(r)
		if test.ask != nil {
			test.ask(&q)
		}
		v, err := get(t, r.Files, q)
		if err != nil || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], test.says) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestGetNeedsNoKeyForWeakerProofs(t *testing.T) {
	r := repository(t, func(r *moduletest.Repository) { delete(r.Files, module.SignatureName) })
	for _, verify := range []outcome.Verified{outcome.VerifiedChecksum, outcome.VerifiedNone} {
		q := module.Request{Kernel: moduletest.Kernel, Arch: "amd64", Verify: verify}
		if v, err := get(t, r.Files, q); err != nil || v.Proof != verify {
			t.Errorf("%s: %+v, %v", verify, v, err)
		}
	}
}

// changing is a source whose repository is replaced while it is read.
type changing struct {
	module.Source
	before func(path string)
}

func (c changing) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	c.before(path)
	return c.Source.Fetch(ctx, path, max)
}

func TestGetReadsAgainWhenAPublicationCameInBetween(t *testing.T) {
	for _, at := range []string{module.SignatureName, ".ko"} {
		dir := t.TempDir()
		r := moduletest.NewRepository(t).AddFile(moduletest.Kernel, "amd64", "8.9.0", moduletest.KO{}.Bytes(), "raw").Sign()
		r.Write(dir)
		source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
		if err != nil {
			t.Fatal(err)
		}
		published := false
		fresh := moduletest.KO{Padding: 100}.Bytes()
		v, err := module.Get(context.Background(), changing{source, func(path string) {
			if published || !strings.HasSuffix(path, at) {
				return
			}
			published = true
			r.Index.Serial, r.Index.Modules = 2, nil
			short := fresh[:len(fresh):len(fresh)]
			r.AddFile(moduletest.Kernel, "amd64", "8.9.0", short, "gz").Sign()
			delete(r.Files, "modules/amd64/"+moduletest.Kernel+"/8.9.0/pf_ring.ko")
			moduletest.WriteFiles(t, dir, map[string][]byte{"modules/amd64/" + moduletest.Kernel + "/8.9.0/pf_ring.ko": []byte("replaced")})
			r.Write(dir)
		}}, request(r))
		if err != nil || !bytes.Equal(v.Data, fresh) || !published {
			t.Errorf("published before %s: %v", at, err)
		}
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	r := repository(t, nil)
	dir := t.TempDir()
	r.Write(dir)
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := module.Get(ctx, source, request(r)); reason(err) != outcome.SourceTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
