package mirror

import (
	"encoding/json"
	"fmt"
	"time"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

// SignIndex makes an index of one's own and signs it. Its serial is the time in
// seconds since 1970, so that it grows with every run wherever that is made.
func SignIndex(index module.Index, key minisign.PrivateKey, now time.Time, life time.Duration) (data, signature []byte, err error) {
	now = now.UTC().Truncate(time.Second)
	index.Created, index.Expires = now, time.Time{}
	if life > 0 {
		index.Expires = now.Add(life)
	}
	index.Serial = max(now.Unix(), index.Serial)
	if data, err = json.MarshalIndent(index, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("cannot write the index: %w", err)
	}
	data = append(data, '\n')
	return data, repository.Signature(data, index.Serial, key, now), nil
}

// PublicKey is the line that source.publicKeys takes for key.
func PublicKey(key minisign.PrivateKey) string {
	if public, ok := key.Public().(minisign.PublicKey); ok {
		return public.String()
	}
	return ""
}
