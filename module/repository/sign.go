package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Sign signs dir/index.json with a minisign key and replaces the signature
// beside it at once. An index that a node would refuse is not signed.
func Sign(ctx context.Context, dir string, key minisign.PrivateKey, now time.Time) (index *module.Index, err error) {
	r, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	path := filepath.Join(dir, module.IndexName)
	data, err := r.read(module.IndexName)
	if err != nil {
		return nil, fmt.Errorf("cannot read the index to sign: %w", err)
	}
	if index, err = module.ParseIndex(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !index.Expires.IsZero() && !index.Expires.After(now) {
		return nil, fmt.Errorf("%s expired on %s. Create a new one with pfring module index", path, index.Expires.Format(time.DateOnly))
	}
	return index, atomicfile.ReplaceIn(r.root, module.SignatureName, Signature(data, index.Serial, key, now), 0o644)
}

// Signature is the minisign signature of an index with this serial.
func Signature(index []byte, serial int64, key minisign.PrivateKey, now time.Time) []byte {
	hashed := minisign.NewReader(bytes.NewReader(index))
	_, _ = io.Copy(io.Discard, hashed) // of bytes in memory: cannot fail
	comment := fmt.Sprintf("timestamp:%d\tfile:%s\tserial:%d", now.Unix(), module.IndexName, serial)
	return hashed.SignWithComments(key, comment, "signature of a PF_RING module index")
}

// maxKey bounds a key's file, in bytes: it may be a pipe or a device.
const maxKey = 64 << 10

// ReadKey reads a minisign secret key. password is asked only for a key that is
// encrypted.
func ReadKey(path string, password func() (string, error)) (minisign.PrivateKey, error) {
	var key minisign.PrivateKey
	data, err := readfile.Bounded(path, maxKey)
	if err != nil {
		return key, fmt.Errorf("cannot read the secret key: %w", err)
	}
	if !minisign.IsEncrypted(data) {
		if err := key.UnmarshalText(data); err != nil {
			return key, fmt.Errorf("%s is not a minisign secret key: %w", path, err)
		}
		return key, nil
	}
	pass, err := password()
	if err != nil {
		return key, fmt.Errorf("cannot read the password of %s: %w", path, err)
	}
	if key, err = minisign.DecryptKey(pass, data); err != nil {
		return key, fmt.Errorf("cannot open %s: the password is wrong, or the file is damaged", path)
	}
	return key, nil
}

// NewKey writes a fresh key pair, the secret key to path and the public one to
// path.pub, and returns the public key's line. An existing file is left alone.
// With an empty password the secret key is not encrypted.
func NewKey(path, password string) (string, error) {
	for _, p := range []string{path, path + ".pub"} {
		if _, err := os.Lstat(p); err == nil {
			return "", fmt.Errorf("%s already exists and is not replaced", p)
		}
	}
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		return "", fmt.Errorf("cannot create a key: %w", err)
	}
	var secret []byte
	if password != "" {
		secret, err = minisign.EncryptKey(password, private)
	} else {
		secret, err = private.MarshalText()
	}
	if err != nil {
		return "", fmt.Errorf("cannot create a key: %w", err)
	}
	text, err := public.MarshalText()
	if err != nil {
		return "", fmt.Errorf("cannot create a key: %w", err)
	}
	if err := atomicfile.Replace(path, append(secret, '\n'), 0o600); err != nil {
		return "", err
	}
	if err := atomicfile.Replace(path+".pub", append(text, '\n'), 0o644); err != nil {
		// One half of a pair is of no use, and stands in the way of the next try.
		return "", errors.Join(err, os.Remove(path))
	}
	return public.String(), nil
}
