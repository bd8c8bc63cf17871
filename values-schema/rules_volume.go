package valuesschema

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// volumeRequires are the fields without which the API server refuses a volume
// source, by kind; what is not listed requires none.
var volumeRequires = map[string][]string{
	"persistentVolumeClaim": {"claimName"}, "hostPath": {"path"}, "secret": {"secretName"}, "configMap": {"name"},
	"nfs": {"server", "path"}, "csi": {"driver"}, "iscsi": {"targetPortal", "iqn", "lun"}, "cephfs": {"monitors"}, "rbd": {"monitors", "image"},
	"azureFile": {"secretName", "shareName"}, "azureDisk": {"diskName", "diskURI"}, "awsElasticBlockStore": {"volumeID"}, "gcePersistentDisk": {"pdName"},
	"flexVolume": {"driver"}, "glusterfs": {"endpoints", "path"}, "image": {"reference"}, "gitRepo": {"repository"}, "ephemeral": {"volumeClaimTemplate"},
	"cinder": {"volumeID"}, "vsphereVolume": {"volumePath"}, "quobyte": {"registry", "volume"}, "portworxVolume": {"volumeID"},
}

// volume checks a volume source: its kind, its fields and those it requires.
func (c *check) volume(path Path) {
	m := c.object(path)
	if len(m) != 1 {
		return // the schema takes one at most, and none is reported by checkSource
	}
	c.volumeOf(path, slices.Collect(maps.Keys(m))[0])
}

// volumes checks a pod's volumes, each a name and one volume source. The chart has
// volumes of the names in own.
func (c *check) volumes(path Path, own []string) {
	seen := map[string]bool{}
	for i := range c.list(path) {
		at := path.With(i)
		m := c.object(at)
		if m == nil {
			continue // the schema says so
		}
		if name := c.str(at.With("name")); name != "" {
			if text := why(validation.IsDNS1123Label(name)); text != "" {
				c.errorf("volume-invalid", at.With("name"), "", "invalid name of a volume: %s", text)
			}
			if seen[name] {
				c.errorf("volume-invalid", at.With("name"), "give each volume a separate name", "another volume has this name")
			}
			if slices.Contains(own, name) {
				c.errorf("volume-invalid", at.With("name"), "give it another name", "a volume of the chart has this name")
			}
			seen[name] = true
		}
		kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(key string) bool { return key == "name" })
		if len(kinds) != 1 {
			c.errorf("volume-invalid", at, "such as {name: data, emptyDir: {}}", "must have a name and exactly one kind of volume")
			continue
		}
		c.volumeOf(at, kinds[0])
	}
}

// volumeOf checks the source of one kind in the map at path.
func (c *check) volumeOf(path Path, kind string) {
	m, at := c.object(path), path.With(kind)
	kinds := jsonFields(reflect.TypeFor[corev1.VolumeSource]())
	t, known := kinds[kind]
	if !known {
		names := slices.Sorted(maps.Keys(kinds))
		if near := Nearest(kind, names); near != "" {
			c.errorf("volume-invalid", at, "did you mean "+near+"?", "unknown kind of volume")
			return
		}
		c.warnf("volume-invalid", at, "such as persistentVolumeClaim, hostPath, nfs, configMap, csi or image", "unknown kind of volume (Kubernetes up to 1.37)")
		return
	}
	fields, isMap := m[kind].(map[string]any)
	if !isMap {
		if m[kind] != nil || len(volumeRequires[kind]) > 0 {
			c.errorf("volume-invalid", at, "", "must be a map")
		}
		return
	}
	for _, name := range volumeRequires[kind] {
		c.requires("volume-invalid", at, name, "a volume of kind "+kind)
	}
	c.fields("volume-invalid", at, fields, t)
	c.volumeFields(kind, at)
}

// fields checks names and types of the fields of a map that Kubernetes reads as t.
func (c *check) fields(rule string, at Path, fields map[string]any, t reflect.Type) {
	of := jsonFields(t)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := of[name]; !ok {
			names := slices.Sorted(maps.Keys(of))
			hint := "known here: " + strings.Join(names, ", ")
			if near := Nearest(name, names); near != "" {
				hint = "did you mean " + near + "?"
			}
			c.warnf(rule, at.With(name), hint, "unknown field (Kubernetes up to 1.37), which is ignored")
		}
	}
	c.types(rule, at, fields, t)
}

// choices are the fields of a volume source that take certain words.
var choices = map[string]map[string][]string{
	"hostPath": {"type": {"BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"}},
	"image":    {"pullPolicy": {"Always", "IfNotPresent", "Never"}},
}

// volumeFields follows the validation of the usual kinds of volumes.
func (c *check) volumeFields(kind string, at Path) {
	for field, words := range choices[kind] {
		if v := c.str(at.With(field)); v != "" && !slices.Contains(words, v) {
			c.errorf("volume-invalid", at.With(field), "", "must be one of %s", strings.Join(words, ", "))
		}
	}
	c.fileMode(at.With("defaultMode"))
	switch kind {
	case "secret", "configMap":
		c.keysToPaths(at.With("items"))
	case "downwardAPI":
		c.downwardFiles(at.With("items"))
	case "projected":
		c.projections(at.With("sources"))
	case "hostPath":
		if hasBackstep(c.str(at.With("path"))) {
			c.errorf("volume-invalid", at.With("path"), "", "must not contain ..")
		}
	case "gitRepo":
		c.descending(at.With("directory"))
	}
	if path := c.str(at.With("path")); kind == "nfs" && path != "" && !strings.HasPrefix(path, "/") {
		c.errorf("volume-invalid", at.With("path"), "", "must begin with /")
	}
	if size, _ := lookup(c.values, at.With("sizeLimit")); kind == "emptyDir" && size != nil {
		if q, err := resource.ParseQuantity(plainText(size)); err != nil || q.Sign() < 0 {
			c.errorf("volume-invalid", at.With("sizeLimit"), "such as 64Mi", "invalid quantity: must be a number with an optional suffix, and not negative")
		}
	}
}

// types reads the map into Kubernetes' own type.
func (c *check) types(rule string, at Path, fields map[string]any, t reflect.Type) {
	data, err := json.Marshal(numbers(fields))
	if err != nil {
		return // values are JSON
	}
	err = json.Unmarshal(data, reflect.New(t).Interface())
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		for _, step := range strings.Split(wrong.Field, ".") {
			at = at.With(step)
		}
		kind, _, _ := strings.Cut(wrong.Value, " ")
		hint := ""
		if scalar := kind == "number" || kind == "bool"; scalar && goType(wrong.Type) == "a string" {
			hint = "write it in quotes"
		}
		c.errorf(rule, at, hint, "must be %s, this is %s", goType(wrong.Type), jsonKinds[kind])
	} else if err != nil {
		c.errorf(rule, at, "", "Kubernetes cannot read this")
	}
}

// jsonKinds are encoding/json's words for values, and those of YAML.
var jsonKinds = map[string]string{"number": "a number", "bool": "a boolean", "string": "a string", "object": "a map", "array": "a list"}

// goType names a type of Kubernetes' API as YAML has it.
func goType(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "an integer"
	case reflect.Slice:
		return "a list"
	}
	return "a map"
}

// jsonFields are the fields of a struct by their names in JSON; those of an
// embedded struct without a name are its own.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	fields := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return fields
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && f.Anonymous {
			maps.Copy(fields, jsonFields(f.Type))
			continue
		}
		fields[name] = f.Type
	}
	return fields
}
