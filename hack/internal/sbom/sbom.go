// Package sbom says in SPDX 2.3 what a Go program was built from, as the
// program itself tells: its build information names each module and version.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/licenses"
)

// MediaType is that of a document.
const MediaType = "application/spdx+json"

// none is SPDX's way to say that nothing is claimed.
const none = "NOASSERTION"

// Document is a file of SPDX.
type Document struct {
	Version       string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      Creation       `json:"creationInfo"`
	Packages      []Package      `json:"packages"`
	Relationships []Relationship `json:"relationships"`
}

// Creation says when and by what a document was made.
type Creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

// Package is a program, a module or an image.
type Package struct {
	ID               string     `json:"SPDXID"`
	Name             string     `json:"name"`
	Version          string     `json:"versionInfo,omitempty"`
	Purpose          string     `json:"primaryPackagePurpose,omitempty"`
	Download         string     `json:"downloadLocation"`
	FilesAnalyzed    bool       `json:"filesAnalyzed"`
	LicenseConcluded string     `json:"licenseConcluded"`
	LicenseDeclared  string     `json:"licenseDeclared"`
	Copyright        string     `json:"copyrightText"`
	Checksums        []Checksum `json:"checksums,omitempty"`
	Refs             []Ref      `json:"externalRefs,omitempty"`
}

// Checksum is one of a file.
type Checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

// Ref is a package's address elsewhere, here a purl.
type Ref struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

// Relationship holds between two identifiers.
type Relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// Program describes a program that Go has built. version is that of its
// release, modules tell the licences.
func Program(name, version string, program []byte, modules []licenses.Module, created time.Time) (*Document, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("%s does not say what it was built from: %w", name, err)
	}
	known := map[string]string{}
	for _, m := range modules {
		known[m.Path] = strings.Join(m.Licenses, " AND ")
	}
	sum := sha256.Sum256(program)
	digest := hex.EncodeToString(sum[:])
	d := &Document{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: name,
		Namespace: "https://github.com/kubeshark/kubeshark-pfring/spdx/" + url.PathEscape(name) + "-" + digest,
		Creation:  Creation{created.UTC().Format(time.RFC3339), []string{"Tool: kubeshark-pfring-hack-sbom"}},
	}
	main := golang(&debug.Module{Path: info.Main.Path, Version: version}, map[string]string{info.Main.Path: "Apache-2.0"})
	main.Name, main.Purpose = name, "APPLICATION"
	main.Checksums = []Checksum{{"SHA256", digest}}
	d.add("SPDXRef-DOCUMENT", "DESCRIBES", main)
	std := golang(&debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}, map[string]string{"stdlib": known["std"]})
	d.add(main.ID, "DEPENDS_ON", std)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.add(main.ID, "DEPENDS_ON", golang(m, known))
	}
	return d, nil
}

func (d *Document) add(from, relation string, p Package) {
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, Relationship{from, relation, p.ID})
}

// Contains wraps the document in a package that contains what it described, such
// as an image, and files.
func (d *Document) Contains(outer Package, files ...Package) {
	outer.ID = id(outer.Name)
	d.Name = outer.Name
	i := slices.IndexFunc(d.Relationships, func(r Relationship) bool { return r.Type == "DESCRIBES" })
	inner := d.Relationships[i].To
	d.Relationships[i].To = outer.ID
	d.Packages = append([]Package{outer}, d.Packages...)
	d.Relationships = append(d.Relationships, Relationship{outer.ID, "CONTAINS", inner})
	for _, f := range files {
		f.ID = id(f.Name)
		d.add(outer.ID, "CONTAINS", f)
	}
}

func golang(m *debug.Module, known map[string]string) Package {
	license := known[m.Path]
	if license == "" {
		license = none
	}
	return Package{
		ID: id(m.Path + "-" + m.Version), Name: m.Path, Version: m.Version, Download: none,
		LicenseConcluded: none, LicenseDeclared: license, Copyright: none,
		Refs: []Ref{{"PACKAGE-MANAGER", "purl", purl(m)}},
	}
}

func purl(m *debug.Module) string {
	if m.Version == "" {
		return "pkg:golang/" + m.Path
	}
	return "pkg:golang/" + m.Path + "@" + url.QueryEscape(m.Version)
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func id(text string) string { return "SPDXRef-" + notInID.ReplaceAllString(text, "-") }

// JSON writes the document, the same each time.
func (d *Document) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the SPDX document: %w", err)
	}
	return append(out, '\n'), nil
}
