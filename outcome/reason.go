package outcome

// Reason is the stable, kebab-case code of why a node has the backend it has.
type Reason string

// Group sorts reasons by where their cause lies.
type Group string

// The groups, in the order in which a load meets them.
const (
	GroupGood       Group = "good"
	GroupRepository Group = "repository"
	GroupFile       Group = "file"
	GroupKernel     Group = "kernel"
	GroupLater      Group = "later"
)

// The reason codes. They are a contract: never renamed, never given another
// meaning.
const (
	Loaded        Reason = "loaded"
	AlreadyLoaded Reason = "already-loaded"
	Replaced      Reason = "replaced"

	NoModuleForKernel  Reason = "no-module-for-kernel"
	SourceUnreachable  Reason = "source-unreachable"
	SourceForbidden    Reason = "source-forbidden"
	SourceTLSUntrusted Reason = "source-tls-untrusted"
	SourceTimeout      Reason = "source-timeout"
	SourceInvalid      Reason = "source-invalid"
	SourceUnsigned     Reason = "source-unsigned"
	SignatureInvalid   Reason = "signature-invalid"
	IndexExpired       Reason = "index-expired"
	IndexRolledBack    Reason = "index-rolled-back"
	VersionRolledBack  Reason = "version-rolled-back"
	DigestMismatch     Reason = "digest-mismatch"
	TooLarge           Reason = "too-large"

	NotAModule  Reason = "not-a-module"
	Truncated   Reason = "truncated"
	WrongModule Reason = "wrong-module"
	WrongArch   Reason = "wrong-arch"
	WrongKernel Reason = "wrong-kernel"

	NoModuleSupport    Reason = "no-module-support"
	CapabilityMissing  Reason = "capability-missing"
	SeccompDenied      Reason = "seccomp-denied"
	SELinuxDenied      Reason = "selinux-denied"
	LockedDown         Reason = "locked-down"
	SignatureRequired  Reason = "signature-required"
	ModulesDisabled    Reason = "modules-disabled"
	SymbolMismatch     Reason = "symbol-mismatch"
	BadParameter       Reason = "bad-parameter"
	InitFailed         Reason = "init-failed"
	KernelRejected     Reason = "kernel-rejected"
	DependencyMissing  Reason = "dependency-missing"
	OtherVersionLoaded Reason = "other-version-loaded"
	OtherBuild         Reason = "other-build"
	OtherParameters    Reason = "other-parameters"
	NotUsable          Reason = "not-usable"

	WaitTimeout Reason = "wait-timeout"
	ModuleGone  Reason = "module-gone"
	UnloadBusy  Reason = "unload-busy"
	Disabled    Reason = "disabled"
	Internal    Reason = "internal"
)

// Info tells a person about a reason.
type Info struct {
	Reason Reason
	Group  Group
	// Cause is one sentence that says what the code means.
	Cause string
	// Remedy is one sentence that says what to do; empty for good reasons.
	Remedy string
}

// Good reports whether the reason says that PF_RING is usable on the node.
func (r Reason) Good() bool {
	info, ok := Describe(r)
	return ok && info.Group == GroupGood
}

// Describe returns what is known of r; false for a code of a newer version.
func Describe(r Reason) (Info, bool) {
	for _, info := range Reasons() {
		if info.Reason == r {
			return info, true
		}
	}
	return Info{}, false
}

