package oci

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestALayerIsUnpackedWithinItsBound(t *testing.T) {
	data := layer(t, "usr/lib/large", strings.Repeat("x", 10_000), "opt/modules/pf-ring-"+kernel+".ko", "module")
	if f, err := searchLayer(bytes.NewReader(data), kernel, 100, 20_000); err != nil || string(f.data) != "module" {
		t.Errorf("%q, %v", f.data, err)
	}
	if _, err := searchLayer(bytes.NewReader(data), kernel, 100, 5_000); reason(err) != outcome.TooLarge {
		t.Errorf("beyond the bound: %v", err)
	}
}

// pzstd, and what makes layers with a table of contents, write skippable frames.
func TestALayerOfZstdMayBeginWithASkippableFrame(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	data := w.EncodeAll(layer(t, "opt/modules/pf-ring-"+kernel+".ko", "module"), []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00text"))
	if f, err := searchLayer(bytes.NewReader(data), kernel, 100, 20_000); err != nil || string(f.data) != "module" {
		t.Errorf("%q, %v", f.data, err)
	}
}

func TestHistoricImagesAreSearched(t *testing.T) {
	own := layer(t, "./opt/lib/modules/"+kernel+"/modules.dep", "x", "./opt/lib/modules/"+kernel+"/pf_ring.ko", "own")
	all := layer(t, "opt/modules/pf-ring-"+kernel+".ko", "all", "opt/modules/pf-ring-5.4.0.ko", "other")
	base := layer(t, "etc/os-release", "Alpine")
	for name, test := range map[string]struct {
		publish func(g *registry)
		want    string
		where   string
		reason  outcome.Reason
	}{
		"an image for the kernel": {func(g *registry) {
			g.tag(t, "6.1.0-18_cloud", manifest{Layers: []descriptor{g.blob(own), g.blob(base)}})
		}, "own", "6.1.0-18_cloud:/opt/lib/modules/" + kernel + "/pf_ring.ko", ""},
		"an image for all": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(base), g.blob(all)}}) }, "all", "all:/opt/modules/pf-ring-" + kernel + ".ko", ""},
		"both": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(all)}})
			g.tag(t, "6.1.0-18_cloud", manifest{Layers: []descriptor{g.blob(own)}})
		}, "own", "", ""},
		"for several platforms": {func(g *registry) {
			arm, amd := g.tag(t, "", manifest{Layers: []descriptor{g.blob(base)}}), g.tag(t, "", manifest{Layers: []descriptor{g.blob(all)}})
			arm.Platform.OS, arm.Platform.Architecture, amd.Platform.OS, amd.Platform.Architecture = "linux", "arm64", "linux", "amd64"
			g.tag(t, "all", manifest{Manifests: []descriptor{arm, amd}})
		}, "all", "", ""},
		"for another platform": {func(g *registry) {
			arm := g.tag(t, "", manifest{Layers: []descriptor{g.blob(all)}})
			arm.Platform.OS, arm.Platform.Architecture = "linux", "arm64"
			g.tag(t, "all", manifest{Manifests: []descriptor{arm}})
		}, "", "", outcome.NoModuleForKernel},
		"for other kernels": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(base)}}) }, "", "", outcome.NoModuleForKernel},
		"no image":          {func(*registry) {}, "", "", outcome.NoModuleForKernel},
		"too large": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(layer(t, "opt/modules/pf-ring-"+kernel+".ko", strings.Repeat("x", 101)))}})
		}, "", "", outcome.TooLarge},
		"layer too large": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{{Size: maxLayer + 1, Digest: digest(nil)}}})
		}, "", "", outcome.TooLarge},
		"no tar": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(bytes.Repeat([]byte("x"), 600))}})
		}, "", "", outcome.SourceInvalid},
		"half a tar": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(all[:len(all)/8])}}) }, "", "", outcome.SourceInvalid},
	} {
		g := newRegistry(t)
		test.publish(g)
		s := open(t, g, nil)
		data, where, err := s.FetchHistoric(within(t), kernel, "amd64", 100)
		if string(data) != test.want || reason(err) != test.reason || (test.where != "" && where != test.where) {
			t.Errorf("%s: %q at %s, %v", name, data, where, err)
		}
		if tagged := len(g.files) > 0; s.HasHistoric(within(t), kernel) != tagged {
			t.Errorf("%s: tells %v of a historic image", name, !tagged)
		}
	}
}

func FuzzSearchLayer(f *testing.F) {
	f.Add([]byte("opt/modules/pf-ring-x.ko"))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, blob []byte) {
		f, err := searchLayer(bytes.NewReader(blob), "x", 100, 1<<20)
		if len(f.data) > 100 || (f.data != nil && err == nil && !isModule(f.where, "x")) {
			t.Errorf("%d bytes at %q, %v", len(f.data), f.where, err)
		}
	})
}

func TestHistoricReleasesAreTheTagsThatLookLikeOnes(t *testing.T) {
	g := newRegistry(t)
	pages := map[string]string{
		"":      `{"tags":["6.1.0-18_cloud","all","latest","index"]}`,
		"index": `{"tags":["5.10.199-190.747.amzn2.x86_64"]}`,
	}
	g.enter = func(w http.ResponseWriter, r *http.Request) bool {
		last := r.FormValue("last")
		if last == "" {
			w.Header().Set("Link", `</v2/team/modules/tags/list?last=index>; rel="next"`)
		}
		_, _ = fmt.Fprint(w, pages[last])
		return false
	}
	releases, all, err := open(t, g, nil).HistoricReleases(within(t))
	if err != nil || !all || strings.Join(releases, " ") != "6.1.0-18_cloud 5.10.199-190.747.amzn2.x86_64" {
		t.Errorf("%v, %v, %v", releases, all, err)
	}
}

func TestANamedTagIsTheOnlyOneLookedAt(t *testing.T) {
	g := newRegistry(t)
	module := layer(t, "opt/modules/pf-ring-"+kernel+".ko", "named")
	g.tag(t, "8.4.0", manifest{Layers: []descriptor{g.blob(module)}})
	g.tag(t, "all", manifest{Layers: []descriptor{g.blob(layer(t, "opt/modules/pf-ring-"+kernel+".ko", "all"))}})
	s := open(t, g, func(o *Options) { o.Repository += ":8.4.0" })
	data, where, err := s.FetchHistoric(within(t), kernel, "amd64", 100)
	if err != nil || string(data) != "named" || !strings.HasPrefix(where, "8.4.0:") || !strings.HasSuffix(s.String(), "/team/modules:8.4.0") {
		t.Errorf("%s at %s of %s, %v", data, where, s, err)
	}
}
