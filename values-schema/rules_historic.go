package valuesschema

// HistoricRoot is where Kubeshark has kept its modules: without signatures,
// checksums or architectures.
const HistoricRoot = "https://api.kubeshark.co/kernel-modules"

// checkHistoric recognizes the dialects that Kubeshark's charts have had.
func checkHistoric(c *check) {
	if path := ParsePath("tap.noKernelModule"); c.present(path) {
		c.warnf("historic-no-kernel-module", path, "write tap.kernelModule.enabled: "+map[bool]string{true: "false", false: "true"}[c.boolean(path)],
			"this key belongs to Kubeshark 52.0 and older")
	}
	if path := module.With("image"); c.str(path) != "" {
		c.warnf("historic-image", path, "write tap.kernelModule.source.url: oci://"+withRegistry(c.str(path)),
			"this key belongs to Kubeshark 52.1.0 to 52.3.88; it is used as an oci:// source")
	}
	if path := ParsePath("tap.capabilities.kernelModule"); c.present(path) {
		c.warnf("historic-capabilities", path, "remove it: the agent adds SYS_MODULE by itself. For Kubeshark's workers write tap.securityContext.capabilities.kernelModule",
			"this key belongs to Kubeshark 52.3 and older")
	}
	if c.mode() == "kmm" && c.boolean(module.With("unloadOnDestroy")) {
		c.warnf("unload-ignored", module.With("unloadOnDestroy"), "remove it",
			"ignored in kmm mode: KMM unloads the module when its Module is deleted")
	}
}

// present tells whether the user gave a value that is not null.
func (c *check) present(path Path) bool {
	v, ok := lookup(c.values, path)
	return ok && v != nil
}
