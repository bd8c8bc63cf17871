package compatibility_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func open(t *testing.T, files map[string][]byte) module.Source {
	t.Helper()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, files)
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestASignedRepositoryAnswersByItsIndex(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: kernel}, module.FormatZst).
		Add(moduletest.KO{Kernel: kernel, Version: "8.8.0"}, module.FormatZst).Sign()
	repository, err := compatibility.ReadRepository(t.Context(), open(t, r.Files), module.Request{PublicKeys: []string{r.PublicKey}})
	if err != nil || repository.Refused != nil || len(repository.Warnings) > 0 {
		t.Fatalf("%+v, %v", repository, err)
	}
	find := repository.Lookup(t.Context())
	if a := find(kernel, "amd64"); a.Supported != compatibility.Yes || a.Version != "8.9.0" || !a.Present {
		t.Errorf("what is there: %+v", a)
	}
	for _, miss := range [][2]string{{kernel, "arm64"}, {"6.1.0", "amd64"}} {
		if a := find(miss[0], miss[1]); a.Supported != compatibility.No || a.Reason != "no-module-for-kernel" || a.Present || a.Remedy == "" {
			t.Errorf("%v: %+v", miss, a)
		}
	}
}

func TestAPinnedVersionThatIsNotThereIsNamed(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: kernel}, module.FormatZst).Sign()
	request := module.Request{PublicKeys: []string{r.PublicKey}, Version: "8.4.0"}
	repository, err := compatibility.ReadRepository(t.Context(), open(t, r.Files), request)
	if err != nil {
		t.Fatal(err)
	}
	if a := repository.Lookup(t.Context())(kernel, "amd64"); a.Supported != compatibility.No || !strings.Contains(a.Message, "8.9.0") {
		t.Errorf("%+v", a)
	}
}

// Modules that are there and that no node would load do not count as support, and the
// reason is the node's own.
func TestARepositoryThatNodesRefuse(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: kernel}, module.FormatZst).Sign()
	historic := map[string][]byte{module.VersionsName: []byte(`["` + kernel + `"]`)}
	for name, test := range map[string]struct {
		files   map[string][]byte
		request module.Request
		want    outcome.Reason
	}{
		"no key":           {r.Files, module.Request{}, outcome.SourceUnsigned},
		"another key":      {r.Files, module.Request{PublicKeys: []string{moduletest.NewRepository(t).PublicKey}}, outcome.SignatureInvalid},
		"a later serial":   {r.Files, module.Request{PublicKeys: []string{r.PublicKey}, MinSerial: 2}, outcome.IndexRolledBack},
		"expired":          {r.Files, module.Request{PublicKeys: []string{r.PublicKey}, Now: func() time.Time { return time.Now().AddDate(2, 0, 0) }}, outcome.IndexExpired},
		"historic":         {historic, module.Request{}, outcome.SourceUnsigned},
		"historic, hashed": {historic, module.Request{Verify: outcome.VerifiedChecksum}, outcome.SourceUnsigned},
	} {
		repository, err := compatibility.ReadRepository(t.Context(), open(t, test.files), test.request)
		if err != nil || repository.Refused == nil {
			t.Errorf("%s: %+v, %v", name, repository, err)
			continue
		}
		find := repository.Lookup(t.Context())
		if a := find(kernel, "amd64"); a.Supported != compatibility.No || a.Reason != string(test.want) || !a.Present || a.Remedy == "" {
			t.Errorf("%s: %+v", name, a)
		}
		if a := find("1.2.3", "amd64"); a.Reason != "no-module-for-kernel" || a.Present {
			t.Errorf("%s, another kernel: %+v", name, a)
		}
	}
}

func TestTheHistoricLayoutIsReadWhereItsListDoesNotTell(t *testing.T) {
	const plain, arm, named, gone = "5.15.0-1050-aws", "5.15.0-1051-aws", "5.10.199-190.747.amzn2.x86_64", "5.15.0-1-gone"
	files := map[string][]byte{
		module.VersionsName:   []byte(`["` + plain + `","` + arm + `","` + named + `","` + gone + `"]`),
		plain + "/pf_ring.ko": moduletest.KO{Kernel: plain, Version: "8.4.0"}.Bytes(),
		arm + "/pf_ring.ko":   moduletest.KO{Kernel: arm, Arch: "arm64"}.Bytes(),
	}
	repository, err := compatibility.ReadRepository(t.Context(), open(t, files), module.Request{Verify: outcome.VerifiedNone})
	if err != nil || repository.Refused != nil || len(repository.Warnings) == 0 {
		t.Fatalf("%+v, %v", repository, err)
	}
	find := repository.Lookup(t.Context())
	for _, test := range []struct {
		kernel, arch string
		want         compatibility.Supported
		reason       string
		version      string
	}{
		{plain, "amd64", compatibility.Yes, "", "8.4.0"},
		{plain, "arm64", compatibility.No, "wrong-arch", ""},
		{arm, "arm64", compatibility.Yes, "", "8.9.0"},
		{named, "amd64", compatibility.Yes, "", ""}, // by its name alone
		{gone, "amd64", compatibility.No, "no-module-for-kernel", ""},
		{"6.1.0", "amd64", compatibility.No, "no-module-for-kernel", ""},
	} {
		a := find(test.kernel, test.arch)
		if a.Supported != test.want || a.Reason != test.reason || a.Version != test.version {
			t.Errorf("%s on %s: %+v", test.kernel, test.arch, a)
		}
	}
}

func TestNothingToAnswerFromIsAnError(t *testing.T) {
	for name, files := range map[string]map[string][]byte{
		"an empty folder": {"x": nil}, "an error page": {module.IndexName: []byte("<html>")}, "a strange list": {module.VersionsName: []byte("{}")},
	} {
		if r, err := compatibility.ReadRepository(t.Context(), open(t, files), module.Request{}); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
