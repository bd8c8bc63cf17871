package licenses

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown is a table of modules and their licences.
func Markdown(modules []Module) string {
	var b strings.Builder
	b.WriteString(`# Licences of what is linked in

This project is under the [Apache License 2.0](../LICENSE). Its programs are linked from the modules below; the texts of their licences
are in every release archive and in the agent's image, as ` + "`THIRD_PARTY_LICENSES`" + `. The agent's image also holds the CA certificates that
Mozilla publishes (MPL-2.0). PF_RING itself is by ntop (its kernel module is GPL-2.0) and is not part of this repository.

Written by ` + "`make licenses`" + `; a test fails when it is out of date or contains an unexpected licence.

| module | version | licence |
| --- | --- | --- |
`)
	for _, m := range modules {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Replace(m.Path, "std", "Go's standard library", 1), m.Version, strings.Join(m.Licenses, ", "))
	}
	return b.String()
}

// Texts is every licence and notice, each text once, with the modules that it
// belongs to.
func Texts(modules []Module) string {
	owners := map[string][]string{}
	var order []string
	for _, m := range modules {
		for _, f := range m.Files {
			if owners[f.Text] == nil {
				order = append(order, f.Text)
			}
			owners[f.Text] = append(owners[f.Text], strings.TrimSpace(m.Path+" "+m.Version)+": "+f.Name)
		}
	}
	var b strings.Builder
	b.WriteString("This program is linked from the modules below. Each text applies to those that are named above it.\n")
	for _, text := range order {
		names := slices.Compact(owners[text])
		b.WriteString("\n" + strings.Repeat("=", 80) + "\n" + strings.Join(names, "\n") + "\n" + strings.Repeat("-", 80) + "\n\n")
		b.WriteString(strings.TrimSpace(text) + "\n")
	}
	return b.String()
}
