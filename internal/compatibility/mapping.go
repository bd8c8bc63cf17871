package compatibility

import (
	"context"
	"fmt"
	"regexp"
	"strings"

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
// Like KMM it drops trailing plus signs, compares literals with the whole
// release and searches regexps anywhere in it. A regexp that is none is an
// error, and so is an image whose variables this release does not have.
func (m Mappings) Find(kernel string) (Mapped, bool, error) {
	kernel = strings.TrimRight(kernel, "+")
	for i, mapping := range m.List {
		matches := mapping.Literal != "" && mapping.Literal == kernel
		if mapping.Literal == "" && mapping.Regexp != "" {
			re, err := regexp.Compile(mapping.Regexp)
			if err != nil {
				return Mapped{}, false, fmt.Errorf("kernelMappings[%d].regexp: %w", i, err)
			}
			matches = re.MatchString(kernel)
		}
		if !matches {
			continue
		}
		image, err := m.image(mapping.ContainerImage, kernel)
		if err != nil {
			return Mapped{}, false, fmt.Errorf("kernelMappings[%d].containerImage: %w", i, err)
		}
		return Mapped{Index: i, Mapping: mapping, Image: image}, true, nil
	}
	return Mapped{}, false, nil
}

var (
	notInTag  = regexp.MustCompile(`[^A-Za-z0-9._-]`)
	component = regexp.MustCompile(`[.,-]`)
	// A shell variable: $NAME, ${NAME}, ${NAME-default} or ${NAME:-default}.
	shellVariable = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^}]*))?\})`)
)

// image puts the variables into a containerImage. A name that KMM does not know
// becomes its default, or nothing.
func (m Mappings) image(template, kernel string) (string, error) {
	plain := notInTag.ReplaceAllString(kernel, "_")
	parts := component.Split(kernel, 4)
	if len(parts) < 3 {
		return "", fmt.Errorf("the kernel release %q has fewer than three components", kernel)
	}
	known := map[string]string{
		"KERNEL_FULL_VERSION": plain, "KERNEL_VERSION": plain,
		"KERNEL_XYZ": strings.Join(parts[:3], "."),
		"KERNEL_X":   parts[0], "KERNEL_Y": parts[1], "KERNEL_Z": parts[2],
		"MOD_NAME": m.ModuleName, "MOD_NAMESPACE": m.Namespace,
	}
	return shellVariable.ReplaceAllStringFunc(template, func(text string) string {
		found := shellVariable.FindStringSubmatch(text)
		value, ok := known[found[1]+found[2]]
		if !ok || value == "" && found[3] == ":-" {
			return found[4]
		}
		return value
	}), nil
}

// Lookup answers by the mappings, and with images not nil by what is in the
// registries.
func (m Mappings) Lookup(ctx context.Context, images *Images) Lookup {
	return func(kernel, arch string) Answer {
		mapped, ok, err := m.Find(kernel)
		switch {
		case err != nil:
			return Answer{Supported: No, Reason: ReasonNoMapping, Message: err.Error() + ".",
				Remedy: "Correct the mapping; pfring validate explains it."}
		case !ok:
			return Answer{Supported: No, Reason: ReasonNoMapping,
				Message: fmt.Sprintf("None of the %d kernel mappings matches %s.", len(m.List), kernel),
				Remedy:  fmt.Sprintf("Add a mapping: {literal: %q, containerImage: …}", strings.TrimRight(kernel, "+"))}
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
		return Answer{Supported: Yes, Reason: ReasonBuilt, Message: "KMM builds or signs " + m.Image + " in the cluster if it is not there."}
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
