package seal_test

import (
	"crypto/aes"
	"encoding/binary"
)

// twoFaced is an AES-256-GCM ciphertext under the zero nonce that opens under two keys: the
// beginning to one text under the first key, in whole blocks of 16 bytes, the next block to the other under the second,
// and the rest to noise. The tag is a polynomial in a key's hash key, with the ciphertext's
// blocks as coefficients; the last block is chosen so that both keys come to one tag.
func twoFaced(one, two, data, first []byte, second string) []byte {
	a, b := face(one), face(two)
	var sealed []byte
	for n := uint32(1); len(first) > 0; n, first = n+1, first[16:] {
		sealed = append(sealed, xor(block(first[:16]), a.stream(n)).bytes()...)
	}
	sealed = append(sealed, xor(block([]byte(second)), b.stream(uint32(len(sealed)/16+1))).bytes()...)
	sealed = append(sealed, make([]byte, 16)...)
	difference := xor(a.tag(data, sealed), b.tag(data, sealed))
	last := times(difference, inverse(xor(times(a.hash, a.hash), times(b.hash, b.hash))))
	copy(sealed[len(sealed)-16:], last.bytes())
	return append(sealed, a.tag(data, sealed).bytes()...)
}

// element is one of GF(2^128) in the bit order of NIST SP 800-38D: the highest bit of hi is x^0.
type element struct{ hi, lo uint64 }

func block(data []byte) element {
	var padded [16]byte
	copy(padded[:], data)
	return element{binary.BigEndian.Uint64(padded[:8]), binary.BigEndian.Uint64(padded[8:])}
}

func (e element) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, e.hi), e.lo)
}

func xor(a, b element) element { return element{a.hi ^ b.hi, a.lo ^ b.lo} }

func times(a, b element) (product element) {
	for i := range 128 {
		bit := a.hi >> (63 - i&63)
		if i >= 64 {
			bit = a.lo >> (63 - i&63)
		}
		if bit&1 == 1 {
			product = xor(product, b)
		}
		carry := b.lo & 1
		b = element{b.hi >> 1, b.hi<<63 | b.lo>>1}
		if carry == 1 {
			b.hi ^= 0xe1 << 56
		}
	}
	return product
}

// inverse is a to the power 2^128-2.
func inverse(a element) element {
	result := element{hi: 1 << 63}
	for range 127 {
		a = times(a, a)
		result = times(result, a)
	}
	return result
}

type gcmKey struct {
	encrypt func(counter uint32) element
	hash    element
}

func face(key []byte) gcmKey {
	cipher, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	zero := make([]byte, 16)
	cipher.Encrypt(zero, zero)
	return gcmKey{hash: block(zero), encrypt: func(counter uint32) element {
		out := make([]byte, 16)
		binary.BigEndian.PutUint32(out[12:], counter)
		cipher.Encrypt(out, out)
		return block(out)
	}}
}

// stream is what the n-th block of a text is added to, from 1.
func (k gcmKey) stream(n uint32) element { return k.encrypt(n + 1) }

func (k gcmKey) tag(data, sealed []byte) element {
	var sum element
	for _, part := range [][]byte{data, sealed} {
		for ; len(part) > 0; part = part[min(16, len(part)):] {
			sum = times(xor(sum, block(part[:min(16, len(part))])), k.hash)
		}
	}
	sum = times(xor(sum, element{uint64(len(data)) * 8, uint64(len(sealed)) * 8}), k.hash)
	return xor(sum, k.encrypt(1))
}
