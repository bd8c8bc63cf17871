package compatibility

import (
	"context"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Mappings are tried in order; the first that matches is used.
type Mappings struct {
	List []valuesschema.KernelMapping
	// ModuleName and Namespace are those of KMM's Module, for MOD_NAME and
	// MOD_NAMESPACE.
	ModuleName, Namespace string
}

// Mapped is what a kernel is mapped to.
type Mapped struct {
	// Index is the mapping's place in the list.
	Index   int
	Mapping valuesschema.KernelMapping
	// Image has the kernel's variables put in.
	Image string
}

// Find returns the mapping that KMM uses for a kernel release, if there is one.
// A regexp that is none is an error, and so is an image whose variables this
// release does not have.
func (m Mappings) Find(kernel string) (Mapped, bool, error) {
	matchers := make([]kmm.Matcher, len(m.List))
	for i, mapping := range m.List {
		matchers[i] = kmm.Matcher{Literal: mapping.Literal, Regexp: mapping.Regexp}
	}
	i, err := kmm.First(matchers, kernel)
	if err != nil || i < 0 {
		return Mapped{}, false, err
	}
	image, err := kmm.Substitute(m.List[i].ContainerImage, kernel, m.ModuleName, m.Namespace)
	if err != nil {
		return Mapped{}, false, fmt.Errorf("kernelMappings[%d].containerImage: %w", i, err)
	}
	return Mapped{Index: i, Mapping: m.List[i], Image: image}, true, nil
}

// UnservedRemedy is what to do about a kernel release that KMM cannot serve
// whatever the mappings are.
const UnservedRemedy = "Use mode auto for such nodes, or a kernel whose release does not end in a plus sign."

// stallRemedy is what to do about a kernel release on which KMM fails.
const stallRemedy = "Exclude such nodes with tap.kernelModule.kmm.selector, or make sure that no mapping matches their kernel release. Mode auto supports it."

// Lookup answers by the mappings, and with images not nil by what is in the
// registries.
func (m Mappings) Lookup(ctx context.Context, images *Images) Lookup {
	return func(kernel, arch string) Answer {
		mapped, ok, err := m.Find(kernel)
		switch {
		case kmm.Stalls(kernel) && (ok || err != nil):
			return Answer{Supported: No, Reason: ReasonKernelUnserved, Message: kmm.Unserved(kernel) + ".", Remedy: stallRemedy, Stalls: true}
		case err != nil:
			return Answer{Supported: No, Reason: ReasonNoMapping, Message: err.Error() + ".",
				Remedy: "Correct the mapping; pfring validate explains it."}
		case kmm.Unserved(kernel) != "" && !kmm.Stalls(kernel): // no mapping would help
			return Answer{Supported: No, Reason: ReasonKernelUnserved, Message: kmm.Unserved(kernel) + ".", Remedy: UnservedRemedy}
		case !ok:
			return Answer{Supported: No, Reason: ReasonNoMapping,
				Message: fmt.Sprintf("None of the %d kernel mappings matches %s.", len(m.List), kernel),
				Remedy:  fmt.Sprintf("Add a mapping: {literal: %q, containerImage: …}", kmm.Trim(kernel))}
		}
		a := mapped.answer(ctx, images, arch)
		a.Mapping, a.Image = fmt.Sprintf("kernelMappings[%d]", mapped.Index), mapped.Image
		return a
	}
}

// answer is that of a kernel with a mapping.
func (m Mapped) answer(ctx context.Context, images *Images, arch string) Answer {
	switch {
	case m.Mapping.Build != nil || m.Mapping.Sign != nil:
		return Answer{Supported: Yes, Reason: ReasonBuilt, Message: "KMM builds or signs " + m.Image + " in the cluster if it is missing."}
	case images == nil:
		return Answer{
			Supported: Unknown, Reason: ReasonImageNotChecked, Message: m.Image + " is used; whether it is in the registry was not looked up.",
			Remedy: "Look it up: leave out --images=false",
		}
	}
	_, answer := images.Find(ctx, m.Image, arch, TLSOf(m.Mapping.RegistryTLS))
	return answer
}

// TLSOf is a mapping's registryTLS, which may be nil.
func TLSOf(t *valuesschema.RegistryTLS) RegistryTLS {
	if t == nil {
		return RegistryTLS{}
	}
	return RegistryTLS{Insecure: t.Insecure, SkipVerify: t.InsecureSkipTLSVerify}
}
