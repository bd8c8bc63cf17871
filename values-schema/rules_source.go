package valuesschema

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	sources "github.com/kubeshark/kubeshark-pfring/module"
)

var (
	// What else a parameter's name has, the schema refuses.
	parameterName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

	// A parameter of a query, in a URL or in a URL within JSON.
	queryValue = lazyregexp.New(`([?&][^=&?\s"\\]+=)[^&\s"\\]+`)
	// Names of such parameters that carry a secret, as presigned URLs have.
	secretName = lazyregexp.New(`(?i)token|secret|sig|passw|pwd|credential|auth|key`)

	userinfo = lazyregexp.New(`(://[^\s/@"]*)@`)
)

// hideUserinfo removes what may be secret from any URL in s: user name, password,
// and the value of each parameter of its query.
func hideUserinfo(s string) string {
	s = userinfo().ReplaceAllString(s, "://…@")
	if !strings.Contains(s, "://") {
		return s
	}
	return queryValue().ReplaceAllString(s, "$1…")
}

// checkSource looks at the module repository, which auto mode uses.
func checkSource(c *check) {
	source := module.With("source")
	for _, key := range []Path{source.With("url"), source.With("endpoint"), source.With("proxy", "http"), source.With("proxy", "https")} {
		c.credentials(key)
	}
	if c.mode() != "auto" {
		return
	}
	c.sourceURL(source)
	if !c.sourced() {
		c.unusedSource(source)
	} else {
		c.verifiable(source)
	}
	if ca := source.With("caBundle"); c.str(ca.With("configMap")) != "" && c.str(ca.With("secret")) != "" {
		c.errorf("ca-bundle-both", ca, "remove one", "give either configMap or secret")
	}
}

func (c *check) credentials(path Path) {
	u, err := url.Parse(c.str(path))
	if err != nil {
		return
	}
	for name := range u.Query() {
		if secretName().MatchString(name) {
			c.errorf("url-credentials", path, "put them into a Secret and name it in source.credentialsSecret",
				"the URL's query contains a secret, which everybody who can read pods can see, and which expires in a presigned URL")
			return
		}
	}
	if u.User != nil {
		hint := "put them into a Secret and name it in source.credentialsSecret"
		switch path[len(path)-2] {
		case "proxy":
			hint = "put them into a Secret, under the keys username and password, and name it in source.proxy.secret"
			if !path.hasPrefix(module.With("source")) {
				hint = "let the proxy admit the builds by address"
			}
		case "store":
			hint = "put them into a Secret and name it in store.credentialsSecret"
		case "builder":
			hint = "let the server admit the builds by address"
		}
		c.errorf("url-credentials", path, hint, "the URL contains credentials, which everybody who can read pods can see")
	}
}

// sourceURL looks at the repository's URL and at the volume.
func (c *check) sourceURL(source Path) {
	path, volume := source.With("url"), source.With("volume")
	c.repositoryURL(path)
	isFile := strings.HasPrefix(c.str(path), "file://")
	switch given := len(c.object(volume)) > 0; {
	case isFile && !given:
		c.errorf("source-volume-missing", path, "add source.volume, such as {persistentVolumeClaim: {claimName: modules}}", "file:// requires a volume to read from")
	case !isFile && given:
		c.warnf("source-volume-unused", volume, "write source.url: file:///modules, or remove the volume", "only a file:// source reads the volume")
	}
}

// repositoryURL holds a URL to the form of its scheme. The schema refuses other
// schemes.
func (c *check) repositoryURL(path Path) {
	text := c.str(path)
	if s, ok := sources.SchemeOf(text); ok && !s.Valid(text) {
		c.errorf("source-url", path, "such as "+s.Example, "must be %s%s", s.Form, s.Rule)
	}
}

