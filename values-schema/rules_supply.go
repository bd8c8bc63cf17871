package valuesschema

import (
	"slices"
	"strings"
)

// sourced tells whether the values name a module repository: the historic image
// is one.
func (c *check) sourced() bool {
	return c.str(module.With("source", "url")) != "" || c.str(module.With("image")) != ""
}

// supplied is KernelModule.Supplied for values that may be wrong.
func (c *check) supplied() bool {
	if on, given := lookup(c.values, module.With("supply", "enabled")); given && on != nil {
		return c.mode() == "auto" && on == true
	}
	return c.mode() == "auto" && !c.sourced()
}

// checkSupply looks at the controller's settings, as far as one says what
// another does not.
func checkSupply(c *check) {
	supply := module.With("supply")
	builder := supply.With("builder")
	for _, key := range []Path{
		supply.With("store", "url"), supply.With("store", "endpoint"), builder.With("sourceURL"), builder.With("proxy", "http"), builder.With("proxy", "https"),
	} {
		c.credentials(key)
	}
	enabled := supply.With("enabled")
	if c.mode() == "kmm" && c.boolean(enabled) {
		c.errorf("supply-mode", enabled, "remove it, or set mode: auto", "the controller supplies auto mode; in kmm mode KMM brings the modules")
	}
	if on, given := lookup(c.values, enabled); given && on == false && c.mode() == "auto" && !c.sourced() {
		c.errorf("supply-or-source", enabled, "set source.url to a module repository, or remove this line",
			"nodes get modules from source.url or from the cluster's own builds, and both are off")
	}
	if !c.supplied() {
		return
	}
	c.store(supply.With("store"))
	c.buildSource(supply)
	if ca := builder.With("caBundle"); c.str(ca.With("configMap")) != "" && c.str(ca.With("secret")) != "" {
		c.errorf("ca-bundle-both", ca, "remove one", "give either configMap or secret")
	}
	pinned, built := c.str(module.With("source", "version")), c.str(supply.With("pfringVersion"))
	if pinned != "" && built != "" && pinned != built {
		c.errorf("supply-version", supply.With("pfringVersion"), "write "+pinned+", or remove one of the two",
			"agents load only PF_RING %s, because of source.version, so this version would never be loaded", pinned)
	}
}

// store: exactly one place to keep modules in.
func (c *check) store(store Path) {
	kind, at := c.str(store.With("type")), store.With("type")
	address, claim := store.With("url"), store.With("persistentVolumeClaim", "existingClaim")
	const two = "modules are stored in one place, and type is %s"
	if kind != StoreURL && c.str(address) != "" {
		c.errorf("supply-store", address, "set store.type: url, or remove the URL", two, kind)
	}
	if kind != StoreClaim && c.str(claim) != "" {
		c.errorf("supply-store", claim, "set store.type: persistentVolumeClaim, or remove the claim", two, kind)
	}
	c.unusedStore(store, kind)
	if kind != StoreURL {
		return
	}
	if c.str(address) == "" {
		c.errorf("supply-store", at, "set store.url, such as s3://my-bucket/pf-ring", "the URL of the bucket or registry is missing")
		return
	}
	c.repositoryURL(address)
	if c.str(store.With("credentialsSecret")) == "" {
		c.storeCredentials(store)
	}
}

// unusedStore warns of what is said of a store that is not used.
func (c *check) unusedStore(store Path, kind string) {
	of := func(what string, keys ...Path) {
		for _, key := range keys {
			if c.str(key) != "" || c.boolean(key) {
				c.warnf("supply-store-unused", key, "remove it", "it is about %s", what)
			}
		}
	}
	claim := store.With("persistentVolumeClaim")
	switch isRegistry := strings.HasPrefix(c.str(store.With("url")), "oci://"); {
	case kind != StoreURL:
		of("a bucket or registry, and store.type is "+kind, store.With("credentialsSecret"), store.With("region"), store.With("endpoint"), store.With("pathStyle"))
	case isRegistry:
		of("a bucket, and store.url is a registry", store.With("region"), store.With("endpoint"), store.With("pathStyle"))
	}
	switch {
	case kind == StoreClaim && c.str(claim.With("existingClaim")) != "":
		of("a claim that the chart makes, and existingClaim is another", claim.With("storageClassName"))
	case kind != StoreClaim:
		of("a claim, and store.type is "+kind, claim.With("storageClassName"))
	}
}

