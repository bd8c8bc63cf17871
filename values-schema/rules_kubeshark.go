package valuesschema

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// checkKubeshark looks at what Kubeshark's own chart makes of the same values.
func checkKubeshark(c *check) {
	if c.mode() == "" {
		return
	}
	at := ParsePath("tap.packetCapture")
	switch backend := c.str(at); {
	case kubeshark.OtherBackend(backend):
		c.warnf("capture-backend", at, "write best or pf_ring, or tap.kernelModule.enabled: false",
			"Kubeshark's workers then capture without PF_RING, so they do not use the module")
	case backend != "" && !slices.Contains(kubeshark.Backends(), backend):
		c.warnf("capture-backend", at, "write "+cmp.Or(Nearest(backend, kubeshark.Backends()), "best or pf_ring"), "no release of Kubeshark is known to have this capture backend, but only %s",
			strings.Join(kubeshark.Backends(), ", "))
	}
	c.secondLoader()
}

// secondLoader: the key that switches this chart on made Kubeshark to 52.3.88 load
// a module itself.
func (c *check) secondLoader() {
	at := module.With("enabled")
	if given, ok := lookup(c.doc.user, at); !ok || given != true {
		return
	}
	const hint = "use a separate values file for each chart, and set tap.kernelModule.enabled: false in Kubeshark's"
	tag := ParsePath("tap.docker.tag")
	switch v, _ := kubeshark.Parse(c.str(tag)); {
	case v.MayLoad():
		c.errorf("second-loader", at, hint, "with it Kubeshark's own chart (%s, by tap.docker.tag) loads a module too, unverified, by %s", v, kubeshark.Loader)
	case !v.Known() && c.str(module.With("image")) != "":
		c.warnf("second-loader", at, hint, "with it and tap.kernelModule.image Kubeshark's own chart of 52.1.0 to 52.3.88 loads a module too, unverified, by %s", kubeshark.Loader)
	}
}
