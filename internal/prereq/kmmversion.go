package prereq

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// since says which KMM brought a field, by its last part.
func since(path string) string {
	for _, f := range kmm.Fields() {
		if f.Path[strings.LastIndexByte(f.Path, '.'):] == path[strings.LastIndexByte(path, '.'):] {
			return f.Since
		}
	}
	return ""
}

func kmmVersion(ctx context.Context, e *env) Finding {
	crd, err := e.definition(ctx, "modules.kmm.sigs.x-k8s.io")
	if err != nil {
		return unread("the definition of Module", err)
	}
	if crd == nil {
		return skip("KMM is not installed")
	}
	images, err := e.definition(ctx, "moduleimagesconfigs.kmm.sigs.x-k8s.io")
	if err != nil {
		return unread("the definition of ModuleImagesConfig", err)
	}
	known := schemaOf(crd, "v1beta1")
	if takesAnything(known) {
		return skip("the definition of Module accepts any field, so it does not show the version")
	}
	version := kmmFingerprint(known, images != nil)
	var lacking []string
	for _, o := range e.target(ModeKMM).ofKind("Module") {
		spec, _, _ := unstructured.NestedMap(o.Object, "spec")
		lacking = append(lacking, unknownFields(spec, property(known, "spec"), "spec")...)
	}
	slices.Sort(lacking)
	lacking = slices.Compact(lacking)
	var lines []string
	for _, field := range lacking {
		line := field
		if v := since(field); v != "" {
			line += " (KMM " + v + " has it)"
		}
		lines = append(lines, line)
	}
	remedy := "Upgrade KMM to 2.4 or newer; before that, such nodes do not get the module."
	switch {
	case len(lacking) == 0:
		return e.pullPods(ctx, known, version)
	case len(lacking) == 1 && lacking[0] == "spec.tolerations":
		return warn("kmm-without-tolerations", "this is KMM "+version+", which does not support tolerations: nodes with taints get no module, and a cordoned node loses it", remedy, lines...)
	}
	return fail("kmm-too-old", "this is KMM "+version+", which silently drops fields of the Module", "Upgrade KMM to 2.4 or newer, or remove these from the values.", lines...)
}

// pullPods looks whether the pods by which KMM pulls images have a node: in older
// releases they tolerate nothing.
func (e *env) pullPods(ctx context.Context, known map[string]any, version string) Finding {
	found := ok("KMM " + version + " by its definition of Module")
	// The release that brought tolerations for them also brought this field.
	if knows(known, kmm.PullTolerationsField) {
		return found
	}
	nodes, err := e.nodes(ctx)
	if err != nil || len(nodes) == 0 {
		return found
	}
	for i := range nodes {
		if cluster.Untolerated(nodes[i].taints, nil) == nil {
			return found
		}
	}
	return warn("kmm-pull-without-tolerations", "this is KMM "+version+", whose pods that pull images have no tolerations, and every node has a taint: no image is ever pulled",
		"Keep one node without taints, or upgrade KMM to a release newer than 2.6.")
}

// kmmFingerprint tells KMM's release by what its definitions know.
func kmmFingerprint(known map[string]any, imagesConfig bool) string {
	fields := kmm.Fields()
	switch {
	case knows(known, fields[0].Path):
		return "newer than 2.6"
	case knows(known, fields[1].Path):
		return fields[1].Since
	case imagesConfig:
		return "2.4 or 2.5"
	case knows(known, fields[2].Path):
		return fields[2].Since
	case knows(known, fields[3].Path):
		return "2.1 or 2.2"
	}
	return "2.0 or older"
}

// knows tells whether a schema has a field.
func knows(schema map[string]any, path string) bool {
	for _, key := range strings.Split(path, ".") {
		if schema = property(schema, key); schema == nil {
			return false
		}
	}
	return true
}

// schemaOf is a definition's schema of a version, or nil.
func schemaOf(crd *unstructured.Unstructured, version string) map[string]any {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		if m, _ := v.(map[string]any); m["name"] == version {
			found, _, _ := unstructured.NestedMap(m, "schema", "openAPIV3Schema")
			return found
		}
	}
	return nil
}

func property(schema map[string]any, name string) map[string]any {
	properties, _ := schema["properties"].(map[string]any)
	p, _ := properties[name].(map[string]any)
	return p
}

func takesAnything(schema map[string]any) bool {
	return schema == nil || schema["x-kubernetes-preserve-unknown-fields"] == true
}

// unknownFields are the paths of what a schema does not know, without places in
// lists.
func unknownFields(value any, schema map[string]any, path string) []string {
	if takesAnything(schema) {
		return nil
	}
	var unknown []string
	switch v := value.(type) {
	case map[string]any:
		_, free := schema["additionalProperties"]
		if free {
			return nil
		}
		for key, inner := range v {
			known := property(schema, key)
			if known == nil {
				unknown = append(unknown, path+"."+key)
				continue
			}
			unknown = append(unknown, unknownFields(inner, known, path+"."+key)...)
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for _, inner := range v {
			unknown = append(unknown, unknownFields(inner, items, path)...)
		}
	}
	return unknown
}
