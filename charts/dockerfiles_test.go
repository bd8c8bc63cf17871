package charts_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// The chart's Dockerfiles are written by -update from the recipes that pfring
// module build has, and never by hand.
func TestTheChartsDockerfilesAreTheRecipes(t *testing.T) {
	source, err := build.NewSource("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, osImage := range build.Dockerfiles() {
		recipe, err := build.RecipeFor(osImage)
		if err != nil {
			t.Fatal(err)
		}
		want := build.Dockerfile(recipe, source, image.DefaultBase)
		path := filepath.Join(charts.Name, "files", "dockerfiles", name+".Dockerfile")
		goldentest.File(t, path, []byte(want))
	}
	found, err := fs.Glob(charts.FS(), charts.Name+"/files/dockerfiles/*")
	if err != nil || len(found) != len(build.Dockerfiles()) {
		t.Errorf("%d Dockerfiles in the chart, %d recipes (%v)", len(found), len(build.Dockerfiles()), err)
	}
	for _, name := range valuesschema.Dockerfiles() {
		if build.Dockerfiles()[name] == "" {
			t.Errorf("pfring validate takes build.dockerfile %s, and the chart has none", name)
		}
	}
	if len(valuesschema.Dockerfiles()) != len(build.Dockerfiles()) {
		t.Error("pfring validate does not take all of the chart's Dockerfiles")
	}
}

// KMM reads the ConfigMap's key dockerfile in the Module's namespace, gives the
// kernel as a build argument, and takes the module from /opt.
func TestAMappingsDockerfileBecomesAConfigMap(t *testing.T) {
	for name := range build.Dockerfiles() {
		out := render(t, fmt.Sprintf(`
tap: {kernelModule: {mode: kmm, kernelMappings: [{regexp: .+, containerImage: "r.example/a:${KERNEL_FULL_VERSION}", build: {dockerfile: %s}}]}}`, name))
		text, _ := at(find(t, parse(t, out), "ConfigMap"), "data.dockerfile").(string)
		if want := readFile(t, filepath.Join(charts.Name, "files", "dockerfiles", name+".Dockerfile")); text != want {
			t.Errorf("%s: the ConfigMap has\n%s", name, text)
		}
		for _, has := range []string{"\nARG KERNEL_FULL_VERSION\n", "PFRING_SOURCE_TREE=", "COPY --from=build /out /opt\n", "depmod -b /out"} {
			if !strings.Contains(text, has) {
				t.Errorf("%s: no %q", name, has)
			}
		}
	}
}

func TestWhatABuildNeedsIsAskedFor(t *testing.T) {
	for build, want := range map[string]string{
		`{}`:                        "give either dockerfile or dockerfileConfigMap",
		`{buildArgs: []}`:           "give either dockerfile or dockerfileConfigMap",
		`{dockerfile: debain}`:      `no Dockerfile "debain"`,
		`{dockerfile: ../../rules}`: "no Dockerfile",
		`{dockerfile: debian, dockerfileConfigMap: {name: x}}`: "give either",
	} {
		_, err := renderFiles(t, defaultRelease, fmt.Sprintf(`tap: {kernelModule: {mode: kmm, kernelMappings: [{regexp: .+, containerImage: "r.example/a:1", build: %s}]}}`, build))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", build, err)
		}
	}
	_, err := renderFiles(t, defaultRelease, `tap: {kernelModule: {mode: kmm, kmm: {sign: {keySecret: a}}}}`)
	if err == nil || !strings.Contains(err.Error(), "both keySecret and certSecret") {
		t.Error(err)
	}
}
