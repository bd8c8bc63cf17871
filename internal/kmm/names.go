package kmm

// MaxName is how many characters a Module's name and namespace may have
// together, so that labels made of both stay within Kubernetes' limit. From
// internal/webhook/module.go, 2.0 to 2.6; 2.7 takes one more.
const MaxName = 40

// Webhook is the name of the webhook that validates Modules. From
// internal/webhook/module.go, 2.0 to 2.7.
const Webhook = "vmodule.kb.io"

// labelPrefix is that of KMM's labels, from internal/constants/constants.go, 2.0
// to 2.7.
const labelPrefix = "kmm.node.kubernetes.io/"

// Labels of KMM's pods, from internal/constants/constants.go and internal/pod,
// 2.4 to 2.7. Earlier pods bear some of them without the prefix; see Label.
const (
	LabelModule       = "module.name"
	LabelTargetKernel = "target-kernel"
	LabelResourceType = "resource-type"
	LabelImageOwner   = "image-owner"
	LabelWorkerAction = "worker-action"
)

// Label reads a label of KMM's, which older releases write without its prefix.
func Label(labels map[string]string, name string) string {
	if v := labels[labelPrefix+name]; v != "" {
		return v
	}
	return labels[name]
}

// VersionLabel is the node label with which an administrator lets a Module that
// has a version load on the node. From internal/constants/constants.go, 2.0 to
// 2.7.
func VersionLabel(namespace, name string) string {
	return labelPrefix + "version-module." + namespace + "." + name
}

// Values of the status of an image in a ModuleImagesConfig. From
// api/v1beta1/moduleimagesconfig_types.go, 2.4 to 2.7. A build or signature
// that failed makes the image DoesNotExist, so that the cause must be looked
// for in the ModuleBuildSignConfig (internal/controllers/mic_reconciler.go).
const (
	ImageExists       = "Exists"
	ImageDoesNotExist = "DoesNotExist"
	ImageNeedsBuild   = "NeedsBuilding"
	ImageNeedsSign    = "NeedsSigning"
)

// ActionFailure is the status of an image in a ModuleBuildSignConfig whose build
// or signature failed. From api/v1beta1/modulebuildsignconfig_types.go, 2.4 to
// 2.7.
const ActionFailure = "Failure"
