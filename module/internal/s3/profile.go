package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// maxProfile bounds, in bytes, AWS's shared credentials file.
const maxProfile = 1 << 20

// profile reads the keys of the user's profile from AWS's shared credentials
// file; none where the file does not exist, as on a node. Only keys are taken: a
// profile that runs a program or asks a browser is not followed.
func (i *identity) profile() (keys, error) {
	file := i.getenv("AWS_SHARED_CREDENTIALS_FILE")
	if home := i.getenv("HOME"); file == "" && home != "" {
		file = filepath.Join(home, ".aws", "credentials")
	}
	name := i.getenv("AWS_PROFILE")
	if name == "" {
		name = "default"
	}
	if file == "" {
		return keys{}, nil
	}
	data, err := readfile.Regular(file, maxProfile)
	if errors.Is(err, fs.ErrNotExist) {
		return keys{}, nil
	}
	if err != nil {
		return keys{}, refusedIdentity("read the AWS credentials file", file, readfile.Cause(err).Error())
	}
	return parseProfile(data, name), nil
}

// parseProfile reads one profile's keys: lines of name = value below [profile].
func parseProfile(data []byte, profile string) keys {
	var k keys
	within := false
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			within = strings.TrimSpace(strings.Trim(line, "[]")) == profile
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !within || !ok {
			continue
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.AccessKeyID = value
		case "aws_secret_access_key":
			k.SecretAccessKey = value
		case "aws_session_token":
			k.SessionToken = value
		}
	}
	if k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return keys{}
	}
	return k
}
