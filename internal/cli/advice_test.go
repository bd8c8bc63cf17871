package cli_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

// advised finds flags in what a command says.
var advised = regexp.MustCompile(`(?:^|[\s('"])(--[a-z][a-z0-9-]+)`)

// Whatever goes wrong with a server, the advice names flags that the command itself
// has, or those of another command that it names.
func TestAdviceNamesFlagsOfTheCommandItself(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: waits for servers that do not answer; run without -short")
	}
	t.Setenv("PFRING_CONFIG", "")
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	dir := t.TempDir()
	ko := filepath.Join(dir, "pf_ring.ko")
	if err := os.WriteFile(ko, moduletest.KO{Kernel: "6.1.0-18-cloud-amd64"}.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	url, public := signedRepository(t, "6.1.0-18-cloud-amd64")
	lists := strings.TrimPrefix(url, "file://")
	answer := func(code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	t.Cleanup(strange.Close)
	hosts := map[string]string{
		"an unknown authority": strings.TrimPrefix(strange.URL, "https://"), "nothing": "127.0.0.1:1", "a name that is not there": "pfring.invalid",
		"401": answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"your token has expired"}]}`), "403": answer(403, "<Error><Code>ExpiredToken</Code></Error>"),
		"404": answer(404, ""), "400": answer(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"), "a page": answer(200, "<html>"),
	}
	commands := map[string][]string{
		"compatibility": {"compatibility", "--kernel", "6.1.0-18-cloud-amd64", "--public-key", public, "--source-timeout", "2s", "--source", "URL"},
		"plan":          {"plan", "--kernel", "6.1.0-18-cloud-amd64", "--public-key", public, "--source-timeout", "2s", "--source", "URL"},
		"mirror from":   {"module", "mirror", "URL", filepath.Join(dir, "copy"), "--public-key", public},
		"mirror to":     {"module", "mirror", lists, "URL", "--public-key", public},
		"push":          {"module", "push", lists, "URL"},
		"inspect":       {"module", "inspect", "URL"},
		"pack":          {"module", "pack", ko, "--base", "scratch", "-o", "REF"},
		"pack's base":   {"module", "pack", ko, "--base", "REF", "-o", "oci:" + filepath.Join(dir, "layout")},
	}
	seen := 0
	for name, command := range commands {
		for what, host := range hosts {
			for _, scheme := range []string{"https://", "oci://", "s3://"} {
				if scheme == "s3://" && (!strings.HasPrefix(name, "mirror") || what == "nothing") {
					continue
				}
				args := at(command, scheme, host)
				root := cli.New(cli.Options{})
				cmd, _, err := root.Find(args)
				if err != nil {
					t.Fatal(err)
				}
				_, stderr, code := execute(t, "", append(args, requestTimeout(cmd.Flags())...)...)
				if code == 0 {
					continue
				}
				if strings.Contains(stderr, "API server") {
					t.Errorf("%s of %s, %s: takes another server for the API server\n%s", name, scheme, what, stderr)
				}
				for _, m := range advised.FindAllStringSubmatch(stderr, -1) {
					seen++
					if cmd.Flags().Lookup(strings.TrimPrefix(m[1], "--")) == nil && !strings.Contains(stderr, "pfring ") && !strings.Contains(stderr, "docker ") {
						t.Errorf("%s of %s, %s: %s has no %s\n%s", name, scheme, what, cmd.CommandPath(), m[1], stderr)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no advice names a flag")
	}
}

// at is a command for a place on a host, by a scheme.
func at(command []string, scheme, host string) []string {
	args, place := slices.Clone(command), scheme+host+"/pf-ring"
	if scheme == "s3://" {
		place = "s3://bucket/pf-ring"
		args = append(args, "--endpoint", "http://"+host, "--to-endpoint", "http://"+host)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(strings.ReplaceAll(args[i], "URL", place), "REF", host+"/pf-ring:v1")
	}
	return args
}

// requestTimeout keeps a command from waiting long, where it has a flag for that.
func requestTimeout(flags *pflag.FlagSet) []string {
	if flags.Lookup("request-timeout") == nil {
		return nil
	}
	return []string{"--request-timeout", "2s"}
}
