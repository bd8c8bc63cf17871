package supply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Port is where the controller serves modules by HTTPS, in its pods and its
// Service, and MetricsPort where it serves metrics and probes.
const (
	Port        = 8443
	MetricsPort = 8080
)

// Keys of the objects.
const (
	// CAKey and PublicKeysKey are of the ConfigMap Public: CA certificates as
	// PEM, and minisign public keys, one a line.
	CAKey         = "ca.crt"
	PublicKeysKey = "publicKeys"
	// StatusKey is of the ConfigMap Status.
	StatusKey = "status.json"
	// StoreListName is a key of the ConfigMap Index beside the index: the signed list
	// of all that the store has, in the form of an index.
	StoreListName = "store.json"
	// SigningKeyKey is of the Secret Key, and of supply.signingKeySecret: a
	// minisign secret key without a password.
	SigningKeyKey = "minisign.key"
)

// ManagedBy is the label app.kubernetes.io/managed-by of what the controller
// makes, and Component its label app.kubernetes.io/component.
const (
	ManagedBy = "pfring-controller"
	Component = "supply"
)

// Names are those of a release's objects.
type Names struct {
	// Controller is the name of the Deployment, the service account, the Role,
	// the RoleBinding and, with the namespace and a dot before it, of the ClusterRole.
	Controller string
	// Service serves the modules; its name is also in the certificate.
	Service string
	// Settings, Public, Status and Index are ConfigMaps; the chart makes only
	// the first.
	Settings, Public, Status, Index string
	// Key and CA are Secrets, and Lease is the leader's.
	Key, CA, Lease string

	release, prefix string
}

var serviceName = lazyregexp.New(`^[a-z][a-z0-9-]{0,62}$`)

// NamesOf returns the names for a release. All but the Service's may be 253
// characters long and have dots, as release names may. A Service's name is
// shorter and begins with a letter: where the release's does not fit in, 12 hex
// digits of its sha256 stand for it.
func NamesOf(release string) Names { return NamesWith(release, "") }

// NamesWith are the names for a release that begin with prefix instead of
// RELEASE-pfring, as nameOverride and fullnameOverride make them; "" is that.
func NamesWith(release, prefix string) Names {
	of, usual := prefix, release+"-pfring"
	if prefix == "" || prefix == usual {
		of, prefix = release, usual
	}
	n := Names{
		Controller: prefix + "-controller", Service: prefix + "-supply", Settings: prefix + "-supply-config",
		Public: prefix + publicSuffix, Status: prefix + "-supply-status", Index: prefix + "-supply-index",
		Key: prefix + "-supply-key", CA: prefix + "-supply-ca", Lease: prefix + "-supply", release: release, prefix: prefix,
	}
	if !serviceName().MatchString(n.Service) {
		n.Service = "pfring-supply-" + digest(of, 12)
	}
	return n
}

const publicSuffix = "-supply"

// PrefixOf is the prefix of a release's names, from that of the ConfigMap Public.
func PrefixOf(public string) string { return strings.TrimSuffix(public, publicSuffix) }

// PrefixFor is the prefix that a release's values give.
func PrefixFor(release string, k valuesschema.KernelModule) string {
	switch {
	case k.FullnameOverride != "":
		return k.FullnameOverride
	case k.NameOverride != "":
		name := release + "-" + k.NameOverride
		return strings.TrimSuffix(name[:min(len(name), maxName)], "-")
	}
	return release + "-pfring"
}

// maxName is where the chart cuts the name of its objects.
const maxName = 63

// ModuleOf is the name of the ConfigMap of a module whose file has that sha256,
// in hex.
func (n Names) ModuleOf(sha256 string) string {
	return n.prefix + moduleInfix + sha256[:min(16, len(sha256))]
}

// IsModule tells whether a ConfigMap of that name holds a module.
func (n Names) IsModule(name string) bool { return strings.HasPrefix(name, n.prefix+moduleInfix) }

const moduleInfix = "-module-"

// ServiceURL is where agents find the modules.
func (n Names) ServiceURL(namespace string) string {
	return fmt.Sprintf("https://%s.%s.svc:%d", n.Service, namespace, Port)
}

// Labels are those of all that the controller makes.
func (n Names) Labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name": "kubeshark-pfring", "app.kubernetes.io/instance": n.release,
		"app.kubernetes.io/component": Component, "app.kubernetes.io/managed-by": ManagedBy,
	}
}

func digest(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}
