package module_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestGetReadsAHistoricRepositoryOnlyWhenNothingIsToBeVerified(t *testing.T) {
	files := map[string][]byte{
		"meta/versions.json":              []byte(`["5.10.1", "` + moduletest.Kernel + `", "6.6.6", "../up"]`),
		moduletest.Kernel + "/pf_ring.ko": moduletest.KO{Version: "8.4.0"}.Bytes(),
	}
	for _, test := range []struct {
		verify               outcome.Verified
		kernel, arch, pinned string
		want                 outcome.Reason
	}{
		{"none", moduletest.Kernel, "amd64", "", ""},
		{"none", moduletest.Kernel, "amd64", "8.4.0", ""},
		{"none", moduletest.Kernel, "amd64", "8.9.0", outcome.NoModuleForKernel},
		{"none", moduletest.Kernel, "arm64", "", outcome.WrongArch},
		{"none", "5.4.0", "amd64", "", outcome.NoModuleForKernel},
		{"none", "6.6.6", "amd64", "", outcome.NoModuleForKernel},
		{"none", "../up", "amd64", "", outcome.NoModuleForKernel},
		{"checksum", moduletest.Kernel, "amd64", "", outcome.SourceUnsigned},
		{"signature", moduletest.Kernel, "amd64", "", outcome.SourceUnsigned},
	} {
		v, err := get(t, files, module.Request{Verify: test.verify, Kernel: test.kernel, Arch: test.arch, Version: test.pinned})
		if reason(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%+v: %v", test, err)
		}
		if err == nil && (v.Entry.Version != "8.4.0" || v.Proof != outcome.VerifiedNone || len(v.Warnings) != 1 || len(v.SHA256) != 64) {
			t.Errorf("%+v: %+v", test, v)
		}
	}
	files["meta/versions.json"] = []byte("<html>")
	if _, err := get(t, files, module.Request{Verify: "none", Kernel: moduletest.Kernel, Arch: "amd64"}); reason(err) != outcome.SourceInvalid {
		t.Errorf("an error page for a list: %v", err)
	}
}
