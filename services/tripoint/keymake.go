package main

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
)

// secondSuffix ends the name of the file of a second key.
const secondSuffix = ".second"

// halves are the public halves of a key: its own, and its second key's or nil.
type halves struct{ public, second []byte }

// kind is a kind of key: how its files are made and read, for their public halves.
// create makes those that are missing.
type kind struct {
	create, load func(path string, lock keyfile.Lock) (halves, error)
	beside       bool // has a second file
}

// kindOf is the kind that flags ask for.
func kindOf(opening, beside bool) (kind, error) {
	switch {
	case opening && beside:
		return kind{}, exit{exitUsage, errors.New("--opening and --second: a key that opens signs nothing; give one of them")}
	case opening:
		return opens, nil
	case beside:
		return both, nil
	}
	return signing, nil
}

// files are the files of a key at a path.
func (k kind) files(path string) []string {
	if k.beside {
		return []string{path, path + secondSuffix}
	}
	return []string{path}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

var signing = kind{
	create: func(path string, lock keyfile.Lock) (halves, error) {
		key, err := keyfile.Create(path, lock)
		if err != nil {
			return halves{}, err
		}
		return halves{public: key.Public().(ed25519.PublicKey)}, nil
	},
	load: func(path string, lock keyfile.Lock) (halves, error) {
		key, err := keyfile.Load(path, lock)
		if err != nil {
			return halves{}, err
		}
		return halves{public: key.Public().(ed25519.PublicKey)}, nil
	},
}

// both is the kind of a key that signs with a second one beside it.
var both = kind{
	beside: true,
	create: func(path string, lock keyfile.Lock) (halves, error) {
		key, err := keyfile.Signer(path, lock)
		if err != nil {
			return halves{}, err
		}
		beside, err := keyfile.LoadSecond(path+secondSuffix, lock)
		if errors.Is(err, fs.ErrNotExist) {
			beside, err = keyfile.CreateSecond(path+secondSuffix, lock)
		}
		return halves{key.Public().(ed25519.PublicKey), beside.Public()}, err
	},
	load: func(path string, lock keyfile.Lock) (halves, error) {
		key, err := keyfile.Load(path, lock)
		if err != nil {
			return halves{}, err
		}
		beside, err := keyfile.LoadSecond(path+secondSuffix, lock)
		return halves{key.Public().(ed25519.PublicKey), beside.Public()}, err
	},
}

// opens is the kind of a desk's key.
var opens = kind{
	create: func(path string, lock keyfile.Lock) (halves, error) {
		return publicOpening(keyfile.CreateOpening(path, lock))
	},
	load: func(path string, lock keyfile.Lock) (halves, error) {
		return publicOpening(keyfile.LoadOpening(path, lock))
	},
}

func publicOpening(key hpke.PrivateKey, err error) (halves, error) {
	if err != nil {
		return halves{}, err
	}
	return halves{public: key.PublicKey().Bytes()}, nil
}

// newKey makes all files. After a crash in between, nextKey makes the rest.
func newKey(k kind, path string, lock keyfile.Lock) error {
	for _, there := range slices.Concat(k.files(path), k.files(path+".next")) {
		switch _, err := os.Lstat(there); {
		case err == nil:
			return fmt.Errorf("%s exists, and a key is never written over; for what is missing beside an existing key: tripoint key next %s", there, path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	key, err := k.create(path, lock)
	if err != nil {
		return err
	}
	return announce(k, path, key, lock)
}

func nextKey(k kind, path string, lock keyfile.Lock) error {
	key, err := k.load(path, lock)
	if err != nil {
		return err
	}
	// A successor that was moved to safety is not lost: with another one announced,
	// the registry would refuse the rotation.
	var before announcement
	text, err := os.ReadFile(path + ".pub")
	known := err == nil && json.Unmarshal(text, &before) == nil && before.PublicKey == hex.EncodeToString(key.public) && before.SecondKey == hex.EncodeToString(key.second)
	for _, file := range k.files(path + ".next") {
		if _, err := os.Lstat(file); known && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s.pub announces a successor that is not here: bring %s back; if it is lost, remove %s.pub and make another", path, file, path)
		}
	}
	return announce(k, path, key, lock)
}

// announcement is PATH.pub: what an enrolment says of a key. All in hexadecimal.
type announcement struct {
	PublicKey string `json:"public_key"`
	SecondKey string `json:"second_key,omitempty"`
	Next      string `json:"next"` // the commitment to the successor, and its second key
}

// announce makes the successor and writes the announcement. A successor that is
// there stays: the registry may hold its digest already.
func announce(k kind, path string, key halves, lock keyfile.Lock) error {
	next, err := k.load(path+".next", lock)
	if errors.Is(err, fs.ErrNotExist) {
		next, err = k.create(path+".next", lock)
	}
	if err != nil {
		return err
	}
	commitment := registry.CommitmentOfBoth(next.public, next.second)
	text, err := json.Marshal(announcement{
		PublicKey: hex.EncodeToString(key.public), SecondKey: hex.EncodeToString(key.second), Next: hex.EncodeToString(commitment[:]),
	})
	if err != nil {
		return err
	}
	return disk.Replace(path+".pub", append(text, '\n'), 0o600)
}
