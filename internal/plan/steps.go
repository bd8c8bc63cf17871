package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// steps says what must be done before the installation.
func (d *decision) steps() {
	if cluster.TooOld(d.Addons.Kubernetes) && d.plan.Way != None {
		d.first(Step{What: "Upgrade the cluster to Kubernetes " + cluster.OldestKubernetes + " or newer: it has " + d.Addons.Kubernetes + ", on which Helm refuses the chart"})
	}
	switch d.plan.Way {
	case AutoPrivate:
		d.stepRepository()
	case Auto:
		d.stepMissing()
		d.stepRefused()
	case AutoSupply:
		d.stepMissing()
	case KMMPrebuilt, KMMBuild:
		d.stepKMM()
		d.stepImages()
	case Keep, None:
	}
	d.stepsSeen()
}

func (d *decision) stepRepository() {
	what := "Put the modules of these kernels into a folder, create its index, and upload it to where the nodes can read it (https, s3, oci or a volume): " +
		d.wanted()
	if lack, _ := d.missing(); len(lack) > 0 && !d.SourceUnread {
		what += ". To be built first: " + some(lack)
	}
	d.first(Step{What: what, Command: "pfring module keygen pfring.key && pfring module index DIR --key pfring.key"})
	d.first(Step{What: "Then plan again with it", Command: "pfring plan --source URL --public-key pfring.key.pub"})
}

func (d *decision) stepMissing() {
	all, scripted := d.missing()
	if lack := slices.DeleteFunc(all, func(k string) bool { return slices.Contains(scripted, k) }); len(lack) > 0 {
		d.first(Step{
			What:    "Build PF_RING for these kernels and add it to the repository; until then their nodes capture with libpcap: " + some(lack),
			Command: "pfring module build --repository DIR --key pfring.key",
		})
	}
	if len(scripted) > 0 {
		d.first(Step{
			What:    "No recipe builds for these kernels; until you build PF_RING for them with your own script and add it to the repository, their nodes capture with libpcap: " + some(scripted),
			Command: "pfring module build --repository DIR --key pfring.key --image IMAGE --script FILE",
		})
	}
}

// stepRefused: the modules are there, and no node would take them.
func (d *decision) stepRefused() {
	seen := map[string]bool{}
	for _, k := range d.kernels {
		if k.refused == "" || seen[k.refused] || k.takes() == 0 {
			continue
		}
		seen[k.refused] = true
		s := Step{What: "The repository is rejected (" + k.refused + ")."}
		if info, ok := outcome.Describe(outcome.Reason(k.refused)); ok {
			s.What = fmt.Sprintf("%s (%s) %s", info.Cause, k.refused, info.Remedy)
		}
		if k.refused == string(outcome.SourceUnsigned) {
			s.Command = "pfring plan --set tap.kernelModule.source.verify=none   # trusts it without verification"
		}
		d.first(s)
	}
}

func (d *decision) stepKMM() {
	seen := " (not seen in this cluster)"
	if !d.Addons.Known {
		seen = ""
	}
	if d.Addons.KMM && d.Addons.KMMRuns == outcome.No {
		d.first(Step{What: "Start the operator of Kernel Module Management: its API is installed, but its controller does not run", Command: "pfring prereq check --mode kmm --only kmm"})
	}
	if !d.Addons.CertManager && !d.Addons.OpenShift {
		d.first(Step{What: "Install cert-manager" + seen, Link: "https://cert-manager.io/docs/installation/"})
	}
	if !d.Addons.KMM {
		link := "https://kmm.sigs.k8s.io/documentation/install/"
		if d.Addons.OpenShift {
			link = "https://docs.openshift.com/container-platform/latest/hardware_enablement/kmm-kernel-module-management.html"
		}
		d.first(Step{What: "Install Kernel Module Management" + seen, Link: link})
	}
}

