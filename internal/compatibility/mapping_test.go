package compatibility_test

import (
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func mappings(list ...valuesschema.KernelMapping) compatibility.Mappings {
	return compatibility.Mappings{List: list, ModuleName: "pfring-pf-ring", Namespace: "kubeshark"}
}

func TestMappingsAreChosenAsByKMM(t *testing.T) {
	const image = "r.example.com/m:1"
	re := func(s string) valuesschema.KernelMapping {
		return valuesschema.KernelMapping{Regexp: s, ContainerImage: image}
	}
	lit := func(s string) valuesschema.KernelMapping {
		return valuesschema.KernelMapping{Literal: s, ContainerImage: image}
	}
	for name, test := range map[string]struct {
		list   []valuesschema.KernelMapping
		kernel string
		want   int // -1 is none
	}{
		"the first that matches":            {[]valuesschema.KernelMapping{re("5"), re("^5.+$")}, "5.15.0-1-aws", 0},
		"a literal has no priority":         {[]valuesschema.KernelMapping{re("^.+$"), lit("5.15.0-1-aws")}, "5.15.0-1-aws", 0},
		"a literal is the whole release":    {[]valuesschema.KernelMapping{lit("5.15.0"), lit("5.15.0-1-aws")}, "5.15.0-1-aws", 1},
		"a regexp is not anchored":          {[]valuesschema.KernelMapping{re(`amzn2\.`)}, "5.10.1-1.amzn2.x86_64", 0},
		"the trailing plus is cut off":      {[]valuesschema.KernelMapping{lit("6.6.87")}, "6.6.87+", 0},
		"a literal with a plus never fits":  {[]valuesschema.KernelMapping{lit("6.6.87+")}, "6.6.87+", -1},
		"none fits":                         {[]valuesschema.KernelMapping{lit("1.2.3"), re("^9")}, "6.1.0-1-amd64", -1},
		"none there":                        {nil, "6.1.0-1-amd64", -1},
		"an empty literal is not a literal": {[]valuesschema.KernelMapping{{ContainerImage: image}, re("6")}, "6.1.0-1-amd64", 1},
	} {
		got, ok, err := mappings(test.list...).Find(test.kernel)
		if err != nil || ok != (test.want >= 0) || ok && got.Index != test.want {
			t.Errorf("%s: %+v, %v, %v", name, got, ok, err)
		}
	}
}

func TestImagesGetTheKernelsVariablesAsByKMM(t *testing.T) {
	for name, test := range map[string]struct{ template, kernel, want string }{
		"the usual":                 {"r/m:${KERNEL_FULL_VERSION}", "5.15.0-1050-aws", "r/m:5.15.0-1050-aws"},
		"its other name":            {"r/m:${KERNEL_VERSION}", "5.15.0-1050-aws", "r/m:5.15.0-1050-aws"},
		"without braces":            {"r/m:$KERNEL_XYZ-x", "5.15.0-1050-aws", "r/m:5.15.0-x"},
		"components":                {"r/m:${KERNEL_X}.${KERNEL_Y}.${KERNEL_Z}", "6.8.12-51-generic", "r/m:6.8.12"},
		"the module":                {"r/${MOD_NAMESPACE}/${MOD_NAME}:1", "6.8.12-51", "r/kubeshark/pfring-pf-ring:1"},
		"no tag has a plus":         {"r/m:${KERNEL_FULL_VERSION}", "6.1.0+deb13+1-amd64", "r/m:6.1.0_deb13_1-amd64"},
		"the plus at the end":       {"r/m:${KERNEL_FULL_VERSION}", "6.6.87+", "r/m:6.6.87"},
		"an unknown name is empty":  {"r/m:a${NOPE}b", "6.1.0-1", "r/m:ab"},
		"a default for an unknown":  {"r/m:${NOPE:-latest}", "6.1.0-1", "r/m:latest"},
		"a plus in a component":     {"r/m:${KERNEL_XYZ}-z${KERNEL_Z}", "6.12.48+deb13-amd64", "r/m:6.12.48_deb13-z48_deb13"},
		"an alternative":            {"r/m:${KERNEL_X:+six}", "6.1.0-1", "r/m:six"},
		"a default that is not due": {"r/m:${KERNEL_X:-latest}", "6.1.0-1", "r/m:6"},
		"a digest has no variables": {"r/m@sha256:00", "6.1.0-1", "r/m@sha256:00"},
	} {
		got, ok, err := mappings(valuesschema.KernelMapping{Regexp: ".", ContainerImage: test.template}).Find(test.kernel)
		if err != nil || !ok || got.Image != test.want {
			t.Errorf("%s: %q, %v, want %q", name, got.Image, err, test.want)
		}
	}
}

func TestLookupByMappingsSaysWhatIsNotKnown(t *testing.T) {
	image := valuesschema.KernelMapping{Literal: "6.1.0-1", ContainerImage: "r/m:${KERNEL_FULL_VERSION}"}
	built := image
	built.Build = &valuesschema.Build{}
	for name, test := range map[string]struct {
		mapping valuesschema.KernelMapping
		kernel  string
		want    compatibility.Supported
		reason  string
		says    string
	}{
		"an image":              {image, "6.1.0-1", compatibility.Unknown, compatibility.ReasonImageNotChecked, "r/m:6.1.0-1"},
		"an image that is made": {built, "6.1.0-1", compatibility.Yes, compatibility.ReasonBuilt, "r/m:6.1.0-1"},
		"no mapping":            {image, "6.1.0-2", compatibility.No, compatibility.ReasonNoMapping, "6.1.0-2"},
		"no mapping would help": {image, "6.1.0-2+", compatibility.No, compatibility.ReasonKernelUnserved, "mode auto"},
		"a broken regexp":       {valuesschema.KernelMapping{Regexp: "(", ContainerImage: "r"}, "6.1.0-1", compatibility.No, compatibility.ReasonNoMapping, "kernelMappings[0]"},
		"a strange kernel":      {valuesschema.KernelMapping{Regexp: ".", ContainerImage: "r"}, "6.1", compatibility.No, compatibility.ReasonKernelUnserved, "fewer than three"},
		"a plus at the end":     {image, "6.1.0-1+", compatibility.No, compatibility.ReasonKernelUnserved, "mode auto"},
	} {
		a := mappings(test.mapping).Lookup(t.Context(), nil)(test.kernel, "amd64")
		if a.Supported != test.want || a.Reason != test.reason || !strings.Contains(a.Message+a.Remedy, test.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func FuzzMappings(f *testing.F) {
	f.Add("^.+$", "r/m:${KERNEL_FULL_VERSION}", "6.1.0-18-amd64+")
	f.Add("(a|b)", "${KERNEL_X:-a}$B${", "..")
	f.Fuzz(func(t *testing.T, expr, image, kernel string) {
		m := mappings(valuesschema.KernelMapping{Regexp: expr, ContainerImage: image})
		got, ok, err := m.Find(kernel)
		if ok && err != nil {
			t.Errorf("found together with %v", err)
		}
		if ok && strings.Contains(got.Image, "${KERNEL_FULL_VERSION}") && !strings.Contains(image, "$$") {
			t.Errorf("%q is left of %q", got.Image, image)
		}
	})
}

func TestOneKernelThatKMMFailsOnStallsTheOthers(t *testing.T) {
	node := func(name, kernel string, excluded bool) cluster.Node {
		return cluster.Node{Name: name, Kernel: kernel, Arch: "amd64", OS: "linux", Ready: true, Excluded: excluded}
	}
	m := mappings(valuesschema.KernelMapping{Regexp: `^6\.1`, ContainerImage: "r/m:1", Build: &valuesschema.Build{}})
	list := []cluster.Node{node("a", "6.1.0-18-amd64", false), node("b", "6.12", false), node("c", "5.15.0-1", false)}
	r := compatibility.Match(list, m.Lookup(t.Context(), nil))
	for i, reason := range []string{compatibility.ReasonModuleStalled, compatibility.ReasonKernelUnserved, compatibility.ReasonNoMapping} {
		if r.Nodes[i].Reason != reason || r.Nodes[i].Supported != compatibility.No {
			t.Errorf("%+v, want the reason %s", r.Nodes[i], reason)
		}
	}
	list[1].Excluded = true
	if r := compatibility.Match(list, m.Lookup(t.Context(), nil)); r.Nodes[0].Supported != compatibility.Yes {
		t.Errorf("a node that the values leave out stalls another: %+v", r.Nodes[0])
	}
	list[1] = node("b", "7.1", false)
	if r := compatibility.Match(list, m.Lookup(t.Context(), nil)); r.Nodes[0].Supported != compatibility.Yes {
		t.Errorf("a node without a mapping stalls another: %+v", r.Nodes[0])
	}
}
