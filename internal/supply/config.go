package supply

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Where the chart puts what the controller reads, by mounts into its container.
const (
	ConfigFile = "/etc/pfring-controller/config.yaml"
	// SourceCADir has the ConfigMap or Secret of source.caBundle, SourceKeysDir
	// the Secret of source.publicKeySecret and SourceCredentialsDir that of
	// source.credentialsSecret.
	SourceCADir          = "/etc/pfring-controller/source-ca"
	SourceKeysDir        = "/etc/pfring-controller/source-keys"
	SourceCredentialsDir = "/etc/pfring-controller/source-credentials" // #nosec G101 -- a path
	// SourceProxyDir has the Secret of source.proxy.secret. source.volume is mounted
	// at the path of source.url.
	SourceProxyDir = "/etc/pfring-controller/source-proxy"
	// DockerConfigDir has the Secret imageRepoSecret (.dockerconfigjson).
	DockerConfigDir = "/etc/pfring-controller/docker"
	// BuilderCADir has the ConfigMap or Secret of supply.builder.caBundle.
	BuilderCADir = "/etc/pfring-controller/builder-ca"
	// StoreDir has the volume of a store of type persistentVolumeClaim, and
	// StoreCredentialsDir the Secret of supply.store.credentialsSecret.
	StoreDir            = "/var/lib/pfring-controller"
	StoreCredentialsDir = "/etc/pfring-controller/store-credentials" // #nosec G101 -- a path
	// DefaultCAKey is the key of a CA bundle where the values name none.
	DefaultCAKey = "ca.crt"
)

// Config is the controller's settings file: parts of the values, with the same
// keys.
type Config struct {
	Supply valuesschema.Supply `json:"supply"`
	// Source is the module repository whose modules need no build; without a URL
	// there is none.
	Source          valuesschema.Source `json:"source"`
	ImageRepoSecret string              `json:"imageRepoSecret"`
}

// What the values leave open.
const (
	defaultKeep     = 30 * 24 * time.Hour
	defaultTimeout  = 30 * time.Minute
	defaultParallel = 2
)

// ParseConfig reads a settings file. A key that is not known is an error.
func ParseConfig(data []byte) (*Config, error) {
	var c Config
	if err := yaml.UnmarshalStrict(bytes.TrimSpace(data), &c); err != nil {
		return nil, fmt.Errorf("cannot read the controller's settings: %w", err)
	}
	s := &c.Supply
	s.Keep = cmp.Or(s.Keep, valuesschema.Duration(defaultKeep))
	s.Timeout = cmp.Or(s.Timeout, valuesschema.Duration(defaultTimeout))
	s.Parallel = cmp.Or(s.Parallel, defaultParallel)
	s.Store.Type = cmp.Or(s.Store.Type, valuesschema.StoreConfigMaps)
	switch {
	case s.Keep < 0 || s.Timeout < 0 || s.Parallel < 0:
		return nil, fmt.Errorf("cannot use the controller's settings: supply.keep, supply.timeout and supply.parallel must be positive")
	case s.Store.Type == valuesschema.StoreURL && s.Store.URL == "":
		return nil, fmt.Errorf("cannot use the controller's settings: supply.store.type url requires supply.store.url")
	case s.Store.Type != valuesschema.StoreURL && s.Store.Type != valuesschema.StoreClaim && s.Store.Type != valuesschema.StoreConfigMaps:
		return nil, fmt.Errorf("invalid supply.store.type %q: must be configMaps, persistentVolumeClaim or url", s.Store.Type)
	}
	return &c, nil
}

// Serves tells whether agents fetch modules from the controller's Service. They
// read a store of type url themselves.
func (c *Config) Serves() bool { return c.Supply.Store.Type != valuesschema.StoreURL }
