package build

import (
	"embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// SetBuilder is what the caller of `pfring module build` can do where there is no
// recipe. Errors end with it; who builds by other settings puts its own in its place.
const SetBuilder = "Set a builder with --image and --script"

// NoRecipe is why nothing is built for a system or kernel.
type NoRecipe struct {
	// Why has no period at its end. Remedy is for the caller of `pfring module build`.
	Why, Remedy string
}

func (e *NoRecipe) Error() string { return e.Why + ". " + e.Remedy }

func noRecipe(format string, args ...any) error {
	return &NoRecipe{Why: fmt.Sprintf(format, args...), Remedy: SetBuilder}
}

//go:embed recipes/*.sh
var recipes embed.FS

// Recipe is how a distribution gets what it takes to compile a module.
type Recipe struct {
	// Name is the file below recipes/, without its ending.
	Name string
	// Title names the distribution and version that it was made for.
	Title string
	// Image is that distribution's own.
	Image string
	// Packages is the address of the distribution's packages, without a version;
	// "" where it depends on a subscription or region.
	Packages string
	// Proven says that tests compile with it and load the result.
	Proven bool
}

// family is one distribution, or a few that go by the same recipe.
type family struct {
	title, recipe string
	// osImage matches what a node calls itself, with the version that goes into
	// image, at its %s, or the versions, at its %[1]s and %[2]s. Where it takes no
	// version out, image has none either.
	osImage func() *regexp.Regexp
	// example is what a node of the newest version calls itself.
	example string
	image   string
	// oldest and newest bound the version's first number; 0 means no bound.
	oldest, newest int
	proven         bool
	// packages is where the image gets its packages from.
	packages string
}

// families are all distributions that have a recipe. The first one whose osImage
// matches counts.
var families = []family{
	{"Debian", "debian", lazyregexp.New(`^Debian GNU/Linux (\d+)`), "Debian GNU/Linux 12 (bookworm)", "docker.io/library/debian:%s", 11, 0, true, "http://deb.debian.org/debian/"},
	{"Ubuntu", "debian", lazyregexp.New(`^Ubuntu (\d+\.\d+)`), "Ubuntu 24.04 LTS", "docker.io/library/ubuntu:%s", 20, 0, false, "http://archive.ubuntu.com/ubuntu/"},
	{"Red Hat Enterprise Linux", "el", lazyregexp.New(`^Red Hat Enterprise Linux (?:Server )?(\d+)`), "Red Hat Enterprise Linux 9.4 (Plow)", "registry.access.redhat.com/ubi%[1]s/ubi:latest", 8, 10, false, "https://cdn-ubi.redhat.com/"},
	{"Rocky Linux", "el", lazyregexp.New(`^Rocky Linux (\d+)`), "Rocky Linux 9.4 (Blue Onyx)", "quay.io/rockylinux/rockylinux:%s", 8, 10, false, "https://mirrors.rockylinux.org/"},
	{"AlmaLinux", "el", lazyregexp.New(`^AlmaLinux (\d+)`), "AlmaLinux 9.4", "docker.io/library/almalinux:%s", 8, 10, false, "https://mirrors.almalinux.org/"},
	{"Oracle Linux", "el", lazyregexp.New(`^Oracle Linux Server (\d+)`), "Oracle Linux Server 9.4", "container-registry.oracle.com/os/oraclelinux:%s", 8, 10, false, "https://yum.oracle.com/"},
	{"CentOS Stream", "el", lazyregexp.New(`^CentOS Stream (\d+)`), "CentOS Stream 9", "quay.io/centos/centos:stream%s", 8, 10, false, "https://mirrors.centos.org/"},
	{"Amazon Linux 2023", "amazon2023", lazyregexp.New(`^Amazon Linux (2023)`), "Amazon Linux 2023.6", "public.ecr.aws/amazonlinux/amazonlinux:%s", 0, 0, false, "https://cdn.amazonlinux.com/"},
	{"Amazon Linux 2", "amazon2", lazyregexp.New(`^Amazon Linux (2)(?:\D|$)`), "Amazon Linux 2", "public.ecr.aws/amazonlinux/amazonlinux:%s", 0, 0, false, "https://cdn.amazonlinux.com/"},
	{"Fedora", "el", lazyregexp.New(`^Fedora (?:Linux |CoreOS )?(\d+)`), "Fedora Linux 43 (Server Edition)", "quay.io/fedora/fedora:%s", 39, 0, false, "https://mirrors.fedoraproject.org/"},
	{"Azure Linux", "azurelinux", lazyregexp.New(`^(?:Microsoft )?Azure Linux (\d+\.\d+)`), "Microsoft Azure Linux 3.0", "mcr.microsoft.com/azurelinux/base/core:%s", 3, 0, false, "https://packages.microsoft.com/"},
	{"CBL-Mariner 2", "azurelinux", lazyregexp.New(`^CBL-Mariner`), "CBL-Mariner/Linux", "mcr.microsoft.com/cbl-mariner/base/core:2.0", 0, 0, false, "https://packages.microsoft.com/"},
	{"Photon OS", "photon", lazyregexp.New(`^VMware Photon OS`), "VMware Photon OS/Linux", "docker.io/library/photon:5.0", 0, 0, false, "https://packages.broadcom.com/"},
	{"SUSE Linux Enterprise Server 15", "suse", lazyregexp.New(`^SUSE Linux Enterprise Server (15) SP(\d+)`), "SUSE Linux Enterprise Server 15 SP7", "registry.suse.com/bci/bci-sle%[1]s-kernel-module-devel:%[1]s.%[2]s", 0, 0, false, ""},
	{"SUSE Linux Enterprise Server", "suse", lazyregexp.New(`^SUSE Linux Enterprise Server (\d+)\.(\d+)`), "SUSE Linux Enterprise Server 16.0", "registry.suse.com/bci/bci-sle%[1]s-kernel-module-devel:%[1]s.%[2]s", 16, 0, false, ""},
	{"openSUSE Leap", "suse", lazyregexp.New(`^openSUSE Leap (\d+\.\d+)`), "openSUSE Leap 15.6", "registry.opensuse.org/opensuse/leap:%s", 15, 0, false, "http://download.opensuse.org/"},
	{"openSUSE Tumbleweed and MicroOS", "suse", lazyregexp.New(`^openSUSE (?:Tumbleweed|MicroOS)`), "openSUSE Tumbleweed", "registry.opensuse.org/opensuse/tumbleweed:latest", 0, 0, false, "http://download.opensuse.org/"},
}

// Recipes lists one for each distribution that is known, at its newest version.
func Recipes() []Recipe {
	list := make([]Recipe, len(families))
	for i, f := range families {
		list[i], _ = RecipeFor(f.example) // a test holds that all are known
	}
	return list
}

// RecipeFor finds the recipe for what a node calls its system (osImage). The
// error says what to do instead.
func RecipeFor(osImage string) (Recipe, error) {
	for _, f := range families {
		m := f.osImage().FindStringSubmatch(osImage)
		if m == nil {
			continue
		}
		if len(m) == 1 {
			return Recipe{Name: f.recipe, Title: f.title, Image: f.image, Packages: f.packages}, nil
		}
		first, _, _ := strings.Cut(m[1], ".")
		major, err := strconv.Atoi(first)
		if err != nil || (f.oldest > 0 && major < f.oldest) || (f.newest > 0 && major > f.newest) {
			return Recipe{}, noRecipe("no recipe for %s: the recipe for %s supports %s", osImage, f.title, f.versions())
		}
		return Recipe{Name: f.recipe, Title: f.titled(m[1:]), Image: f.imageOf(m[1:]), Packages: f.packages, Proven: f.proven && major == 12}, nil
	}
	node := &corev1.Node{Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{OSImage: osImage}}}
	if p := cluster.FromObject(node).Platform; p != cluster.Generic {
		return Recipe{}, elsewhere(p)
	}
	if osImage == "" {
		return Recipe{}, noRecipe("the node does not report its system")
	}
	return Recipe{}, noRecipe("no recipe for %s", osImage)
}

