package depmod

import (
	"fmt"
	"slices"
	"strings"
)

// resolve lists for each module the paths of all that must be loaded before
// it. modprobe loads such a list from its end, so what others need stands last.
func resolve(list []Module) ([][]string, error) {
	r := resolver{list: list, byName: make(map[string]int, len(list)), state: make([]visit, len(list)), all: make([][]int, len(list))}
	for i, m := range list {
		if strings.ContainsFunc(m.Path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("cannot index %q: a path must not have spaces", m.Path)
		}
		if other, twice := r.byName[m.Name]; twice {
			return nil, fmt.Errorf("%s and %s are both the module %s", list[other].Path, m.Path, m.Name)
		}
		r.byName[m.Name] = i
	}
	out := make([][]string, len(list))
	for i := range list {
		if err := r.visit(i); err != nil {
			return nil, err
		}
		for _, d := range slices.Backward(r.all[i]) {
			out[i] = append(out[i], list[d].Path)
		}
	}
	return out, nil
}

type visit int

const (
	notVisited visit = iota
	visiting
	visited
)

type resolver struct {
	list   []Module
	byName map[string]int
	state  []visit
	all    [][]int // needed ones by position, in the order of loading
}

func (r *resolver) visit(i int) error {
	switch r.state[i] {
	case visited:
		return nil
	case visiting:
		return fmt.Errorf("%s depends on itself through other modules", r.list[i].Path)
	}
	r.state[i] = visiting
	seen := map[int]bool{}
	for _, name := range r.list[i].Depends {
		d, there := r.byName[name]
		if !there {
			continue
		}
		if err := r.visit(d); err != nil {
			return err
		}
		for _, n := range append(slices.Clone(r.all[d]), d) {
			if !seen[n] {
				seen[n] = true
				r.all[i] = append(r.all[i], n)
			}
		}
	}
	r.state[i] = visited
	return nil
}
