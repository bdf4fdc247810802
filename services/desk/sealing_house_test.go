package desk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
)

func streamMessage(s event.Signed) stream.Message {
	return stream.Message{Subject: s.Subject, Data: s.Data}
}

func gcm(t testing.TB, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	must(t, err)
	aead, err := cipher.NewGCM(block)
	must(t, err)
	return aead
}

func hpkeSeal(t testing.TB, to hpke.PublicKey, info, text []byte) []byte {
	t.Helper()
	sealed, err := hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), info, text)
	must(t, err)
	return sealed
}
