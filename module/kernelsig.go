package module

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"math/big"
)

// signatureMagic ends a file that has a signature appended.
const signatureMagic = "~Module signature appended~\n"

// signature tells whether data ends with a kernel module signature, and whose
// it is as far as it says: the issuer's common name or the key's identifier.
// Nothing is verified; only the node's kernel knows which keys it trusts.
func signature(data []byte) (signed bool, signer string) {
	// struct module_signature: algo, hash, id_type, signer_len, key_id_len,
	// three bytes of padding, and the signature's length in big-endian.
	const trailer = 12
	body, ok := bytes.CutSuffix(data, []byte(signatureMagic))
	if !ok || len(body) < trailer {
		return ok, ""
	}
	head := body[len(body)-trailer:]
	size := uint64(binary.BigEndian.Uint32(head[8:]))
	body = body[:len(body)-trailer]
	if size > uint64(len(body)) {
		return true, ""
	}
	return true, printable(pkcs7Signer(body[uint64(len(body))-size:]))
}

// pkcs7Signer names the first signer of a PKCS #7 (CMS) message, RFC 5652.
func pkcs7Signer(der []byte) string {
	var message struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,optional,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &message); err != nil {
		return ""
	}
	var signedData struct {
		Version      int
		Digests      asn1.RawValue
		Content      asn1.RawValue
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		CRLs         asn1.RawValue `asn1:"optional,tag:1"`
		Signers      []struct {
			Version int
			ID      asn1.RawValue
		} `asn1:"set"`
	}
	if _, err := asn1.Unmarshal(message.Content.Bytes, &signedData); err != nil || len(signedData.Signers) == 0 {
		return ""
	}
	return signerID(signedData.Signers[0].ID)
}

// signerID reads either form of a signer's identifier: issuer and serial
// number, or [0] the key's identifier.
func signerID(id asn1.RawValue) string {
	if id.Class == asn1.ClassContextSpecific {
		return hex.EncodeToString(id.Bytes)
	}
	var issuerAndSerial struct {
		Issuer pkix.RDNSequence
		Serial *big.Int
	}
	if _, err := asn1.Unmarshal(id.FullBytes, &issuerAndSerial); err != nil {
		return ""
	}
	var name pkix.Name
	name.FillFromRDNSequence(&issuerAndSerial.Issuer)
	return name.CommonName
}
