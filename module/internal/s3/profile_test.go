package s3

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
)

const profiles = `# keys
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key=s
; a comment
[ work ]
aws_access_key_id=WORK
aws_secret_access_key = a=b
aws_session_token = t
[sso]
sso_session = x
[half]
aws_access_key_id=HALF
`

func TestTheUsersProfileComesLast(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".aws", "credentials")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	b := serve(t, good)
	for name, test := range map[string]struct {
		env  map[string]string
		auth credentials.Credentials
		want string
	}{
		"default":         {map[string]string{"HOME": home}, credentials.Credentials{}, "DEFAULT|"},
		"by name":         {map[string]string{"HOME": home, "AWS_PROFILE": "work"}, credentials.Credentials{}, "WORK|t"},
		"by file":         {map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file}, credentials.Credentials{}, "DEFAULT|"},
		"no such profile": {map[string]string{"HOME": home, "AWS_PROFILE": "none"}, credentials.Credentials{}, "|"},
		"without keys":    {map[string]string{"HOME": home, "AWS_PROFILE": "sso"}, credentials.Credentials{}, "|"},
		"half":            {map[string]string{"HOME": home, "AWS_PROFILE": "half"}, credentials.Credentials{}, "|"},
		"no file":         {map[string]string{"HOME": home + "/none"}, credentials.Credentials{}, "|"},
		"a Secret before": {map[string]string{"HOME": home}, credentials.Credentials{AccessKeyID: "STATIC", SecretAccessKey: "s"}, "STATIC|"},
	} {
		b.who = nil
		if _, err := fetch(t, open(t, test.env, func(o *Options) { o.Endpoint, o.Auth = b.URL, test.auth })); err != nil || b.who[0] != test.want {
			t.Errorf("%s: %v, %v", name, b.who, err)
		}
	}
	if k := parseProfile([]byte(profiles), "work"); k.SecretAccessKey != "a=b" {
		t.Errorf("%+v", k)
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(profiles), "work")
	f.Fuzz(func(t *testing.T, data []byte, profile string) {
		if k := parseProfile(data, profile); (k.AccessKeyID == "") != (k.SecretAccessKey == "") {
			t.Errorf("half a key: %+v", k)
		}
	})
}
