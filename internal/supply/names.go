package supply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
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
	// the RoleBinding and, with the namespace before it, of the ClusterRole.
	Controller string
	// Service serves the modules; its name is also in the certificate.
	Service string
	// Settings, Public, Status and Index are ConfigMaps; the chart makes only
	// the first.
	Settings, Public, Status, Index string
	// Key and CA are Secrets, and Lease is the leader's.
	Key, CA, Lease string

	release string
}

var serviceName = lazyregexp.New(`^[a-z][a-z0-9-]{0,62}$`)

// NamesOf returns the names for a release. All but the Service's may be 253
// characters long and have dots, as release names may. A Service's name is
// shorter and begins with a letter: where the release's does not fit in, 12 hex
// digits of its sha256 stand for it.
func NamesOf(release string) Names {
	base := release + "-pfring"
	n := Names{
		Controller: base + "-controller", Service: base + "-supply", Settings: base + "-supply-config",
		Public: base + "-supply", Status: base + "-supply-status", Index: base + "-supply-index",
		Key: base + "-supply-key", CA: base + "-supply-ca", Lease: base + "-supply", release: release,
	}
	if !serviceName().MatchString(n.Service) {
		n.Service = "pfring-supply-" + digest(release, 12)
	}
	return n
}

// ModuleOf is the name of the ConfigMap of a module whose file has that sha256,
// in hex.
func (n Names) ModuleOf(sha256 string) string {
	return n.release + "-pfring-module-" + sha256[:min(16, len(sha256))]
}

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
