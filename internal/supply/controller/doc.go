// Package controller is the supply controller: it watches nodes and has modules
// built, kept, signed and served for their kernels.
//
// It is level-triggered: all that it knows is in the objects of the API. Killed
// at any step, it finds the same state and goes on. What to do is decided by
// package decide; this package looks and acts. Nothing imports it but the
// controller's main and its tests.
package controller
