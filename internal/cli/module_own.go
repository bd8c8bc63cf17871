package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

// ownIndex are the flags by which a copy gets an index of its own.
type ownIndex struct {
	shrinkFlags
	key, expires string
}

func (f *ownIndex) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.key, "key", "", "minisign secret key: write an index of what is copied, signed with it")
	fl.StringVar(&f.expires, "expires", "365d", "with --key: how long nodes may use the index; 0 means that it does not expire")
	f.shrinkFlags.register(cmd)
	for _, name := range []string{"strip", "compress"} {
		fl.Lookup(name).Usage = "with --key: " + fl.Lookup(name).Usage
	}
	complete(cmd, "expires", cobra.NoFileCompletions)
}

// apply makes the run publish an index of its own, and returns the public key that
// nodes need then; "" without --key.
func (f *ownIndex) apply(cmd *cobra.Command, o *mirror.Options) (public string, err error) {
	if f.key == "" {
		if f.strip || f.compress {
			return "", errors.New("--strip and --compress require --key, since the changed modules need a new index")
		}
		return "", nil
	}
	life, err := lifetime(f.expires)
	if err != nil {
		return "", err
	}
	key, err := readKey(cmd, f.key)
	if err != nil {
		return "", err
	}
	o.Sign = func(index module.Index) ([]byte, []byte, error) {
		return mirror.SignIndex(index, key, time.Now(), life)
	}
	if shrink := f.options(); !shrink.Nothing() {
		o.Change = shrink.Entry
	}
	return mirror.PublicKey(key), nil
}
