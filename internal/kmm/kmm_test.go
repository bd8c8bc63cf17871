package kmm_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// The wanted values here and below are what KMM's own functions return, at
// de3f8c9.
func TestKernelReleasesAreReadAsKMMDoes(t *testing.T) {
	for release, want := range map[string]struct {
		trimmed, normal string
		unserved        bool
		labels          []string
	}{
		"6.1.0-18-amd64":      {"6.1.0-18-amd64", "6.1.0-18-amd64", false, []string{"6.1.0-18-amd64", "6-1-0-18-amd64"}},
		"6.12.48+deb13-amd64": {"6.12.48+deb13-amd64", "6.12.48_deb13-amd64", false, []string{"6.12.48_deb13-amd64", "6-12-48-deb13-amd64"}},
		"6.12.55+":            {"6.12.55", "6.12.55_", true, []string{"6.12.55", "6-12-55"}},
		"6.12.55++":           {"6.12.55+", "6.12.55__", true, []string{"6.12.55_", "6-12-55"}},
		"6.12":                {"6.12", "6.12", true, []string{"6.12", "6-12"}},
		"6.12-rc1":            {"6.12-rc1", "6.12-rc1", false, []string{"6-12-rc1"}},
		"5.14.0-1.EL9.x86_64": {"5.14.0-1.EL9.x86_64", "5.14.0-1.EL9.x86_64", false, []string{"5-14-0-1-el9-x86-64"}},
	} {
		if got := kmm.Trim(release); got != want.trimmed {
			t.Errorf("%s is trimmed to %s", release, got)
		}
		if got := kmm.Normalize(release); got != want.normal {
			t.Errorf("%s is normalized to %s", release, got)
		}
		if got := kmm.Unserved(release); (got != "") != want.unserved {
			t.Errorf("%s: unserved is %q", release, got)
		}
		for _, label := range want.labels {
			if !kmm.IsTarget(label, release) {
				t.Errorf("the label %s does not mean %s", label, release)
			}
		}
		if kmm.IsTarget("", release) || kmm.IsTarget("6.1.0", release) {
			t.Errorf("a label of another kernel means %s", release)
		}
	}
}

func TestVariablesAreFilledInAsKMMDoes(t *testing.T) {
	for template, want := range map[string]string{
		"r/m:${KERNEL_FULL_VERSION}":     "r/m:6.12.48_deb13-amd64",
		"r/m:$KERNEL_VERSION":            "r/m:6.12.48_deb13-amd64",
		"r/m:${KERNEL_XYZ}-z${KERNEL_Z}": "r/m:6.12.48_deb13-z48_deb13",
		"r/m:${KERNEL_X:+six}":           "r/m:six",
		"r/m:${KERNEL_X+six}":            "r/m:six",
		"r/m:${NONE:+six}x":              "r/m:x",
		"r/m:${NONE=foo}":                "r/m:foo",
		"r/m:${NONE:=foo}":               "r/m:foo",
		"r/m:${NONE:-foo}":               "r/m:foo",
		"r/m:${NONE-foo}":                "r/m:foo",
		"r/m:${MOD_NAME=foo}":            "r/m:pf",
		"r/${MOD_NAMESPACE}/m:a$$b":      "r/ns/m:a$b",
		"r/m:${NONE}x":                   "r/m:x",
	} {
		got, err := kmm.Substitute(template, "6.12.48+deb13-amd64", "pf", "ns")
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", template, got, err, want)
		}
	}
	if _, err := kmm.Substitute("r/m:${KERNEL_X", "6.1.0", "", ""); err == nil {
		t.Error("a brace that is not closed was taken")
	}
	if _, err := kmm.Substitute("r/m:1", "6.1", "", ""); err == nil {
		t.Error("a kernel release of two components was taken")
	}
}

func FuzzSubstitute(f *testing.F) {
	f.Add("r/m:${KERNEL_X:-a}$B${", "6.1.0-18-amd64+")
	f.Add("$${KERNEL_X}$_${_}", "..")
	f.Fuzz(func(t *testing.T, template, release string) {
		a, errA := kmm.Substitute(template, release, "pf", "ns")
		b, errB := kmm.Substitute(template, release, "pf", "ns")
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("%q and %q, %v and %v", a, b, errA, errB)
		}
	})
}

func TestTheFirstMappingThatMatchesIsTaken(t *testing.T) {
	list := []kmm.Matcher{{}, {Literal: "6.1.0"}, {Regexp: `6\.1`}, {Literal: "6.12.55"}}
	for release, want := range map[string]int{"6.1.0": 1, "6.1.0+": 1, "6.1.0-18": 2, "a6.1": 2, "6.12.55+": 2, "6.2.0": -1} {
		if got, err := kmm.First(list, release); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", release, got, err, want)
		}
	}
	if _, err := kmm.First([]kmm.Matcher{{Regexp: "("}}, "6.1.0"); err == nil {
		t.Error("a broken regexp was taken")
	}
}

func TestWorkersComeInKMMsOrder(t *testing.T) {
	a, b := kmm.Config{"kernelVersion": "6.1.0", "containerImage": "a"}, kmm.Config{"kernelVersion": "6.1.0", "containerImage": "b"}
	other := kmm.Config{"kernelVersion": "6.2.0", "containerImage": "b"}
	for _, test := range []struct {
		name         string
		want, loaded kmm.Config
		rebooted     bool
		next         kmm.Action
	}{
		{"nothing wanted, nothing there", nil, nil, false, kmm.None},
		{"first load", a, nil, false, kmm.Load},
		{"as wanted", a, a, false, kmm.None},
		{"rebooted", a, a, true, kmm.Load},
		{"changed", b, a, false, kmm.Unload},
		{"changed with the kernel", other, a, false, kmm.Load},
		{"no longer wanted", nil, a, false, kmm.Unload},
		{"no longer wanted, and gone by a reboot", nil, a, true, kmm.None},
	} {
		if got := kmm.Next(test.want, test.loaded, test.rebooted); got != test.next {
			t.Errorf("%s: %q, want %q", test.name, got, test.next)
		}
	}
}
