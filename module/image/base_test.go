package image_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// A base counts by what its configuration says, also where the list says nothing or
// something else.
func TestABaseIsOneOfTheArchitecture(t *testing.T) {
	of := func(os, arch string) v1.Image {
		base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: os, Architecture: arch})
		if err != nil {
			t.Fatal(err)
		}
		return base
	}
	for name, c := range map[string]struct {
		base     v1.Image
		platform *v1.Platform
		good     bool
	}{
		"it":                            {of("linux", "arm64"), nil, true},
		"another architecture":          {of("linux", "amd64"), nil, false},
		"another system":                {of("windows", "arm64"), nil, false},
		"another one under a good name": {of("linux", "amd64"), &v1.Platform{OS: "linux", Architecture: "arm64"}, false},
		"a good one under another name": {of("linux", "arm64"), &v1.Platform{OS: "linux", Architecture: "amd64"}, false},
	} {
		dir := t.TempDir()
		path, err := layout.Write(dir, empty.Index)
		if err != nil {
			t.Fatal(err)
		}
		var options []layout.Option
		if c.platform != nil {
			options = append(options, layout.WithPlatform(*c.platform))
		}
		if err := path.AppendImage(c.base, options...); err != nil {
			t.Fatal(err)
		}
		if got, err := image.LayoutBase(dir).Image(t.Context(), "arm64"); (err == nil) != c.good || (got != nil) != c.good {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAnIndexThatListsItselfEnds(t *testing.T) {
	dir := t.TempDir()
	const indexType = "application/vnd.oci.image.index.v1+json"
	name := fmt.Sprintf("%x", sha256.Sum256([]byte("itself")))
	list := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"size":1,"digest":"sha256:%s"}]}`, indexType, indexType, name)
	moduletest.WriteFiles(t, dir, map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": []byte(list), "blobs/sha256/" + name: []byte(list),
	})
	if _, err := image.LayoutBase(dir).Image(t.Context(), "amd64"); err == nil || !strings.Contains(err.Error(), "each other") {
		t.Errorf("err = %v", err)
	}
}