// Reasons lists every reason code, in the order of the contract.
func Reasons() []Info {
	return []Info{
		{Loaded, GroupGood, "The module was loaded and answers.", ""},
		{AlreadyLoaded, GroupGood, "The wanted version was already loaded when the agent started.", ""},
		{Replaced, GroupGood, "Another, unused version was replaced by the wanted one.", ""},

		{NoModuleForKernel, GroupRepository, "The repository has no module for this kernel release and architecture.", "Build PF_RING for it into the repository with `pfring module build --repository DIR`, or use a kernel that `pfring compatibility` lists as supported."},
		{SourceUnreachable, GroupRepository, "The repository could not be reached.", "Check DNS, egress rules and source.proxy from the node; `helm test` tries it from inside the cluster."},
		{SourceForbidden, GroupRepository, "The repository refused the credentials, or requires some.", "Check source.credentialsSecret, the service account's cloud role and the bucket's or registry's policy."},
		{SourceTLSUntrusted, GroupRepository, "The repository's certificate is not trusted.", "Put the CA that signed it into source.caBundle."},
		{SourceTimeout, GroupRepository, "The repository did not respond in time.", "Check bandwidth and proxies between node and repository, or mirror the modules nearby with `pfring module mirror`."},
		{SourceInvalid, GroupRepository, "What the repository delivered is not a module index or is malformed.", "Check source.url, and that index.json was made by `pfring module index`."},
		{SourceUnsigned, GroupRepository, "The repository cannot be verified in the way source.verify asks for.", "Sign the index with `pfring module sign` and set source.publicKeys, or explicitly set source.verify to a weaker level."},
		{SignatureInvalid, GroupRepository, "The index is not signed by any of the configured public keys.", "Compare source.publicKeys with the key that signs the repository; do not load a module that you cannot account for."},
		{IndexExpired, GroupRepository, "The signed index has expired.", "Publish a new one with `pfring module index` and `pfring module sign`, and check the node's clock."},
		{IndexRolledBack, GroupRepository, "The index is older than source.minSerial allows, or than one that the node has seen from the same key.", "Publish the newest index, or find out who restored an old one. To use the older one, pin source.version."},
		{VersionRolledBack, GroupRepository, "The repository offers an older PF_RING than the node has loaded from the same key.", "Publish the newer version again, or pin source.version to load the older one."},
		{DigestMismatch, GroupRepository, "The module's bytes do not match the index.", "Run `pfring module index` again after changing files. If the files were not changed on purpose, treat the repository as tampered with."},
		{TooLarge, GroupRepository, "The file is larger than the index says, or than the agent accepts.", "Check what is stored at the path; strip debug sections from the module."},

		{NotAModule, GroupFile, "The file is not a kernel module.", "Check what is stored at the path: it may be an error page or an archive."},
		{Truncated, GroupFile, "The module is shorter than its headers say.", "Upload it again: it was truncated."},
		{WrongModule, GroupFile, "The file is another kernel module.", "Store pf_ring.ko at that path."},
		{WrongArch, GroupFile, "The module was built for another architecture.", "Store the module under the architecture it was built for."},
		{WrongKernel, GroupFile, "The module was built for another kernel release.", "Build it against the headers of this node's release."},

		{NoModuleSupport, GroupKernel, "This kernel was built without support for loadable modules.", "Nothing can be loaded on it: use another node image, or leave the node on libpcap."},
		{CapabilityMissing, GroupKernel, "The container lacks the effective capability SYS_MODULE.", "Run the pod as uid 0 with SYS_MODULE. Look for a policy engine that drops the capability."},
		{SeccompDenied, GroupKernel, "A seccomp profile refuses init_module.", "Use the profile RuntimeDefault with SYS_MODULE added, or one that allows init_module."},
		{SELinuxDenied, GroupKernel, "SELinux does not allow the container's type to load modules.", "Run the load container as spc_t (the chart's default), or allow module_load to its type."},
		{LockedDown, GroupKernel, "Kernel lockdown, mostly from Secure Boot, refuses an unsigned module.", "Sign the module with a key that the machine trusts (docs: Secure Boot), or turn lockdown off."},
		{SignatureRequired, GroupKernel, "The kernel loads only modules that are signed with a key it trusts.", "Sign the module with an enrolled key: `pfring module sign-kernel`."},
		{ModulesDisabled, GroupKernel, "kernel.modules_disabled is 1: no module can be loaded until the next boot.", "Remove the sysctl and reboot the node."},
		{SymbolMismatch, GroupKernel, "The module requires a symbol that this kernel lacks or has in another version.", "Rebuild it against exactly this kernel's headers."},
		{BadParameter, GroupKernel, "The module refused a parameter.", "Correct tap.kernelModule.parameters."},
		{InitFailed, GroupKernel, "The module's own initialization failed.", "Read the node's kernel log (dmesg) for PF_RING's message."},
		{KernelRejected, GroupKernel, "The kernel refused the module for a reason that could not be narrowed down.", "Read the node's kernel log (dmesg) for the cause."},
		{DependencyMissing, GroupKernel, "The module depends on another kernel module that is not loaded.", "Load that module on the node first, or build PF_RING without the dependency."},
		{OtherVersionLoaded, GroupKernel, "Another version of PF_RING is loaded and was left in place.", "Set replaceLoaded to let the agent replace it when unused, or pin source.version to it."},
		{OtherBuild, GroupKernel, "Only another build is available: one for another build of the kernel release, or a loaded module of the same version with other content.", "Build the module against this kernel's own headers; if another build is loaded, set replaceLoaded to let the agent replace it when unused."},
		{OtherParameters, GroupKernel, "The module is loaded with other parameters than tap.kernelModule.parameters.", "Set replaceLoaded to let the agent load it again when unused, or unload it while nothing captures."},
		{NotUsable, GroupKernel, "The module is loaded but /proc/net/pf_ring/info does not answer.", "Unload it and read the node's kernel log (dmesg)."},

		{WaitTimeout, GroupLater, "The module did not appear before waitTimeout.", "Run `pfring status` to see what KMM is waiting for on this node."},
		{ModuleGone, GroupLater, "The module was loaded and has been unloaded since.", "Find out who unloaded it, then run `pfring retry`."},
		{UnloadBusy, GroupLater, "The module could not be unloaded because rings are still open.", "Stop the capture on this node first."},
		{Disabled, GroupLater, "The values disable PF_RING.", "Set tap.kernelModule.enabled to true to use it."},
		{Internal, GroupLater, "The agent itself failed.", "Report it together with the agent's log."},
	}
}
