// Package image packs kernel modules into OCI images that both KMM and an
// oci:// source of package module take: /opt/lib/modules/RELEASE/pf_ring.ko
// with the index files that modprobe reads, and the /bin/sh, mkdir and cp that
// KMM runs in the image.
//
// The same modules and the same base give the same bytes, on any machine, and
// it takes neither Docker nor root nor depmod. It links go-containerregistry,
// so the agent must not import it; package module reads what this one writes.
package image
