package valuesschema

// Supply are the settings of the controller that builds modules in the cluster,
// in auto mode.
type Supply struct {
	// Enabled is nil where the values leave it to source.url; see
	// KernelModule.Supplied.
	Enabled *bool `json:"enabled"`
	// Kernels are kernel releases to build for before a node has them.
	Kernels []string `json:"kernels"`
	// Keep is how long the module of a kernel stays that no node has.
	Keep Duration `json:"keep"`
	// Parallel bounds the builds at one time, Timeout each of them.
	Parallel int      `json:"parallel"`
	Timeout  Duration `json:"timeout"`
	// PFRingVersion is "" for the newest known one that fits the kernel.
	PFRingVersion string `json:"pfringVersion"`
	// SigningKeySecret is "" for a key that the controller makes.
	SigningKeySecret string  `json:"signingKeySecret"`
	Store            Store   `json:"store"`
	Builder          Builder `json:"builder"`

	Image             Image          `json:"image"`
	Resources         Resources      `json:"resources"`
	NodeSelector      StringMap      `json:"nodeSelector"`
	Tolerations       []Toleration   `json:"tolerations"`
	Affinity          map[string]any `json:"affinity"`
	PriorityClassName string         `json:"priorityClassName"`
	RuntimeClassName  string         `json:"runtimeClassName"`
	// RevisionHistoryLimit is nil for Kubernetes' default.
	RevisionHistoryLimit *int32           `json:"revisionHistoryLimit"`
	DNSPolicy            string           `json:"dnsPolicy"`
	DNSConfig            map[string]any   `json:"dnsConfig"`
	ExtraEnv             []map[string]any `json:"extraEnv"`
	ExtraVolumes         []map[string]any `json:"extraVolumes"`
	ExtraVolumeMounts    []map[string]any `json:"extraVolumeMounts"`
	PodSecurityContext   map[string]any   `json:"podSecurityContext"`
	PodAnnotations       StringMap        `json:"podAnnotations"`
	PodLabels            StringMap        `json:"podLabels"`
}

// Types of Store.
const (
	StoreConfigMaps = "configMaps"
	StoreClaim      = "persistentVolumeClaim"
	StoreURL        = "url"
)

// Store says where the controller keeps modules.
type Store struct {
	Type                  string `json:"type"`
	PersistentVolumeClaim Claim  `json:"persistentVolumeClaim"`
	// URL, and how to get at it, are for StoreURL.
	URL               string `json:"url"`
	Region            string `json:"region"`
	Endpoint          string `json:"endpoint"`
	PathStyle         bool   `json:"pathStyle"`
	CredentialsSecret string `json:"credentialsSecret"`
}

// Claim is the chart's own, or ExistingClaim.
type Claim struct {
	Size             string `json:"size"`
	StorageClassName string `json:"storageClassName"`
	ExistingClaim    string `json:"existingClaim"`
}

// Builder are the settings of the Jobs that compile.
type Builder struct {
	// Images are builder images by the recipe's name; "" is the recipe's own.
	Images map[string]string `json:"images"`
	// SourceURL is an archive of PF_RING's source, SourceSHA256 its checksum. Both
	// are "" for the usual place of a known version.
	SourceURL      string            `json:"sourceURL"`
	SourceSHA256   string            `json:"sourceSHA256"`
	CABundle       CABundle          `json:"caBundle"`
	Proxy          Proxy             `json:"proxy"`
	PackageMirrors map[string]string `json:"packageMirrors"`
	PullSecrets    []string          `json:"pullSecrets"`
	Resources      Resources         `json:"resources"`
	NodeSelector   StringMap         `json:"nodeSelector"`
	Tolerations    []Toleration      `json:"tolerations"`
	HostHeaders    bool              `json:"hostHeaders"`
	Script         string            `json:"script"`
}

// Supplied tells whether the controller builds modules in the cluster: in auto
// mode, where the values say so or name no repository.
func (k KernelModule) Supplied() bool {
	if k.Mode == "kmm" {
		return false
	}
	if k.Supply.Enabled != nil {
		return *k.Supply.Enabled
	}
	return k.Source.URL == "" && k.Image == ""
}

// PFRingVersions are those whose source is known by content, newest first.
func PFRingVersions() []string { return []string{"8.9.0", "8.8.0"} }
