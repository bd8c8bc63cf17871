// Package repository makes a module repository: it lists the modules of a
// folder in an index and signs that.
//
// Reading a repository, and all of its format, is package module's; what serves
// the folder (a bucket, a web server, a volume) is the user's.
package repository
