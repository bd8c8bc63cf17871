// Package supply is what the supply controller has in common with those who
// start it and those who read what it does: its settings, the names of the
// objects that it keeps, the rights that it needs and the status that it
// writes.
//
// It imports no controller and no client; packages below it do the work.
package supply
