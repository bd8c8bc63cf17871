package module_test

import (
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
)

func TestMisnamed(t *testing.T) {
	info := module.Info{KernelRelease: "4.15.0-39-generic", Arch: "amd64"}
	for name, want := range map[string]string{
		"pf_ring.ko":                                   "",
		"pf-ring-4.15.0-39-generic.ko.zst":             "",
		"pf-ring-4.15.0-52-generic.ko":                 "named for kernel 4.15.0-52-generic",
		"modules/amd64/4.15.0-39-generic/pf_ring.ko":   "",
		"modules/x86_64/8.9.0/pf_ring.ko":              "",
		"4.15.0-39-generic/8.9.0-rc1/pf_ring.ko":       "",
		"4.15.0-52-generic/updates/dkms/pf_ring.ko.xz": "folder of kernel 4.15.0-52-generic",
		"aarch64/4.15.0-39-generic/pf_ring.ko":         "folder aarch64",
		"4.15.x-1/pf_ring.ko":                          "",
		"4.15-1.2/pf_ring.ko":                          "",
		"6.12.95+deb12-cloud-amd64/pf_ring.ko.gz":      "folder of kernel 6.12.95+deb12-cloud-amd64",
	} {
		if got := info.Misnamed(name); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", name, got, want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, bare := range map[string]string{
		"a/pf_ring.ko": "pf_ring", "pf_ring.ko.zst": "pf_ring", "x.ko.ko.xz": "x.ko", "pf-ring-5.4.0-1.ko.gz": "pf-ring-5.4.0-1",
		"pf_ring.ko.bz2": "", "pf_ring": "", "ko": "", "a.ko/b": "", "pf_ring.zst": "",
	} {
		if module.IsFileName(name) != (bare != "") {
			t.Errorf("IsFileName(%q) = %v", name, bare == "")
		}
		if got := module.BareName(name); bare != "" && got != bare {
			t.Errorf("BareName(%q) = %q, want %q", name, got, bare)
		}
	}
}

func TestParseArch(t *testing.T) {
	for name, want := range map[string]string{
		"amd64": "amd64", "x86_64": "amd64", "AMD64": "amd64", "arm64": "arm64", "aarch64": "arm64", "ARM64": "arm64",
		"": "", "i386": "", "armv7l": "", "x86-64": "", "s390x": "",
	} {
		got, err := module.ParseArch(name)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("ParseArch(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
}
