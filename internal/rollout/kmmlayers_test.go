package rollout

import (
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// A Module may say for its container how to build and sign, and for a mapping what
// is different there. These are KMM's rules (internal/module/kernelmapper.go).
func TestBuildAndSignOfAMappingAreLaidOverTheContainers(t *testing.T) {
	const container = `build: {dockerfileConfigMap: {name: common}, secrets: [{name: login}]}
sign: {keySecret: {name: key}, certSecret: {name: cert}}
`
	for name, test := range map[string]struct {
		container, mapping        string
		dockerfile, key, cert     string
		secrets, named, configMap []string
	}{
		"the container's alone": {
			container: container, mapping: "{regexp: .}",
			dockerfile: "common", key: "key", cert: "cert", secrets: []string{"login"}, named: []string{"login", "key", "cert"}, configMap: []string{"common"},
		},
		"the mapping's alone": {
			mapping:    "{regexp: ., build: {dockerfileConfigMap: {name: own}}, sign: {keySecret: {name: k}, certSecret: {name: c}}}",
			dockerfile: "own", key: "k", cert: "c", named: []string{"k", "c"}, configMap: []string{"own"},
		},
		"a Dockerfile in the place of another, and a Secret more": {
			container: container, mapping: "{regexp: ., build: {dockerfileConfigMap: {name: own}, secrets: [{name: more}]}}",
			dockerfile: "own", key: "key", cert: "cert", secrets: []string{"login", "more"}, named: []string{"login", "more", "key", "cert"}, configMap: []string{"own"},
		},
		"a Secret more, by the container's Dockerfile": {
			container: container, mapping: "{regexp: ., build: {secrets: [{name: more}]}}",
			dockerfile: "common", key: "key", cert: "cert", secrets: []string{"login", "more"}, named: []string{"login", "more", "key", "cert"}, configMap: []string{"common"},
		},
		"another key, by the container's certificate": {
			container: container, mapping: "{regexp: ., sign: {keySecret: {name: k}}}",
			dockerfile: "common", key: "k", cert: "cert", secrets: []string{"login"}, named: []string{"login", "k", "cert"}, configMap: []string{"common"},
		},
	} {
		k, node := kmmCase()
		c := &k.module.Spec.Loader.Container
		var mapping kmmMapping
		for text, into := range map[string]any{test.container: c, test.mapping: &mapping} {
			if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		c.Mappings = []kmmMapping{mapping}
		build, sign := k.made(node.kernel)
		var secrets []string
		for _, s := range build.Secrets {
			secrets = append(secrets, s.Name)
		}
		if build.Dockerfile.Name != test.dockerfile || !slices.Equal(secrets, test.secrets) || sign.Key.Name != test.key || sign.Cert.Name != test.cert {
			t.Errorf("%s: %+v %+v", name, build, sign)
		}
		if named, configMaps := k.named(); !slices.Equal(named, test.named) || !slices.Equal(configMaps, test.configMap) {
			t.Errorf("%s: named are %q and %q", name, named, configMaps)
		}
	}
}