// verifiable warns when the source cannot pass the verification asked for: the
// nodes then stay on libpcap with reason source-unsigned.
func (c *check) verifiable(source Path) {
	verify, at := c.str(source.With("verify")), source.With("verify")
	if verify == "none" {
		return
	}
	address := strings.TrimSuffix(c.str(source.With("url")), "/")
	image := c.str(module.With("image"))
	if address == "" {
		address = HistoricRoot // image takes its place
	}
	const nodes = "; the nodes stay on libpcap, reason source-unsigned"
	switch {
	case address == HistoricRoot && image != "":
		c.warnf("verify-impossible", at, "set source.verify: none if you trust the image, or source.url to a signed repository and source.publicKeys",
			"the historic image %s has neither checksums nor signatures%s", image, nodes)
	case address == HistoricRoot:
		c.warnf("verify-impossible", at, "set source.url to a signed repository and source.publicKeys, or source.verify: none if you trust this one",
			"%s has neither checksums nor signatures%s", HistoricRoot, nodes)
	case verify == "signature" && len(c.list(source.With("publicKeys"))) == 0 && c.str(source.With("publicKeySecret")) == "":
		c.warnf("verify-impossible", at, "set source.publicKeys or source.publicKeySecret, or source.verify: checksum",
			"a signature cannot be verified without a public key%s", nodes)
	}
}

// checkEgress: internetConnectivity false says that nothing outside is reached.
func checkEgress(c *check) {
	if v, ok := c.values["internetConnectivity"]; !ok || v != false {
		return
	}
	const advice, where = "set it to a mirror inside the network", "the cluster has no internet access, and %s is on the internet"
	url, image, mappings := module.With("source", "url"), module.With("image"), module.With("kernelMappings")
	switch c.mode() {
	case "auto":
		c.egressOfBuilds()
		if c.str(url) != "" && !strings.HasPrefix(c.str(url), HistoricRoot) {
			return
		}
		if text := c.str(image); text != "" && strings.HasPrefix(withRegistry(text), "docker.io/") {
			c.warnf("egress", image, advice, where, "the registry docker.io")
		}
		if c.str(image) == "" && c.str(url) != "" {
			c.warnf("egress", url, advice, where, HistoricRoot)
		}
	case "kmm":
		for i := range c.list(mappings) {
			at := mappings.With(i, "containerImage")
			if text := c.str(at); text != "" && strings.HasPrefix(withRegistry(text), "docker.io/") {
				c.warnf("egress", at, advice, where, "the registry docker.io")
			}
		}
	}
}

// slotBytes is what PF_RING takes of kernel memory for each slot of a ring: the
// packet's buffer and its header, for a ring that captures whole packets of 1536
// bytes. manySlots is where the cost is worth a word: some 100 MiB for each ring.
const (
	slotBytes = 1592
	manySlots = 65536
)

// checkParameters warns of parameters that PF_RING is not known to have, and of
// what rings cost.
func checkParameters(c *check) {
	path := module.With("parameters")
	if v, ok := lookup(c.values, path.With("min_num_slots")); ok {
		if n, isNumber := asFloat(v); isNumber && n >= manySlots && n <= math.MaxUint32 {
			c.warnf("ring-memory", path.With("min_num_slots"), "keep it below 65536, unless the nodes have the memory for it",
				"each ring uses %.0f MiB of kernel memory on every node, and each worker opens several", n*slotBytes/(1<<20))
		}
	}
	known := c.schema.keys(path)
	for _, name := range slices.Sorted(maps.Keys(c.object(path))) {
		if c.full() {
			c.dropped(Warning)
			continue
		}
		if contains(known, name) || !parameterName().MatchString(name) {
			continue
		}
		hint := "known: " + strings.Join(known, ", ")
		if near := Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		c.warnf("parameter-unknown", path.With(name), hint, "unknown PF_RING parameter; the kernel ignores unknown parameters")
	}
}

// asFloat reads a number of the values, or one in quotes.
func asFloat(v any) (float64, bool) {
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	return n, err == nil
}
