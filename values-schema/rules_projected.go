package valuesschema

import (
	"maps"
	"slices"
	"strings"
)

// Bounds of the API server on the time that a projected token is valid, in seconds.
const (
	minTokenSeconds = 600
	maxTokenSeconds = 1 << 32
)

// requires reports a field that is missing from the map at path, which is what.
func (c *check) requires(rule string, at Path, field, what string) {
	if v, ok := lookup(c.values, at.With(field)); !ok || v == nil || v == "" {
		c.errorf(rule, at, "add "+field, "%s requires %s", what, field)
	}
}

// projections follows the validation of the sources of a projected volume.
func (c *check) projections(path Path) {
	seen := map[string]bool{}
	for i := range c.list(path) {
		at := path.With(i)
		m := c.object(at)
		kinds := slices.Sorted(maps.Keys(m))
		if len(kinds) > 1 {
			c.errorf("volume-invalid", at, "write each as a separate element", "a source of a projected volume must be of one kind")
		}
		for _, kind := range kinds {
			for _, file := range c.projection(kind, at.With(kind)) {
				name := c.str(file)
				if name != "" && seen[name] {
					c.errorf("volume-invalid", file, "give each file another path", "another file of the volume has this path")
				}
				seen[name] = true
			}
		}
	}
}

// projection checks one source of a projected volume, and returns the places of the
// paths of its files.
func (c *check) projection(kind string, at Path) (files []Path) {
	if c.object(at) == nil {
		return nil
	}
	switch kind {
	case "secret", "configMap":
		c.requires("volume-invalid", at, "name", "a source of kind "+kind)
		return c.keysToPaths(at.With("items"))
	case "downwardAPI":
		return c.downwardFiles(at.With("items"))
	case "serviceAccountToken":
		c.requires("volume-invalid", at, "path", "a token")
		c.localPath(at.With("path"))
		c.tokenSeconds(at.With("expirationSeconds"))
		// The API server lets two tokens have one path.
	case "clusterTrustBundle":
		// An API server without the feature gate ClusterTrustBundleProjection drops it
		// unseen, so none of this is an error.
		named, signed := c.str(at.With("name")) != "", c.str(at.With("signerName")) != ""
		if c.str(at.With("path")) == "" || named == signed {
			c.warnf("volume-invalid", at, "", "a bundle requires path, and either name or signerName")
		}
	}
	return nil
}

func (c *check) tokenSeconds(path Path) {
	v, _ := lookup(c.values, path)
	switch f, ok := v.(float64); {
	case !ok: // the type is checked with the other fields
	case f < minTokenSeconds:
		c.errorf("volume-invalid", path, "write 600 or more, or remove it for one hour", "a token must be valid for at least 600 seconds (10 minutes)")
	case f > maxTokenSeconds:
		c.errorf("volume-invalid", path, "write it in seconds, such as 3600", "a token must be valid for at most 4294967296 seconds")
	}
}

// keysToPaths checks which keys of a Secret or ConfigMap become which files, and
// returns the places of their paths.
func (c *check) keysToPaths(path Path) (files []Path) {
	for i := range c.list(path) {
		at := path.With(i)
		if c.object(at) == nil {
			continue
		}
		c.requires("volume-invalid", at, "key", "an item")
		c.requires("volume-invalid", at, "path", "an item")
		c.localPath(at.With("path"))
		c.fileMode(at.With("mode"))
		files = append(files, at.With("path"))
	}
	return files
}

// downwardFields are the fields of a pod that a file can have.
var downwardFields = []string{"metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"}

// downwardFiles checks which facts about the pod become which files, and returns the
// places of their paths.
func (c *check) downwardFiles(path Path) (files []Path) {
	for i := range c.list(path) {
		at := path.With(i)
		if c.object(at) == nil {
			continue
		}
		c.requires("volume-invalid", at, "path", "an item")
		c.localPath(at.With("path"))
		c.fileMode(at.With("mode"))
		ofField, ofResource := c.object(at.With("fieldRef")) != nil, c.object(at.With("resourceFieldRef")) != nil
		if ofField == ofResource {
			c.errorf("volume-invalid", at, "", "an item requires either fieldRef or resourceFieldRef")
		}
		name, _, subscript := strings.Cut(c.str(at.With("fieldRef", "fieldPath")), "['")
		if ofField && !slices.Contains(downwardFields, name) || subscript && name != "metadata.labels" && name != "metadata.annotations" {
			c.errorf("volume-invalid", at.With("fieldRef"), "", "fieldPath must be one of %s", strings.Join(downwardFields, ", "))
		}
		files = append(files, at.With("path"))
	}
	return files
}

// localPath checks the path of a file in a volume.
func (c *check) localPath(path Path) {
	text := c.str(path)
	if c.descending(path) && strings.HasPrefix(text, "..") {
		c.errorf("volume-invalid", path, "", "must not begin with ..")
	}
}

// descending checks that a path leads down from where it starts.
func (c *check) descending(path Path) bool {
	text := c.str(path)
	switch {
	case strings.HasPrefix(text, "/"):
		c.errorf("volume-invalid", path, "remove the leading /", "must be a relative path")
		return false
	case hasBackstep(text):
		c.errorf("volume-invalid", path, "", "must not contain ..")
		return false
	}
	return true
}

func hasBackstep(path string) bool { return slices.Contains(strings.Split(path, "/"), "..") }

func (c *check) fileMode(path Path) {
	mode, _ := lookup(c.values, path)
	if f, ok := mode.(float64); ok && (f < 0 || f > 0o777) {
		c.errorf("volume-invalid", path, "write it in octal, such as 0444", "must be a number from 0 to 0777 (octal)")
	}
}
