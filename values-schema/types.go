package valuesschema

// Values are the keys that this project reads, typed. What an older or a newer
// Kubernetes may say in a volume source or a node selector term is left as it
// is.
type Values struct {
	InternetConnectivity *bool  `json:"internetConnectivity"`
	Global               Global `json:"global"`
	Tap                  Tap    `json:"tap"`
}

// Global are values that an umbrella chart hands to all its charts.
type Global struct {
	ImageRegistry string `json:"imageRegistry"`
	// ImagePullSecrets are names, or maps with a name.
	ImagePullSecrets []any `json:"imagePullSecrets"`
}

// Tap holds the keys shared with Kubeshark, and this project's own block.
type Tap struct {
	NoKernelModule    *bool             `json:"noKernelModule"`
	Docker            Docker            `json:"docker"`
	NodeSelectorTerms any               `json:"nodeSelectorTerms"`
	Tolerations       WorkerTolerations `json:"tolerations"`
	IgnoreTainted     bool              `json:"ignoreTainted"`
	PacketCapture     string            `json:"packetCapture"`
	Labels            StringMap         `json:"labels"`
	Annotations       StringMap         `json:"annotations"`
	Capabilities      Capabilities      `json:"capabilities"`
	SecurityContext   SecurityContext   `json:"securityContext"`
	KernelModule      KernelModule      `json:"kernelModule"`
}

// Docker says where images come from.
type Docker struct {
	Registry         string   `json:"registry"`
	ImagePullPolicy  string   `json:"imagePullPolicy"`
	ImagePullSecrets []string `json:"imagePullSecrets"`
}

// WorkerTolerations are those of Kubeshark's workers.
type WorkerTolerations struct {
	Workers []Toleration `json:"workers"`
}

// Toleration is that of a Pod.
type Toleration struct {
	Key               string `json:"key"`
	Operator          string `json:"operator"`
	Value             string `json:"value"`
	Effect            string `json:"effect"`
	TolerationSeconds *int64 `json:"tolerationSeconds"`
}

// SecurityContext is where newer charts keep the capability lists.
type SecurityContext struct {
	Capabilities Capabilities `json:"capabilities"`
}

// Capabilities are Linux capabilities without CAP_.
type Capabilities struct {
	KernelModule []string `json:"kernelModule"`
}

// KernelModule is tap.kernelModule.
type KernelModule struct {
	NameOverride     string          `json:"nameOverride"`
	FullnameOverride string          `json:"fullnameOverride"`
	Enabled          bool            `json:"enabled"`
	Mode             string          `json:"mode"`
	Image            string          `json:"image"`
	OnUnavailable    string          `json:"onUnavailable"`
	WaitTimeout      Duration        `json:"waitTimeout"`
	ReplaceLoaded    bool            `json:"replaceLoaded"`
	UnloadOnDestroy  bool            `json:"unloadOnDestroy"`
	Parameters       StringMap       `json:"parameters"`
	Source           Source          `json:"source"`
	Supply           Supply          `json:"supply"`
	KernelMappings   []KernelMapping `json:"kernelMappings"`
	ImageRepoSecret  string          `json:"imageRepoSecret"`
	KMM              KMM             `json:"kmm"`
	Agent            Agent           `json:"agent"`
	ServiceAccount   ServiceAccount  `json:"serviceAccount"`
	Metrics          Metrics         `json:"metrics"`
	NetworkPolicy    NetworkPolicy   `json:"networkPolicy"`
	OpenShift        OpenShift       `json:"openshift"`
	StateFile        string          `json:"stateFile"`
	Cache            Cache           `json:"cache"`
}

// Cache is what a node keeps of its module repository.
type Cache struct {
	Enabled  *bool  `json:"enabled"`
	HostPath string `json:"hostPath"`
}

// Source is the module repository of auto mode.
type Source struct {
	URL               string         `json:"url"`
	Verify            string         `json:"verify"`
	PublicKeys        []string       `json:"publicKeys"`
	PublicKeySecret   string         `json:"publicKeySecret"`
	Version           string         `json:"version"`
	MinSerial         int64          `json:"minSerial"`
	Region            string         `json:"region"`
	Endpoint          string         `json:"endpoint"`
	PathStyle         bool           `json:"pathStyle"`
	CredentialsSecret string         `json:"credentialsSecret"`
	CABundle          CABundle       `json:"caBundle"`
	Proxy             SourceProxy    `json:"proxy"`
	Volume            map[string]any `json:"volume"`
}