func (d *decision) stepImages() {
	if lack, _ := d.missing(); len(lack) > 0 {
		what := fmt.Sprintf("Build and push an image for each of these kernels, with the module in /opt/lib/modules/RELEASE, depmod's files and /bin/sh: %s", some(lack))
		if d.ImageRepository == PublicImages {
			what += ". You cannot push to the public repository: set your own with --image-repository"
		}
		d.first(Step{What: what})
	}
	if d.plan.Way == KMMBuild {
		d.stepBuild()
	}
}

// notes say what else to know.
func (d *decision) notes() {
	if d.plan.Way == None {
		d.note("Kubeshark captures with libpcap there; nothing needs to be installed.")
		return
	}
	d.notesUnserved()
	sure := false
	for _, k := range d.kernels {
		if k.forbidden > 0 {
			d.note("%s with kernel %s: modules cannot be loaded there, and capture uses libpcap. %s", text.Count(k.forbidden, "node"), k.release, k.forbids)
		}
		if k.unsure > 0 {
			d.note("%s with kernel %s: the module may be refused there. %s", text.Count(k.unsure, "node"), k.release, k.doubts)
		}
		sure = sure || k.takes() > k.unsure
	}
	if sure && len(d.Seen) == 0 {
		d.note("The API does not show Secure Boot and lockdown. pfring plan --probe asks the nodes beforehand; afterwards pfring status shows a node that is locked down.")
	}
	switch d.plan.Mode {
	case "kmm":
		if d.Images == nil {
			d.note("Whether the images exist was not checked: pfring compatibility checks that for values of mode kmm.")
		}
		d.noteImages()
		d.note("KMM's worker pods run in the release's namespace and require Pod Security level privileged there.")
		d.noteBuild()
		if d.Mode == "" {
			d.note("Without KMM: build the missing modules into your own repository, and plan with --mode auto --source URL.")
		}
	case "auto":
		d.notesAuto()
		d.note("A node without a module falls back to libpcap; capture is never blocked.")
	}
	if !d.NoEgress && d.PublicSource && d.plan.Mode == "auto" && len(d.Seen) == 0 {
		d.note("Nodes must reach %s; if they cannot, plan with --no-egress.", cmp.Or(d.Report.Source, "the source"))
	}
}

// notesUnserved says which kernels KMM cannot serve.
func (d *decision) notesUnserved() {
	for _, k := range d.plan.Kernels {
		if k.unserved {
			d.note("%s with kernel %s: %s. Use mode auto for such nodes: plan with --mode auto.", text.Count(k.Nodes, "node"), k.Kernel, k.Why)
		}
	}
}

// notesAuto says what else to know of mode auto.
func (d *decision) notesAuto() {
	for _, k := range d.plan.Kernels {
		if k.By == bySupply && k.Supported == compatibility.Unknown {
			d.note("%s with kernel %s: %s", text.Count(k.Nodes, "node"), k.Kernel, k.Why)
		}
	}
	if strings.HasPrefix(d.SourceURL, "file://") && !d.SourceMounted {
		d.note("The planned values have each node read its own folder %s: copy the repository there, or set source.volume to another volume.", strings.TrimPrefix(d.SourceURL, "file://"))
	}
	if d.plan.Way == AutoSupply {
		d.note("The controller's build Jobs fetch compiler, headers and PF_RING's source: nodes, or the proxy of tap.kernelModule.supply.builder, must reach them.")
	}
}

// noteImages says which images could not be looked up, each cause once.
func (d *decision) noteImages() {
	seen := map[string]bool{}
	for _, k := range d.plan.Kernels {
		cause := strings.ReplaceAll(k.Why, k.Image, "")
		if d.Images == nil || k.By != byImage || k.Supported != compatibility.Unknown || k.Why == "" || seen[cause] {
			continue
		}
		seen[cause] = true
		d.note("Whether the image of kernel %s is there is not known. %s", k.Kernel, k.Why)
	}
}

// wanted lists the kernels that a repository of one's own needs.
func (d *decision) wanted() string {
	var list []string
	for _, k := range d.kernels {
		if k.takes() > 0 {
			list = append(list, k.release+" ("+k.arch+")")
		}
	}
	return some(list)
}

// some shortens a long list; the plan's kernels have all of it.
func some(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
