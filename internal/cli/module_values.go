package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

// published is a repository that nodes are to read.
type published struct {
	// url is the destination as source.url has it, or a tarball's name.
	url string
	// keys verify its index; empty where they are not known.
	keys []string
	// caFile has the authority of its server; "" for one that everybody trusts.
	caFile string
	// region, endpoint and pathStyle are for s3.
	region, endpoint string
	pathStyle        bool
}

// publishedValues are values under tap.kernelModule.source, in the order in which
// people read them.
type publishedValues struct {
	URL        string          `json:"url"`
	Region     string          `json:"region,omitempty"`
	Endpoint   string          `json:"endpoint,omitempty"`
	PathStyle  bool            `json:"pathStyle,omitempty"`
	Verify     string          `json:"verify,omitempty"`
	PublicKeys []string        `json:"publicKeys,omitempty"`
	CABundle   *publishedCA    `json:"caBundle,omitempty"`
	Volume     *publishedMount `json:"volume,omitempty"`
}

type publishedCA struct {
	ConfigMap string `json:"configMap"`
	Key       string `json:"key"`
}

type publishedMount struct {
	HostPath struct {
		Path string `json:"path"`
		Type string `json:"type"`
	} `json:"hostPath"`
}

// caConfigMap is the ConfigMap that the printed values name.
const caConfigMap = "pfring-ca"

// tell sums a run up on stderr and prints values that nodes can use, as they are.
func (p published) tell(cmd *cobra.Command, r *mirror.Result) error {
	var remarks strings.Builder
	fmt.Fprintf(&remarks, "%s: %s, %d new, %s; serial %d\n", printout.Line(p.url), text.Count(r.Total-r.Absent, "module"), r.Copied, megabytes(r.Bytes), r.Index.Serial)
	if r.Absent > 0 {
		fmt.Fprintf(&remarks, "%s of the index left out: the source holds only some of the modules\n", text.Count(r.Absent, "module"))
	}
	if !strings.Contains(p.url, "://") {
		fmt.Fprintf(&remarks, "Next, from a machine that can reach the nodes' repository: %s module mirror %s DESTINATION\n", cmd.Root().CommandPath(), printout.Shell(p.url))
		_, err := fmt.Fprint(cmd.ErrOrStderr(), remarks.String())
		return err
	}
	v := publishedValues{URL: p.url, PublicKeys: p.keys}
	if strings.HasPrefix(p.url, "s3://") {
		v.Region, v.Endpoint, v.PathStyle = p.region, p.endpoint, p.pathStyle
	}
	switch {
	case !r.Signed:
		v.Verify, v.PublicKeys = "checksum", nil
		fmt.Fprintf(&remarks, "The index is not signed, so the values below check checksums only. To sign it: %s module sign --help\n", cmd.Root().CommandPath())
	case len(p.keys) == 0:
		fmt.Fprintln(&remarks, "Add the public key of the index's signature to the values below, as source.publicKeys.")
	}
	if dir, ok := strings.CutPrefix(p.url, "file://"); ok {
		v.Volume = &publishedMount{}
		v.Volume.HostPath.Path, v.Volume.HostPath.Type = dir, "Directory"
		fmt.Fprintln(&remarks, "The values below read the folder on each node; with another volume, such as a PersistentVolumeClaim, change source.volume.")
	} else if p.caFile != "" {
		v.CABundle = &publishedCA{caConfigMap, "ca.crt"}
		fmt.Fprintf(&remarks, "The values below need the CA in the release's namespace. Run: kubectl create configmap %s --from-file=ca.crt=%s\n", caConfigMap, printout.Shell(p.caFile))
	}
	out, err := yaml.Marshal(map[string]any{"tap": map[string]any{"kernelModule": map[string]any{"source": v}}})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(cmd.ErrOrStderr(), remarks.String()); err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(out)
	return err
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
