package registry

import (
	"fmt"
	"slices"
)

// Under a key of small order a signature can be made without any private key
// (for the neutral element, one S and R fit every message): whoever enrolled
// it could say that anybody signed. The curve of RFC 8032 has eight such points,
// with five y coordinates between them. A key is y in 255 bits, little-endian,
// and the sign of x in the highest one; the sign is left out here, so that
// both points of each y, and the encodings of x = 0 with a sign, are refused.
var smallOrders = [5][32]byte{
	{},           // y = 0, order 4
	{0: 0x01},    // y = 1, the neutral element
	fieldLess(1), // y = -1, order 2
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, // order 8
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, // order 8
}

// fieldLess is p - n in 32 bytes, little-endian, where p = 2^255 - 19 and n is small.
func fieldLess(n byte) [32]byte {
	var y [32]byte
	for i := range y {
		y[i] = 0xff
	}
	y[0], y[31] = 0xed-n, 0x7f
	return y
}

// checkPoint refuses a public key whose y is not below p, which would be a second
// encoding of a point (RFC 8032, section 5.1.3), and one of small order. It does not
// refuse a y that is on no point, whose owner cannot sign, nor a point with a part
// of small order: crypto/ed25519 gives one verdict on it, and so all parties do.
func checkPoint(owner string, key [32]byte) error {
	y := key
	y[31] &= 0x7f
	field := fieldLess(0)
	for i := len(y) - 1; i >= 0 && y[i] >= field[i]; i-- {
		if y[i] > field[i] || i == 0 {
			return fmt.Errorf("the key of %s is not in the one encoding of its point", owner)
		}
	}
	if slices.Contains(smallOrders[:], y) {
		return fmt.Errorf("the key of %s is a point of small order: anybody could sign under it", owner)
	}
	return nil
}
