package broken_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// images maps every kernel to a repository of the registry.
func images(repository string) object { return imagesAt(shared.images.host, repository) }

func imagesAt(host, repository string) object {
	return object{"kernelMappings": []any{object{"regexp": "^.+$", "containerImage": host + "/" + repository + ":${KERNEL_FULL_VERSION}"}}}
}

func TestImagesThatKMMCannotUse(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	for _, c := range []struct {
		name   string
		values object
		want   []string
	}{
		{"not in the registry", images("nothing"), []string{"mappings.images-present error image-missing"}},
		{"one of two is not there", images("only-a"), []string{"mappings.images-present warning image-missing"}},
		{"private", images("private/good"), []string{"mappings.images-present warning image-forbidden"}},
		{"another architecture", images("arm-only"), []string{"mappings.images-arch error image-wrong-arch"}},
		{"without the kernel's folder", images("other-kernel"), []string{"mappings.images-module error image-without-module"}},
		{"a folder without the module", images("empty-folder"), []string{"mappings.images-module error image-without-module"}},
		{"the module was removed by an upper layer", images("whited-out"), []string{"mappings.images-module error image-without-module"}},
		{"a module of another kernel", images("mislabelled"), []string{"mappings.images-module error image-without-module"}},
		{"a module that was cut short", images("cut-short"), []string{"mappings.images-module error image-without-module"}},
		{"without depmod's files", images("no-depmod"), []string{"mappings.images-depmod error image-without-depmod"}},
		{"without a shell", images("no-shell"), []string{"mappings.images-shell error image-without-shell"}},
		{"no mapping for one kernel", object{"kernelMappings": []any{object{"literal": kernelA, "containerImage": shared.images.host + "/good:" + kernelA}}},
			[]string{"mappings.kernels warning no-kernel-mapping"}},
		{"no mapping at all", object{"kernelMappings": []any{object{"literal": "5.4.0-1-other", "containerImage": shared.images.host + "/good:1"}}},
			[]string{"mappings.kernels error no-kernel-mapping"}},
		{"a registry whose certificate nobody knows", imagesAt(shared.images.untrusted, "good"), []string{"mappings.images-present warning registry-tls-untrusted"}},
		{"a registry that DNS does not know", imagesAt("registry.invalid", "good"), []string{"mappings.images-present warning registry-unknown-host"}},
		{"a registry that is not there", imagesAt("127.0.0.1:1", "good"), []string{"mappings.images-present warning image-unreachable"}},
		{"built in the cluster", object{"kernelMappings": []any{object{
			"regexp": "^.+$", "containerImage": shared.images.host + "/built:${KERNEL_FULL_VERSION}", "build": object{"dockerfileConfigMap": object{"name": "build"}},
		}}}, []string{"references.build error reference-missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempt{mode: "kmm", namespace: where, kernelModule: c.values}.finds(t, c.want...)
		})
	}
	t.Run("any certificate, as registryTLS allows", func(t *testing.T) {
		attempt{mode: "kmm", namespace: where, kernelModule: object{"kernelMappings": []any{object{
			"regexp": "^.+$", "containerImage": shared.images.untrusted + "/good:${KERNEL_FULL_VERSION}", "registryTLS": object{"insecureSkipTLSVerify": true},
		}}}}.finds(t)
	})
	t.Run("private, with a login", func(t *testing.T) {
		if err := shared.images.login("config.json", password); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := shared.images.login("config.json", ""); err != nil {
				t.Error(err)
			}
		})
		attempt{mode: "kmm", namespace: where, kernelModule: images("private/good")}.finds(t)
	})
	t.Run("private, with the nodes' login", func(t *testing.T) {
		values := images("private/good")
		values["imageRepoSecret"] = "module-pull"
		a := attempt{mode: "kmm", namespace: where, kernelModule: values, args: []string{"--use-cluster-secrets"}}
		a.finds(t, "mappings.images-present warning image-forbidden", "references.pull-secrets error reference-missing")
		secret(t, where, "module-pull", "kubernetes.io/dockerconfigjson", map[string]string{".dockerconfigjson": shared.images.dockerConfig(password)})
		a.finds(t)
	})
}

func TestAProxyThatRefuses(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not for you", http.StatusForbidden)
	})}
	go func() { _ = proxy.Serve(listener) }()
	t.Cleanup(func() { _ = proxy.Close() })
	// The API server is on loopback, which is never asked for through a proxy.
	env := []string{"HTTPS_PROXY=http://" + listener.Addr().String()}
	attempt{mode: "kmm", namespace: where, kernelModule: imagesAt("registry.example", "good"), env: env}.finds(t, "mappings.images-present warning proxy-refused")
	attempt{mode: "auto", namespace: where, kernelModule: object{"source": object{"url": "https://modules.example/pf_ring"}}, env: env}.
		finds(t, "auto.source-reachable error source-unreachable")
}

