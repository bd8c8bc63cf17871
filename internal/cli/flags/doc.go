// Package flags holds what the commands' flags have in common: how a wrong one is
// told, where their defaults come from, and the kinds that several commands have.
// It knows no command, and reads nothing but the file of defaults.
package flags
