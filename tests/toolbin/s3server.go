package toolbin

import "path/filepath"

// S3Server returns the path of versitygw, which serves a folder by the S3
// protocol. Building it takes about two minutes, once for each go.sum of its own.
func S3Server() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return pinned(filepath.Join(root, "tests", "s3server"), "s3server-", "github.com/versity/versitygw/cmd/versitygw", "versitygw", "-s -w")
}
