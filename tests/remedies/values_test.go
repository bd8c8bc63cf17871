package remedies_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

const below = "tap.kernelModule."

// keys are those of the values by their path.
func keys(t *testing.T) map[string]valuesschema.Key {
	t.Helper()
	list, err := valuesschema.Keys()
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]valuesschema.Key{}
	for _, k := range list {
		byPath[k.Path] = k
	}
	return byPath
}

// dotted is a path of keys in a text, also one that begins below tap.kernelModule.
var dotted = regexp.MustCompile(`(?:^|[ ('"` + "`" + `=,])((?:tap\.|source\.|supply\.|kmm\.|agent\.|serviceAccount\.|openshift\.|networkPolicy\.|metrics\.|cache\.)[A-Za-z0-9]+(?:\.[A-Za-z0-9]+|\[\])*)`)

// foreignKeys are of other charts, of objects, or are not keys.
var foreignKeys = []string{
	"tap.noKernelModule", "tap.capabilities", "tap.docker.tag", "tap.packetCapture", "supply.kernels[]", "kmm.sigs", "kmm.node", "tap.workerSpec", "tap.nodeSelectorTerms",
	"tap.tolerations", "tap.labels", "tap.annotations", "tap.securityContext",
}

func TestKeysInTextsAreOfTheSchema(t *testing.T) {
	known, seen := keys(t), 0
	for _, c := range prereq.Checks() {
		known[c.ID] = valuesschema.Key{Path: c.ID}
	}
	for _, text := range texts(t) {
		// These name keys of Kubeshark's own chart.
		if strings.HasSuffix(text.file, "/rules_unread.go") || strings.HasSuffix(text.file, "/rules_kubeshark.go") {
			continue
		}
		for _, m := range dotted.FindAllStringSubmatch(text.words, -1) {
			path := strings.TrimRight(m[1], ".")
			if slices.ContainsFunc(foreignKeys, func(s string) bool { return strings.HasPrefix(path, s) }) || strings.Contains(path, placeholder) {
				continue
			}
			seen++
			_, whole := known[path]
			_, short := known[below+path]
			if !whole && !short && !mapOf(known, path) {
				t.Errorf("%s: key not found in the values: %s", text, path)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d keys were found", seen)
	}
}

// mapOf tells whether a path lies in a map or an object of Kubernetes, whose keys the
// schema does not name.
func mapOf(known map[string]valuesschema.Key, path string) bool {
	for parent := path; strings.Contains(parent, "."); {
		parent = parent[:strings.LastIndex(parent, ".")]
		for _, p := range []string{parent, below + parent} {
			if k, ok := known[p]; ok {
				return !k.HasKeys
			}
		}
	}
	return false
}

// given is a key with the value that a text advises for it.
var given = regexp.MustCompile(`((?:tap|source|supply|kmm|agent|serviceAccount|openshift|cache)(?:\.[A-Za-z]+)+)(?:=|: | to )(true|false|none|signature|checksum|auto|kmm|fallback|fail|url|persistentVolumeClaim|configMaps|[0-9]+[ms]?)\b`)

// What is advised for a key, validate takes for it.
func TestValuesThatAreAdvisedAreValid(t *testing.T) {
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known, seen := keys(t), 0
	for _, text := range texts(t) {
		for _, m := range given.FindAllStringSubmatch(text.words, -1) {
			path := m[1]
			if _, ok := known[path]; !ok {
				path = below + path
			}
			seen++
			doc, err := valuesschema.Load(valuesschema.LoadOptions{Defaults: defaults, ReleaseName: "pfring", Namespace: "kubeshark", Set: []string{path + "=" + m[2]}})
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			for _, p := range doc.Validate() {
				if p.Severity == valuesschema.Error && p.Path == path {
					t.Errorf("%s\n  %s: %s", text, m[0], p)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d values were found", seen)
	}
}
