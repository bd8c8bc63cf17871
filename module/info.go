package module

// Info is what a kernel module file says about itself.
type Info struct {
	// Name, Version, SrcVersion, Vermagic, License, Description and Author are
	// modinfo's fields of the same names; "" when the file has none.
	Name        string `json:"name"`
	Version     string `json:"version"`
	SrcVersion  string `json:"srcversion"`
	Vermagic    string `json:"vermagic"`
	License     string `json:"license"`
	Description string `json:"description,omitempty"`
	Author      string `json:"author,omitempty"`
	// KernelRelease is vermagic's first word.
	KernelRelease string `json:"kernelRelease"`
	// Arch is the GOARCH name of the ELF machine, or that machine's own name
	// when Go has none.
	Arch string `json:"arch"`
	// Depends are the modules that must be loaded before.
	Depends []string `json:"depends"`
	Aliases []string `json:"aliases"`
	// Retpoline says that it was compiled with protection against Spectre v2, which
	// kernels of 4.15 to 4.19 ask for. RHELVersion is the release of Red Hat's
	// kernel that it was built for.
	Retpoline   bool   `json:"retpoline,omitempty"`
	RHELVersion string `json:"rhelversion,omitempty"`
	// InTree says that the module is part of the kernel's own source.
	InTree     bool        `json:"intree"`
	Parameters []Parameter `json:"parameters"`
	// Symbols are the kernel symbols that the module needs, with the checksum
	// of their version; empty when the kernel was built without MODVERSIONS.
	Symbols []Symbol `json:"symbols,omitempty"`
	// Signed says that a signature is appended; whether a kernel trusts it, only
	// that kernel knows. Signer names the key, as far as the file does.
	Signed bool   `json:"signed"`
	Signer string `json:"signer,omitempty"`
	// Size in bytes, uncompressed.
	Size int64 `json:"size"`
}

// Parameter is one module parameter.
type Parameter struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
}

// Symbol is a kernel symbol with the checksum of its version.
type Symbol struct {
	Name string `json:"name"`
	CRC  uint32 `json:"crc"`
}

// ParameterNames returns the names of i's parameters.
func (i Info) ParameterNames() []string {
	names := make([]string, len(i.Parameters))
	for n, p := range i.Parameters {
		names[n] = p.Name
	}
	return names
}