// storeCredentials: what refuses writers without a login, as far as its address
// tells. An S3 service of AWS may know the controller by its service account.
func (c *check) storeCredentials(store Path) {
	address := c.str(store.With("url"))
	const advice = "name a Secret with accessKeyID and secretAccessKey in store.credentialsSecret"
	switch rest, isRegistry := strings.CutPrefix(address, "oci://"); {
	case isRegistry && publicRegistry(rest) && c.str(module.With("imageRepoSecret")) == "":
		c.errorf("supply-store-credentials", store.With("url"), "name a Secret of type kubernetes.io/dockerconfigjson in tap.kernelModule.imageRepoSecret",
			"this registry does not accept a module without a login")
	case !isRegistry && c.str(store.With("endpoint")) != "":
		c.errorf("supply-store-credentials", store.With("url"), advice, "an S3 service other than AWS does not accept a module without a login")
	case strings.HasPrefix(address, "s3://") && len(c.object(module.With("serviceAccount", "annotations"))) == 0:
		c.warnf("supply-store-credentials", store.With("url"), advice+", or an IAM role in serviceAccount.annotations",
			"the controller can write there only with EKS Pod Identity")
	}
}

// publicRegistry tells whether an image's registry is one that takes no push
// without a login.
func publicRegistry(image string) bool {
	host, _, _ := strings.Cut(image, "/")
	for _, name := range []string{"docker.io", "ghcr.io", "quay.io", "gcr.io", "pkg.dev", "azurecr.io", "amazonaws.com", "public.ecr.aws", "registry.gitlab.com"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

// buildSource: an archive is checked by its sha256, or by the content of a
// version that is known.
func (c *check) buildSource(supply Path) {
	version, address, sum := supply.With("pfringVersion"), supply.With("builder", "sourceURL"), supply.With("builder", "sourceSHA256")
	known := c.str(version) == "" || slices.Contains(PFRingVersions(), c.str(version))
	switch {
	case !known && (c.str(address) == "" || c.str(sum) == ""):
		c.errorf("supply-source", version, "set builder.sourceURL and builder.sourceSHA256, or use one of "+strings.Join(PFRingVersions(), ", "),
			"the content of this version is unknown, so its archive cannot be verified")
	case c.str(address) == "" && c.str(sum) != "":
		c.errorf("supply-source", sum, "remove it, or set builder.sourceURL",
			"without builder.sourceURL the source is verified by its content, since the bytes of GitHub's archives can change")
	}
}

// egressOfBuilds: builds fetch packages and PF_RING's source.
func (c *check) egressOfBuilds() {
	builder := module.With("supply", "builder")
	if !c.supplied() || c.str(builder.With("script")) != "" {
		return
	}
	if c.str(builder.With("sourceURL")) == "" {
		c.warnf("egress", builder.With("sourceURL"), "set it to a copy inside the network", "builds fetch PF_RING's source from github.com, and the cluster has no internet access")
	}
	if len(c.object(builder.With("packageMirrors"))) == 0 {
		c.warnf("egress", builder.With("packageMirrors"), "set it to mirrors inside the network, or use builder.images that have the compiler and builder.hostHeaders",
			"builds fetch compiler and kernel headers from the distribution's packages, and the cluster has no internet access")
	}
}

// unusedSource warns of what is said of a repository that no value names. The
// default was one, in charts before 0.2.
func (c *check) unusedSource(source Path) {
	for _, key := range []string{"publicKeys", "publicKeySecret", "credentialsSecret", "endpoint", "region"} {
		at := source.With(key)
		if c.str(at) == "" && len(c.list(at)) == 0 {
			continue
		}
		c.warnf("source-unused", at, "set source.url, or remove it", "it configures the repository at source.url, which is empty")
	}
}
