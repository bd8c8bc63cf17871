package valuesschema

import (
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

var (
	variable = lazyregexp.New(`\$\{([^}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
	// An image reference as container runtimes parse it (github.com/distribution/reference):
	// of digests, those of a known kind and of its length.
	reference = lazyregexp.New(`^((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?/)?` +
		`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
		`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64}|@sha384:[0-9a-f]{96}|@sha512:[0-9a-f]{128})?$`)
)

// sampleKernel is one for which variables are filled in.
const sampleKernel = "6.1.0-18-amd64"

// checkImages looks at the images of the mappings, and at where the agent's is.
func checkImages(c *check) {
	c.registries()
	path := module.With("kernelMappings")
	for i := range c.list(path) {
		at := path.With(i)
		c.image(at.With("containerImage"), kmm.ModuleVariables())
		c.image(at.With("sign", "unsignedImage"), kmm.KernelVariables())
		for j := range c.list(at.With("sign", "filesToSign")) {
			c.variables(at.With("sign", "filesToSign", j), kmm.KernelVariables())
		}
	}
}

func (c *check) image(path Path, known []string) {
	image := c.str(path)
	if image == "" {
		return
	}
	plain, err := kmm.Substitute(image, sampleKernel, "name", "namespace")
	if !c.variables(path, known) || err != nil {
		plain = variable().ReplaceAllString(image, "x")
	}
	m := reference().FindStringSubmatch(plain)
	switch {
	case m == nil:
		c.errorf("image-invalid", path, imageHint(image), "not an image reference")
	case m[2] == "" && m[3] == "" && strings.Contains(plain, ":"):
		// The webhook takes the colon of the registry's port for that of a tag.
		c.errorf("image-invalid", path, "such as "+image+":${KERNEL_FULL_VERSION}", "the image has neither tag nor digest, so every kernel would get the same one, latest")
	case m[2] == "" && m[3] == "":
		c.errorf("image-invalid", path, "such as "+image+":${KERNEL_FULL_VERSION}", "the image has neither tag nor digest, and KMM's webhook requires one")
	case !qualified(m[1]):
		c.warnf("image-unqualified", path, "write "+withRegistry(image), "the image has no registry; CRI-O and others refuse such names")
	}
}

// imageHint says how to write what is not an image reference.
func imageHint(image string) string {
	name, digest, digested := strings.Cut(image, "@")
	switch _, rest, scheme := strings.Cut(image, "://"); {
	case scheme:
		return "write " + rest + ", without the scheme"
	case digested && strings.Contains(digest, "@"):
		return "write one digest"
	case digested && reference().MatchString(name):
		return "write the whole digest, such as sha256: and 64 hexadecimal digits"
	case strings.HasSuffix(image, ":"):
		return "add a tag, such as " + image + "${KERNEL_FULL_VERSION}"
	case !digested && reference().MatchString(strings.ToLower(image)):
		return "write the repository in lower case"
	}
	return "such as registry.example.com/pf-ring:${KERNEL_FULL_VERSION}"
}

// withRegistry adds the registry that Docker would take.
func withRegistry(image string) string {
	if first, _, ok := strings.Cut(image, "/"); ok && qualified(first+"/") {
		return image
	}
	return "docker.io/" + image
}

// qualified tells whether an image's first part is a registry.
func qualified(first string) bool {
	return strings.ContainsAny(first, ".:") || first == "localhost/"
}

// variables tells whether KMM knows all variables of a text.
func (c *check) variables(path Path, known []string) bool {
	all := true
	for _, m := range variable().FindAllStringSubmatch(c.str(path), -1) {
		name := m[1] + m[2]
		if i := strings.IndexAny(name, ":-+=?"); i >= 0 {
			name = name[:i]
		}
		if contains(known, name) {
			continue
		}
		hint := "known here: " + strings.Join(known, ", ")
		if near := nearestVariable(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		c.errorf("image-variable", path, hint, "unknown variable %s: KMM replaces it with nothing", name)
		all = false
	}
	return all
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// nearestVariable takes a name that was left off in its middle for the first one
// that goes on: KERNEL for KERNEL_FULL_VERSION and not for KERNEL_X, which has
// fewer letters more.
func nearestVariable(name string, known []string) string {
	for _, k := range known {
		if strings.HasPrefix(k, name+"_") {
			return k
		}
	}
	return Nearest(name, known)
}

// registries look at what stands before the names of our images.
func (c *check) registries() {
	// Of tap.docker.registry, global.imageRegistry replaces the host alone.
	for _, path := range []Path{ParsePath("global.imageRegistry"), ParsePath("tap.docker.registry"), module.With("agent", "image", "registry"), module.With("supply", "image", "registry")} {
		text := strings.TrimSuffix(c.str(path), "/")
		if text == "" || c.mode() == "" || reference().MatchString(text+"/x:1") {
			continue
		}
		hint := "such as registry.example.com/kubeshark"
		if _, rest, ok := strings.Cut(text, "://"); ok {
			hint = "write " + rest + ", without the scheme"
		}
		c.errorf("image-invalid", path, hint, "must be a registry, optionally with a path")
	}
}
