package build

import (
	"strings"
	"testing"
)

func TestRecipesByWhatANodeCallsItself(t *testing.T) {
	for osImage, want := range map[string]string{
		"Debian GNU/Linux 12 (bookworm)":        "debian docker.io/library/debian:12",
		"Debian GNU/Linux 13 (trixie)":          "debian docker.io/library/debian:13",
		"Ubuntu 22.04.5 LTS":                    "debian docker.io/library/ubuntu:22.04",
		"Ubuntu 24.10":                          "debian docker.io/library/ubuntu:24.10",
		"Red Hat Enterprise Linux 9.4 (Plow)":   "el registry.access.redhat.com/ubi9/ubi:latest",
		"Red Hat Enterprise Linux 8.10 (Ootpa)": "el registry.access.redhat.com/ubi8/ubi:latest",
		"Rocky Linux 9.5 (Blue Onyx)":           "el quay.io/rockylinux/rockylinux:9",
		"AlmaLinux 10.0 (Purple Lion)":          "el docker.io/library/almalinux:10",
		"Oracle Linux Server 8.10":              "el container-registry.oracle.com/os/oraclelinux:8",
		"CentOS Stream 9":                       "el quay.io/centos/centos:stream9",
		"Amazon Linux 2":                        "amazon2 public.ecr.aws/amazonlinux/amazonlinux:2",
		"Amazon Linux 2023.6.20241212":          "amazon2023 public.ecr.aws/amazonlinux/amazonlinux:2023",
	} {
		r, err := RecipeFor(osImage)
		if got := r.Name + " " + r.Image; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", osImage, got, err, want)
		}
		if r.Proven != (osImage == "Debian GNU/Linux 12 (bookworm)") {
			t.Errorf("%s: proven is %v; tests run Debian 12 only", osImage, r.Proven)
		}
	}
	for osImage, says := range map[string]string{
		"":                               "--image and --script",
		"Debian GNU/Linux trixie/sid":    "--image and --script",
		"Red Hat Enterprise Linux 7.9":   "8 to 10",
		"Rocky Linux 11.0":               "8 to 10",
		"Ubuntu 18.04.6 LTS":             "20 and later",
		"Talos (v1.9.0)":                 "system extension",
		"Bottlerocket OS 1.30.0":         "kmod kit",
		"Container-Optimized OS from Go": "Ubuntu node pool",
		"Flatcar Container Linux by Kin": "developer container",
		"Red Hat Enterprise Linux CoreOS 417.94.202410160352-0": "Driver Toolkit",
	} {
		if _, err := RecipeFor(osImage); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want it to say %q", osImage, err, says)
		}
	}
	for _, r := range Recipes() {
		if r.Name == "" || r.Title == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestTheSourceIsAlwaysPinned(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for _, c := range []struct{ version, url, sha256, want, fails string }{
		{want: "8.9.0 tree"},
		{version: "8.8.0", want: "8.8.0 tree"},
		{url: "https://mirror.example.com/pf.tar.xz", want: "8.9.0 tree"},
		{url: "https://mirror.example.com/pf.tar.xz", sha256: strings.ToUpper(sum), want: "8.9.0 archive"},
		{version: "9.0.0", url: "http://mirror/pf.tar.gz", sha256: sum, want: "9.0.0 archive"},
		{version: "9.0.0", fails: "not one of those whose content is known"},
		{version: "9.0.0", url: "https://mirror/pf.tar.gz", fails: "the archive's sha256"},
		{sha256: sum, fails: "leave the sha256 out"},
		{url: "https://mirror/pf.tar.gz", sha256: "abc", fails: "64 hex digits"},
		{url: "ftp://mirror/pf.tar.gz", fails: "http:// or https://"},
		{url: "/etc/passwd", fails: "http:// or https://"},
		{url: "https://ann:secret@mirror/pf.tar.gz", fails: "must hold no password"},
	} {
		s, err := NewSource(c.version, c.url, c.sha256)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		kind := "tree"
		if s.SHA256 == sum && s.Tree == "" {
			kind = "archive"
		}
		if got := s.Version + " " + kind; err != nil || got != c.want || s.URL == "" || kind == "tree" && !hexSum.MatchString(s.Tree) {
			t.Errorf("%+v: %+v %v", c, s, err)
		}
	}
}
