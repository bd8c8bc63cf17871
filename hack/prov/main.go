// Command prov signs archives of charts and Helm plugins as `helm verify` and
// `helm plugin verify` expect it: FILE.prov beside each FILE is a message in clear
// with the metadata and the sha256, signed by an OpenPGP key. hack/dist.sh runs it:
//
//	go run ./hack/prov --key KEY.asc FILE.tgz…
//
// --public writes the key's public half too, which those who verify import.
// A passphrase of the key is read from the environment, PROV_PASSPHRASE. The same
// key, archives and SOURCE_DATE_EPOCH give the same bytes.
package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/archive"
	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
)

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var key, public string
	cmd := &cobra.Command{
		Use: "prov --key KEY.asc FILE…", Short: "Sign archives as Helm does", Args: cobra.MinimumNArgs(1), SilenceUsage: true,
		RunE: func(_ *cobra.Command, files []string) error {
			entity, err := readKey(key)
			if err != nil {
				return err
			}
			if public != "" {
				if err := writePublic(public, entity); err != nil {
					return fmt.Errorf("cannot write %s: %w", public, err)
				}
			}
			signer, err := open(key, entity, os.Getenv("PROV_PASSPHRASE"))
			if err != nil {
				return err
			}
			at, err := sourcedate.Get(sourcedate.Epoch())
			if err != nil {
				return err
			}
			for _, file := range files {
				if err := sign(file, signer, at); err != nil {
					return fmt.Errorf("cannot sign %s: %w", file, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "file with the armored private key")
	cmd.Flags().StringVar(&public, "public", "", "file to write the armored public key to")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err)
	}
	return cmd
}

func readKey(file string) (*openpgp.Entity, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- named by the caller
	if err != nil {
		return nil, err
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read the key %s: %w", file, err)
	}
	if len(ring) != 1 || ring[0].PrivateKey == nil {
		return nil, fmt.Errorf("invalid key %s: must hold one private key", file)
	}
	return ring[0], nil
}

// open is the private key, decrypted.
func open(file string, entity *openpgp.Entity, passphrase string) (*packet.PrivateKey, error) {
	signer := entity.PrivateKey
	if signer.Encrypted {
		if err := signer.Decrypt([]byte(passphrase)); err != nil {
			return nil, fmt.Errorf("cannot open the key %s: %w. Set PROV_PASSPHRASE", file, err)
		}
	}
	return signer, nil
}

// writePublic writes what is public of a key, with the signatures that it came with.
func writePublic(file string, entity *openpgp.Entity) error {
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(entity.Serialize(w), w.Close()); err != nil {
		return err
	}
	out.WriteByte('\n')
	return atomicfile.Replace(file, out.Bytes(), 0o644)
}

func sign(file string, signer *packet.PrivateKey, at time.Time) error {
	data, err := os.ReadFile(file) // #nosec G304 -- named by the caller
	if err != nil {
		return err
	}
	metadata, err := metadataOf(file, data)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, signer, &packet.Config{Time: func() time.Time { return at }, DefaultHash: crypto.SHA512, NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s\n...\nfiles:\n  %s: sha256:%x\n", bytes.TrimSpace(metadata), filepath.Base(file), sha256.Sum256(data)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return atomicfile.Replace(file+".prov", out.Bytes(), 0o644)
}

// metadataOf is the archive's Chart.yaml or plugin.yaml.
func metadataOf(file string, data []byte) ([]byte, error) {
	files, err := archive.Read(file, data)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		// At the top, or in the only folder there.
		dir, name := filepath.Split(f.Name)
		if (name == "Chart.yaml" || name == "plugin.yaml") && (dir == "" || filepath.Dir(filepath.Clean(dir)) == ".") {
			return f.Data, nil
		}
	}
	return nil, errors.New("it holds neither Chart.yaml nor plugin.yaml")
}