// CABundle names the ConfigMap or Secret, and the key in it.
type CABundle struct {
	ConfigMap string `json:"configMap"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
}

// Proxy is as HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
type Proxy struct {
	HTTP  string `json:"http"`
	HTTPS string `json:"https"`
	No    string `json:"no"`
}

// SourceProxy is Proxy with the Secret that holds username and password for it.
type SourceProxy struct {
	HTTP   string `json:"http"`
	HTTPS  string `json:"https"`
	No     string `json:"no"`
	Secret string `json:"secret"`
}

// KernelMapping says which image has the module for which kernels.
type KernelMapping struct {
	Literal               string       `json:"literal"`
	Regexp                string       `json:"regexp"`
	ContainerImage        string       `json:"containerImage"`
	InTreeModulesToRemove []string     `json:"inTreeModulesToRemove"`
	RegistryTLS           *RegistryTLS `json:"registryTLS"`
	Build                 *Build       `json:"build"`
	Sign                  *Sign        `json:"sign"`
}

// RegistryTLS loosens how KMM speaks to a registry.
type RegistryTLS struct {
	Insecure              bool `json:"insecure"`
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify"`
}

// Name refers to an object of the release's namespace.
type Name struct {
	Name string `json:"name"`
}

// Build lets KMM build the image.
type Build struct {
	// Dockerfile names one of the chart or of KMM.Build; the chart makes the
	// ConfigMap then.
	Dockerfile           string            `json:"dockerfile"`
	DockerfileConfigMap  Name              `json:"dockerfileConfigMap"`
	BuildArgs            []BuildArg        `json:"buildArgs"`
	Secrets              []Name            `json:"secrets"`
	BaseImageRegistryTLS *RegistryTLS      `json:"baseImageRegistryTLS"`
	KanikoParams         *Kaniko           `json:"kanikoParams"`
	Selector             map[string]string `json:"selector"`
}

// BuildArg is an argument of the Dockerfile.
type BuildArg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Kaniko says which kaniko builds.
type Kaniko struct {
	Tag string `json:"tag"`
}

// Sign lets KMM sign the modules of the image.
type Sign struct {
	KeySecret                Name         `json:"keySecret"`
	CertSecret               Name         `json:"certSecret"`
	UnsignedImage            string       `json:"unsignedImage"`
	UnsignedImageRegistryTLS *RegistryTLS `json:"unsignedImageRegistryTLS"`
	FilesToSign              []string     `json:"filesToSign"`
}

// KMM are the settings of the Module resource.
type KMM struct {
	ModuleName         string    `json:"moduleName"`
	ServiceAccountName string    `json:"serviceAccountName"`
	Selector           StringMap `json:"selector"`
	Version            string    `json:"version"`
	// ImagePullPolicy is "" where KMM's own default holds, and
	// ImageRebuildTriggerGeneration 0 where it is left out.
	ImagePullPolicy               string   `json:"imagePullPolicy"`
	ImageRebuildTriggerGeneration int      `json:"imageRebuildTriggerGeneration"`
	Modprobe                      Modprobe `json:"modprobe"`
	// Build is for every mapping that builds, Sign for those without their own.
	Build BuildDefaults `json:"build"`
	Sign  SignDefaults  `json:"sign"`
}

// Modprobe says how KMM's worker calls modprobe.
type Modprobe struct {
	Args ModprobeArgs `json:"args"`
}

// ModprobeArgs are arguments before the module's name.
type ModprobeArgs struct {
	Load   []string `json:"load"`
	Unload []string `json:"unload"`
}

// BuildDefaults are what mappings that build have in common.
type BuildDefaults struct {
	// Dockerfiles are texts by name.
	Dockerfiles map[string]string `json:"dockerfiles"`
	BuildArgs   []BuildArg        `json:"buildArgs"`
	Secrets     []Name            `json:"secrets"`
}

