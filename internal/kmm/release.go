package kmm

// Field is a field of the Module and the release that brought it.
type Field struct{ Path, Since string }

// Fields are those of the Module by which releases can be determined, newest first,
// since the image's tag is often "latest". From the files in
// config/crd/bases of each release's tag.
func Fields() []Field {
	return []Field{
		{"spec.dra", "2.7"},
		{"spec.imageRebuildTriggerGeneration", "2.6"},
		{"spec.tolerations", "2.3"},
		{"spec.moduleLoader.container.inTreeModulesToRemove", "2.1"},
	}
}

// PullTolerations is the release from which on the pods that pull an image
// tolerate what the Module does. From internal/pod/imagepuller.go, which in
// 2.6.0 gives them none.
const PullTolerations = "2.7"

// PullTolerationsField is a field of the Module that came with them.
const PullTolerationsField = "spec.dra"
