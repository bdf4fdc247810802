// Package keyfile keeps secrets in files: each whole or absent, on disk before
// anybody relies on it, and readable by its owner alone.
package keyfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Signer reads an Ed25519 key from its PKCS #8 form in PEM (RFC 5958, RFC 7468),
// or makes one where there is no file. The file is not sealed with a passphrase.
func Signer(path string) (ed25519.PrivateKey, error) {
	text, err := OrCreate(path, func() ([]byte, error) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	})
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return parse(path, text)
}

// Load reads an Ed25519 key as Signer does, and fails where there is none.
func Load(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return parse(path, text)
}

func parse(path string, text []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) != 0 {
		return nil, fmt.Errorf("key file %s: not one PEM block", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %s: no PKCS #8 key", path)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key file %s: %T, want Ed25519", path, key)
	}
	return private, nil
}

// Token reads a bearer token, or makes it where there is none: 256 random bits.
func Token(path string) (string, error) {
	text, err := OrCreate(path, func() ([]byte, error) {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(raw)), nil
	})
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	return string(text), nil
}

// OrCreate reads a file, or puts what create makes in place. A crash leaves
// either no file or the whole one.
func OrCreate(path string, create func() ([]byte, error)) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return data, err
	}
	if data, err = create(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return data, Replace(path, data)
}

// Replace puts a file in place of the one before, whole or not at all.
func Replace(path string, data []byte) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	// The new name must survive a power cut too.
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
