// Package keyfile keeps secrets in files: each whole or absent, on disk before
// anybody relies on it, and readable by its owner alone.
//
// Keys that sign or open are sealed with a passphrase, as age files (C2SP age,
// scrypt recipient), so that a stolen disk or backup is not a stolen key. The
// age command opens and makes them too:
//
//	age --decrypt notary.key
//	age --passphrase --armor --output notary.key plain.pem
//
// Tokens and credentials are not sealed: they are bearer secrets that other
// programs present (an agency's own system, any NATS client), and those read
// plain files. They open a connection, and forge or decrypt nothing.
package keyfile

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Signer reads an Ed25519 key, or makes one where there is no file. What is
// sealed is its PKCS #8 form in PEM (RFC 5958, RFC 7468).
func Signer(path string, lock Lock) (crypto.Signer, error) {
	text, err := Secret(path, lock, generate)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

// Load reads a key as Signer does, and fails where there is none.
func Load(path string, lock Lock) (crypto.Signer, error) {
	text, err := Secret(path, lock, nil)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

// Create makes a key, and fails with fs.ErrExist where there is a file.
func Create(path string, lock Lock) (crypto.Signer, error) {
	text, err := generate()
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	if err := Put(path, lock, text); err != nil {
		return nil, err
	}
	return parse(path, text)
}

func generate() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// parse never says what it read: it may be most of a key.
func parse(path string, text []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) != 0 {
		return nil, fmt.Errorf("key file %s: holds no signing key: not one PEM block", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: holds no signing key: no PKCS #8", path)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key file %s: holds %T, want Ed25519", path, key)
	}
	return private, nil
}
