// Package credentials reads what a source needs to get in from a folder, such
// as a mounted Secret. It never prints what it reads.
package credentials

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxCredential bounds, in bytes, one file of a Secret.
const maxCredential = 64 << 10

// Credentials are what a folder holds; "" where it holds no such file.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Username, Password                         string
	Token                                      string
	// IdentityToken is exchanged for a Token by a registry's token service.
	IdentityToken string
}

// Load reads the files accessKeyID, secretAccessKey, sessionToken, username,
// password and token in dir. A missing folder or file means none. It fails
// with *fault.Error when one is there and cannot be read, and when half of a
// pair is missing.
func Load(dir string) (Credentials, error) {
	var c Credentials
	if dir == "" {
		return c, nil
	}
	for name, value := range map[string]*string{
		"accessKeyID": &c.AccessKeyID, "secretAccessKey": &c.SecretAccessKey, "sessionToken": &c.SessionToken,
		"username": &c.Username, "password": &c.Password, "token": &c.Token,
	} {
		data, err := readfile.Regular(filepath.Join(dir, name), maxCredential)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Credentials{}, unusable(filepath.Join(dir, name), readfile.Cause(err).Error())
		}
		*value = strings.TrimSpace(string(data))
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return Credentials{}, unusable(dir, "only one of accessKeyID and secretAccessKey is there")
	}
	if c.Username == "" && c.Password != "" {
		return Credentials{}, unusable(dir, "there is a password and no username")
	}
	return c, nil
}

func unusable(where, why string) error {
	return &fault.Error{
		Reason: outcome.SourceForbidden, What: "read the source's credentials", Where: where, Why: why,
		Do: "Check the Secret that tap.kernelModule.source.credentialsSecret names.",
	}
}

// Authorize adds username and password, or the token, to r.
func (c Credentials) Authorize(r *http.Request) {
	switch {
	case c.Username != "":
		r.SetBasicAuth(c.Username, c.Password)
	case c.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
}

// LogValue keeps the values out of logs.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("keys", c.AccessKeyID != ""), slog.Bool("user", c.Username != ""), slog.Bool("token", c.Token+c.IdentityToken != ""))
}

// String keeps the values out of messages.
func (c Credentials) String() string { return c.LogValue().String() }
