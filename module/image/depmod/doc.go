// Package depmod writes the index files that modprobe reads beside kernel
// modules, as the depmod program of kmod does: which file a module is in, what
// must be loaded before it, and what else it is called.
//
// It works on what the modules say of themselves and touches no file system,
// so it needs neither root nor Linux. The files are equal in effect to kmod's,
// not byte for byte; the tests hold them against kmod's own programs.
package depmod