func TestEachImageAndLayerIsAskedForOnce(t *testing.T) {
	whole(t)
	set := nodes(t, 12, kube.Node{Kernel: func(i int) string { return []string{kernelA, kernelB}[i%2] }})
	a := attempt{mode: "kmm", namespace: shared.Namespace(t, ""), set: set, kernelModule: images("both")}
	shared.images.reset()
	report, code := a.report(t)
	if got := findings(report); len(got) > 0 || code != 0 {
		t.Fatalf("exit %d: %v", code, got)
	}
	// An index and an image's manifest for each of two kernels.
	if n := shared.images.manifests.Load(); n != 4 {
		t.Errorf("%d manifests were asked for", n)
	}
	if most := shared.images.most(); most != 1 {
		t.Errorf("a layer was fetched %d times", most)
	}
}

func TestSourcesThatNodesCannotUse(t *testing.T) {
	where := shared.Namespace(t, "")
	at := func(url string) object { return object{"source": object{"url": url}} }
	good := shared.source.url
	for _, c := range []struct {
		name   string
		values object
		args   []string
		want   []string
	}{
		{"403", at(good + "/forbidden"), nil, []string{"auto.source-reachable error source-forbidden"}},
		{"404", at(good + "/nowhere"), nil, []string{"auto.index-readable error source-invalid"}},
		{"not an index", object{"source": object{"url": good + "/garbage", "verify": "checksum"}}, nil, []string{"auto.index-readable error source-invalid"}},
		{"time-out", at(shared.source.hanging), []string{"--source-timeout", "1s"}, []string{"auto.source-reachable error source-timeout"}},
		{"nobody there", at("https://127.0.0.1:1"), []string{"--source-timeout", "3s"}, []string{"auto.source-reachable error source-unreachable"}},
		{"a certificate that nobody knows", at(shared.source.untrusted + "/good"), nil, []string{"auto.source-reachable error source-tls-untrusted"}},
		{"a host that DNS does not know", at("https://modules.invalid"), []string{"--source-timeout", "5s"}, []string{"auto.source-reachable error source-unreachable"}},
		{"a signature by another key", object{"source": object{"publicKeys": []any{shared.source.other}}}, nil, []string{"auto.index-verified error signature-invalid"}},
		{"a signature that is none", at(good + "/garbage"), nil, []string{"auto.index-readable error source-unsigned"}},
		{"no signature", at(good + "/unsigned"), nil, []string{"auto.index-verified error source-unsigned"}},
		{"expired", at(good + "/expired"), nil, []string{"auto.index-fresh error index-expired"}},
		{"about to expire", at(good + "/ending"), nil, []string{"auto.index-fresh warning index-expires-soon"}},
		{"rolled back", object{"source": object{"minSerial": 100}}, nil, []string{"auto.index-fresh error index-rolled-back"}},
		{"nothing is verified", object{"source": object{"verify": "none"}}, nil, []string{"auto.index-verified warning verification-off"}},
		{"no module for one kernel", at(good + "/only-a"), nil, []string{"auto.kernels warning no-module-for-kernel"}},
		{"no module for any kernel", at(good + "/neither"), nil, []string{"auto.kernels error no-module-for-kernel"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempt{mode: "auto", namespace: where, kernelModule: c.values, args: c.args}.finds(t, c.want...)
		})
	}
}

func TestNoOutputHasASecret(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	secret(t, where, "pull", "kubernetes.io/dockerconfigjson", map[string]string{".dockerconfigjson": shared.images.dockerConfig(password)})
	secret(t, where, "broken", "Opaque", map[string]string{"password": password})
	a := attempt{mode: "auto", namespace: where, kernelModule: object{"source": object{"credentialsSecret": "broken"}}, tap: object{"docker": object{"imagePullSecrets": []any{"pull", "broken"}}}}
	for _, format := range []string{"table", "json", "junit"} {
		a.raw, a.args = true, []string{"-o", format}
		out, errOut, _ := a.outputOf(t)
		if strings.Contains(out+errOut, password) || strings.Contains(out, "auth\":") {
			t.Errorf("%s shows a password:\n%s%s", format, out, errOut)
		}
		if !strings.Contains(out, "wrong-type") {
			t.Errorf("%s: the case finds nothing: %s", format, fmt.Sprint(out, errOut))
		}
	}
}