// SignDefaults name the Secrets of the key (key) and the certificate (cert).
type SignDefaults struct {
	KeySecret  string `json:"keySecret"`
	CertSecret string `json:"certSecret"`
}

// Agent is the node agent.
type Agent struct {
	Image         Image     `json:"image"`
	Resources     Resources `json:"resources"`
	InitResources Resources `json:"initResources"`
	// Tolerations are nil where those of Kubeshark's workers apply, and empty for none.
	Tolerations []Toleration `json:"tolerations"`
	// Affinity is nil where that of Kubeshark's workers applies, and empty for none.
	Affinity             map[string]any   `json:"affinity"`
	RuntimeClassName     string           `json:"runtimeClassName"`
	UpdateStrategy       map[string]any   `json:"updateStrategy"`
	RevisionHistoryLimit *int32           `json:"revisionHistoryLimit"`
	HostNetwork          bool             `json:"hostNetwork"`
	DNSPolicy            string           `json:"dnsPolicy"`
	DNSConfig            map[string]any   `json:"dnsConfig"`
	ExtraEnv             []map[string]any `json:"extraEnv"`
	ExtraVolumes         []map[string]any `json:"extraVolumes"`
	ExtraVolumeMounts    []map[string]any `json:"extraVolumeMounts"`
	PodSecurityContext   map[string]any   `json:"podSecurityContext"`
	NodeSelector         StringMap        `json:"nodeSelector"`
	PriorityClassName    string           `json:"priorityClassName"`
	LogLevel             string           `json:"logLevel"`
	PodAnnotations       StringMap        `json:"podAnnotations"`
	PodLabels            StringMap        `json:"podLabels"`
	SELinuxType          string           `json:"seLinuxType"`
}

// Image names the agent's image.
type Image struct {
	Registry   string `json:"registry"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
	PullPolicy string `json:"pullPolicy"`
}

// Resources are those of a container; quantities as text or number.
type Resources struct {
	Requests map[string]any `json:"requests"`
	Limits   map[string]any `json:"limits"`
}

// ServiceAccount is that of the agent's pods.
type ServiceAccount struct {
	Create      bool      `json:"create"`
	Name        string    `json:"name"`
	Annotations StringMap `json:"annotations"`
}

// Metrics of the agent.
type Metrics struct {
	Enabled bool `json:"enabled"`
	Port    int  `json:"port"`
	Rings   bool `json:"rings"`
	// Service is made for a ServiceMonitor too.
	Service        Service `json:"service"`
	PodMonitor     Monitor `json:"podMonitor"`
	ServiceMonitor Monitor `json:"serviceMonitor"`
	// PrometheusRule and Dashboard are made when enabled.
	PrometheusRule Labelled `json:"prometheusRule"`
	Dashboard      Labelled `json:"dashboard"`
}

// Labelled is a switch for an object that gets labels of its own.
type Labelled struct {
	Enabled bool      `json:"enabled"`
	Labels  StringMap `json:"labels"`
}

// Service is the headless one for the metrics.
type Service struct {
	Enabled     bool      `json:"enabled"`
	Labels      StringMap `json:"labels"`
	Annotations StringMap `json:"annotations"`
}

// Monitor is a PodMonitor or ServiceMonitor of Prometheus' operator.
type Monitor struct {
	Enabled           bool             `json:"enabled"`
	Namespace         string           `json:"namespace"`
	Interval          string           `json:"interval"`
	ScrapeTimeout     string           `json:"scrapeTimeout"`
	Labels            StringMap        `json:"labels"`
	Relabelings       []map[string]any `json:"relabelings"`
	MetricRelabelings []map[string]any `json:"metricRelabelings"`
}

// NetworkPolicy is that of the agent's pods; From are the peers of its ingress.
type NetworkPolicy struct {
	Enabled bool             `json:"enabled"`
	From    []map[string]any `json:"from"`
}

// OpenShift are settings for that distribution.
type OpenShift struct {
	SCC SCC `json:"scc"`
}

// SCC binds the service account to a SecurityContextConstraints.
type SCC struct {
	Create bool `json:"create"`
}
