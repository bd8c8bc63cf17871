// Package images tests images, module repositories and their indexes against
// the programs that will read them: kmod's modprobe, real registries, crane.
package images
