package dockerconfig_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/dockerconfig"
)

func auth(user string) string {
	return fmt.Sprintf(`{"auth":%q}`, base64.StdEncoding.EncodeToString([]byte(user+":secret")))
}

func TestFindTakesTheEntryThatFitsBest(t *testing.T) {
	for name, c := range map[string]struct{ registry, repository, auths, user string }{
		"by host":                           {"r.example.com", "a/b", `"r.example.com":` + auth("host"), "host"},
		"as docker login writes it":         {"r.example.com", "a/b", `"https://r.example.com/v1/":` + auth("host"), "host"},
		"Docker Hub":                        {"docker.io", "library/x", `"https://index.docker.io/v1/":` + auth("hub"), "hub"},
		"Docker Hub by its address":         {"registry-1.docker.io", "library/x", `"https://index.docker.io/v1/":` + auth("hub"), "hub"},
		"Docker Hub's address as a key":     {"docker.io", "library/x", `"registry-1.docker.io":` + auth("hub"), "hub"},
		"a glob":                            {"r.example.com", "a/b", `"*.example.com":` + auth("glob"), "glob"},
		"a glob within a name":              {"123.dkr.ecr.eu-west-1.amazonaws.com", "a", `"*.dkr.ecr.*.amazonaws.com":` + auth("glob"), "glob"},
		"a glob is one name":                {"a.r.example.com", "a/b", `"*.example.com":` + auth("glob"), ""},
		"no glob before a glob":             {"r.example.com", "a/b", `"*.example.com":` + auth("glob") + `,"r.example.com":` + auth("host"), "host"},
		"a path before none":                {"r.example.com", "team/x", `"r.example.com":` + auth("host") + `,"r.example.com/team":` + auth("team"), "team"},
		"a glob with a path before a host":  {"r.example.com", "team/x", `"r.example.com":` + auth("host") + `,"*.example.com/team":` + auth("team"), "team"},
		"a path ends between slashes":       {"r.example.com", "teams/x", `"r.example.com/team":` + auth("team"), ""},
		"another port":                      {"r.example.com:5000", "a", `"r.example.com":` + auth("host"), ""},
		"the same port":                     {"r.example.com:5000", "a", `"*.example.com:5000":` + auth("glob"), "glob"},
		"another's entry may hold anything": {"r.example.com", "a", `"r.example.com":` + auth("host") + `,"x.example.com":{"auth":"%"},"y":7`, "host"},
		"a pattern that is none":            {"r.example.com", "a", `"[.example.com":` + auth("glob"), ""},
		"user and password":                 {"r.example.com", "a", `"r.example.com":{"username":"u","password":"p"}`, "u"},
	} {
		got, err := dockerconfig.Find([]byte(`{"auths":{`+c.auths+`}}`), c.registry, c.repository)
		if err != nil || got.Username != c.user {
			t.Errorf("%s: %q, %v, want %q", name, got.Username, err, c.user)
		}
	}
}

func TestFindRefusesWhatItNeedsAndCannotRead(t *testing.T) {
	for data, want := range map[string]error{
		`not json`:                      dockerconfig.ErrForm,
		`{"auths":[]}`:                  dockerconfig.ErrForm,
		`{"auths":{"r":{"auth":"%"}}}`:  dockerconfig.ErrLogin,
		`{"auths":{"r":{"auth":"eA"}}}`: dockerconfig.ErrLogin,
		`{"auths":{"r":7}}`:             dockerconfig.ErrLogin,
		`{"credsStore":"desktop"}`:      nil,
	} {
		if l, err := dockerconfig.Find([]byte(data), "r", "x"); !errors.Is(err, want) || (l != dockerconfig.Login{}) {
			t.Errorf("%s: %+v, %v, want %v", data, l, err, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(`{"auths":{"*.example.com/team":`+auth("u")+`}}`), "r.example.com", "team/x")
	f.Fuzz(func(t *testing.T, data []byte, registry, repository string) {
		if l, err := dockerconfig.Find(data, registry, repository); err != nil && (l != dockerconfig.Login{}) {
			t.Error("a login together with an error")
		}
	})
}