// headerless are kernels for which no distribution has header packages, whatever
// system runs on top of them: virtual machines for developers, and container
// systems whose kernel a node in a container shows.
var headerless = []struct {
	release func() *regexp.Regexp
	whose   string
}{
	{lazyregexp.New(`-linuxkit(?:-|$)`), "Docker Desktop's virtual machine"},
	{lazyregexp.New(`-microsoft-standard(?:-|$)`), "WSL 2"},
	{lazyregexp.New(`-orbstack(?:-|$)`), "OrbStack's virtual machine"},
	{lazyregexp.New(`-talos$`), "Talos Linux"},
	{lazyregexp.New(`-flatcar$`), "Flatcar Container Linux"},
}

// photonRelease finds the release of Photon OS in that of its kernel, as its
// system's name has none.
var photonRelease = lazyregexp.New(`\.ph([1-9]\d?)(?:-|$)`)

// RecipeForKernel is RecipeFor for one kernel release, which may be of another
// system than the node names: a node in a container shows the kernel of its host.
func RecipeForKernel(osImage, kernel string) (Recipe, error) {
	r, err := RecipeFor(osImage)
	if err != nil {
		return r, err
	}
	for _, h := range headerless {
		if h.release().MatchString(kernel) {
			return Recipe{}, noRecipe("no recipe for kernel %s: it is the kernel of %s, for which %s has no headers", kernel, h.whose, r.Title)
		}
	}
	if m := photonRelease().FindStringSubmatch(kernel); m != nil && r.Name == "photon" {
		r.Title, r.Image = r.Title+" "+m[1], "docker.io/library/photon:"+m[1]+".0"
	}
	return r, nil
}

func (f family) versions() string {
	if f.newest == 0 {
		return fmt.Sprintf("%d and later", f.oldest)
	}
	return fmt.Sprintf("%d to %d", f.oldest, f.newest)
}

func (f family) imageOf(versions []string) string {
	args := make([]any, len(versions))
	for i, v := range versions {
		args[i] = v
	}
	return fmt.Sprintf(f.image, args...)
}

// titled is the title with the versions, unless it ends in one itself.
func (f family) titled(versions []string) string {
	if strings.HasSuffix(f.title, versions[0]) {
		versions = versions[1:]
	}
	return strings.Join(append([]string{f.title}, versions...), " ")
}

// RecipeForNode is RecipeForKernel, with what is known of platforms on which no
// recipe works.
func RecipeForNode(n cluster.Node) (Recipe, error) {
	if n.Platform != cluster.Generic {
		return Recipe{}, elsewhere(n.Platform)
	}
	return RecipeForKernel(n.OSImage, n.Kernel)
}

// elsewhere says why nothing is built on a platform, and what to do there.
func elsewhere(p cluster.Platform) error {
	info := p.Describe()
	return &NoRecipe{Why: "no recipe for " + info.Name + ". " + strings.TrimSuffix(info.Why, "."), Remedy: info.Remedy}
}
