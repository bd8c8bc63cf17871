package credentials

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadReadsWhatIsThere(t *testing.T) {
	for name, test := range map[string]struct {
		dir    string
		want   Credentials
		header string
	}{
		"keys":     {folder(t, map[string]string{"accessKeyID": "A\n", "secretAccessKey": " S ", "sessionToken": "T"}), Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T"}, ""},
		"password": {folder(t, map[string]string{"username": "u", "password": "p"}), Credentials{Username: "u", Password: "p"}, "Basic dTpw"},
		"token":    {folder(t, map[string]string{"token": "t\n"}), Credentials{Token: "t"}, "Bearer t"},
		"others":   {folder(t, map[string]string{"readme": "x"}), Credentials{}, ""},
		"nothing":  {"", Credentials{}, ""},
		"nowhere":  {"/nowhere/at/all", Credentials{}, ""},
	} {
		got, err := Load(test.dir)
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", name, got.LogValue(), err)
		}
		r := &http.Request{Header: http.Header{}}
		if got.Authorize(r); r.Header.Get("Authorization") != test.header {
			t.Errorf("%s: %q", name, r.Header)
		}
	}
}

func TestLoadRefusesHalfOfAPair(t *testing.T) {
	unreadable := folder(t, nil)
	if err := os.Mkdir(filepath.Join(unreadable, "token"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"no secret": folder(t, map[string]string{"accessKeyID": "hidden"}), "no ID": folder(t, map[string]string{"secretAccessKey": "hidden"}),
		"no user": folder(t, map[string]string{"password": "hidden"}), "a folder": unreadable,
	} {
		_, err := Load(dir)
		var e *fault.Error
		if !errors.As(err, &e) || e.Reason != outcome.SourceForbidden || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	c := Credentials{AccessKeyID: "hidden", SecretAccessKey: "hidden", SessionToken: "hidden", Username: "hidden", Password: "hidden", Token: "hidden"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credentials", c)
	text := log.String() + fmt.Sprint(c) + fmt.Sprintf("%v %+v %s", c, c, c)
	if strings.Contains(text, "hidden") || !strings.Contains(text, "true") {
		t.Error(text)
	}
}
