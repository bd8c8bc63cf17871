package valuesschema

import (
	"slices"
	"strings"
)

// Dockerfiles are those of the chart, by the names that build.dockerfile takes.
func Dockerfiles() []string {
	return []string{"debian", "ubuntu", "rhel", "amazonlinux2", "amazonlinux2023"}
}

// checkBuild looks at what KMM builds and signs by.
func checkBuild(c *check) {
	if c.mode() != "kmm" {
		return
	}
	kmm := module.With("kmm")
	key, cert := c.str(kmm.With("sign", "keySecret")), c.str(kmm.With("sign", "certSecret"))
	if (key == "") != (cert == "") {
		c.errorf("sign-half", kmm.With("sign"), "name the Secret of the key in keySecret and that of the certificate in certSecret",
			"KMM signs with a key and its certificate, and only one is given")
	}
	c.buildArgs(kmm.With("build", "buildArgs"))
	mappings := module.With("kernelMappings")
	for i := range c.list(mappings) {
		at := mappings.With(i)
		if c.object(at.With("build")) != nil {
			c.build(at)
		}
		for j := range c.list(at.With("sign", "filesToSign")) {
			c.fileToSign(at.With("sign", "filesToSign", j))
		}
	}
}

func (c *check) build(at Path) {
	build, image := at.With("build"), c.str(at.With("containerImage"))
	name, configMap := c.str(build.With("dockerfile")), c.object(build.With("dockerfileConfigMap"))
	known := Dockerfiles()
	for own := range c.object(module.With("kmm", "build", "dockerfiles")) {
		known = append(known, own)
	}
	switch {
	case (name == "") == (len(configMap) == 0):
		c.errorf("build-dockerfile", build, "dockerfile takes one of "+strings.Join(Dockerfiles(), ", "),
			"a build must have either dockerfile, a name, or dockerfileConfigMap, your own ConfigMap")
	case name != "" && !slices.Contains(known, name):
		hint := "the chart has " + strings.Join(Dockerfiles(), ", ") + "; put your own into tap.kernelModule.kmm.build.dockerfiles"
		if near := Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		c.errorf("build-dockerfile", build.With("dockerfile"), hint, "unknown Dockerfile")
	}
	c.buildArgs(build.With("buildArgs"))
	if c.str(at.With("regexp")) != "" && !strings.Contains(image, "KERNEL_") {
		c.warnf("build-one-image", at.With("containerImage"), "end it in :${KERNEL_FULL_VERSION}",
			"KMM builds it for the first kernel that the regexp matches, and uses it for all others too")
	}
	if strings.HasPrefix(withRegistry(image), "docker.io/kubeshark/") {
		c.warnf("build-push", at.With("containerImage"), "name a repository that you can push to, and its Secret in tap.kernelModule.imageRepoSecret",
			"KMM pushes what it builds there, and this repository is Kubeshark's")
	}
}

// buildArgs: what KMM gives itself, it puts in the place of the values' own.
func (c *check) buildArgs(path Path) {
	for i := range c.list(path) {
		at := path.With(i, "name")
		if name := c.str(at); contains([]string{"KERNEL_FULL_VERSION", "KERNEL_VERSION", "MOD_NAME", "MOD_NAMESPACE"}, name) {
			c.errorf("build-arg", at, "remove it", "KMM sets this argument itself for each kernel, so this value is never used")
		}
	}
}

func (c *check) fileToSign(path Path) {
	if !strings.HasPrefix(c.str(path), "/opt/lib/modules/") {
		c.errorf("sign-file", path, "write /opt/lib/modules/${KERNEL_FULL_VERSION}/pf_ring.ko, or leave filesToSign out",
			"it does not lie below /opt/lib/modules, where KMM looks for modules to load")
	}
}
