// Package rbac embeds the ClusterRoles of this folder, so that a command that
// lacks a right can name the role that grants it. It imports nothing of this
// project.
package rbac

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// rule is a rule of a ClusterRole.
type rule struct {
	Groups    []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Verbs     []string `json:"verbs"`
}

// Role is a ClusterRole of this folder.
type Role struct {
	// File is its path in the repository, Name that of the ClusterRole.
	File, Name string
	Rules      []rule
}

// roles reads all of them, in the order of their files.
func roles() ([]Role, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var roles []Role
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var object struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Rules []rule `json:"rules"`
		}
		if err := yaml.Unmarshal(data, &object); err != nil {
			return nil, fmt.Errorf("cannot read deploy/rbac/%s: %w", name, err)
		}
		roles = append(roles, Role{File: "deploy/rbac/" + name, Name: object.Metadata.Name, Rules: object.Rules})
	}
	return roles, nil
}

// grants tells whether the role gives the right to use verb on a resource of an
// API group. A subresource is named as in rules: pods/log.
func (r Role) grants(verb, group, resource string) bool {
	return slices.ContainsFunc(r.Rules, func(rule rule) bool {
		return slices.Contains(rule.Verbs, verb) && slices.Contains(rule.Groups, group) && slices.Contains(rule.Resources, resource)
	})
}

// beside are the roles that a command needs beside its own, by their names without
// pfring-.
var beside = map[string][]string{
	"retry": {"status"}, "plan": {"compatibility"}, "module build": {"compatibility"}, "module mirror": {"compatibility"}, "diff": {"compatibility"},
}

// For is the role of this folder that grants a right. Among several it prefers
// that of the command, such as "prereq check" or "module build"; false if none
// does.
func For(command, verb, group, resource string) (Role, bool) {
	roles, err := roles()
	if err != nil {
		return Role{}, false
	}
	roles = slices.DeleteFunc(roles, func(r Role) bool { return !r.grants(verb, group, resource) })
	if len(roles) == 0 {
		return Role{}, false
	}
	words := append(strings.Fields(command), beside[command]...)
	for _, word := range words {
		for _, r := range roles {
			if r.Name == "pfring-"+word {
				return r, true
			}
		}
	}
	for _, r := range roles {
		if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(r.Name, "pfring-"+word) }) {
			return r, true
		}
	}
	return roles[0], true
}
