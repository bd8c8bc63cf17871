package s3_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
)

func TestModulesComeWithTheKeysOnly(t *testing.T) {
	server := s3.Start(t)
	repository := moduletest.NewRepository(t).Add(moduletest.KO{}, module.FormatZst).Sign()
	objects := map[string][]byte{}
	for name, data := range repository.Files {
		objects["pf-ring/"+name] = data
	}
	server.Put(t, "modules", objects)
	for name, c := range map[string]struct {
		key, secret string
		reason      outcome.Reason
	}{
		"the keys":     {server.AccessKey, server.SecretKey, ""},
		"wrong secret": {server.AccessKey, "guessed", outcome.SourceForbidden},
		"unknown key":  {"AKIDNOBODY", server.SecretKey, outcome.SourceForbidden},
		"anonymous":    {"", "", outcome.SourceForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			credentials := t.TempDir()
			if c.key != "" {
				write(t, filepath.Join(credentials, "accessKeyID"), c.key)
				write(t, filepath.Join(credentials, "secretAccessKey"), c.secret)
			}
			source, err := module.OpenSource(module.SourceOptions{
				URL: "s3://modules/pf-ring", Endpoint: "http://" + server.Address, PathStyle: true, CredentialsDir: credentials,
			})
			if err != nil {
				t.Fatal(err)
			}
			v, err := module.Get(context.Background(), source, module.Request{
				Kernel: moduletest.Kernel, Arch: "amd64", PublicKeys: []string{repository.PublicKey},
			})
			if e := (*module.Error)(nil); c.reason != "" && (!errors.As(err, &e) || e.Reason != c.reason) {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
			if c.reason == "" && (err != nil || v.Info.Name != "pf_ring") {
				t.Fatalf("got %+v, %v", v, err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
