package registry_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// The curve of RFC 8032, section 5.1, computed the slow way, so that no list of
// points is taken on trust.
var (
	field = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	order = func() *big.Int {
		n, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
		return n.Add(n, new(big.Int).Lsh(big.NewInt(1), 252))
	}()
	curveD = mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), field)))
)

type point struct{ x, y *big.Int }

func mod(n *big.Int) *big.Int      { return n.Mod(n, field) }
func times(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
func plus(a, b *big.Int) *big.Int  { return mod(new(big.Int).Add(a, b)) }
func minus(a, b *big.Int) *big.Int { return mod(new(big.Int).Sub(a, b)) }
func over(a, b *big.Int) *big.Int  { return times(a, new(big.Int).ModInverse(b, field)) }
func (p point) equal(q point) bool { return p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0 }
func neutral() point               { return point{big.NewInt(0), big.NewInt(1)} }
func pointAt(y *big.Int) (point, bool) {
	square := times(y, y)
	x := new(big.Int).ModSqrt(over(minus(square, big.NewInt(1)), plus(times(curveD, square), big.NewInt(1))), field)
	return point{x, y}, x != nil
}

func (p point) add(q point) point {
	crossed := times(times(curveD, times(p.x, q.x)), times(p.y, q.y))
	one := big.NewInt(1)
	return point{
		over(plus(times(p.x, q.y), times(q.x, p.y)), plus(one, crossed)),
		over(plus(times(p.y, q.y), times(p.x, q.x)), minus(one, crossed)),
	}
}

func (p point) scale(n *big.Int) point {
	sum := neutral()
	for i := n.BitLen() - 1; i >= 0; i-- {
		sum = sum.add(sum)
		if n.Bit(i) == 1 {
			sum = sum.add(p)
		}
	}
	return sum
}

// encode writes y and a sign as a key, y as it is: also where it is not below the field's order.
func encode(y *big.Int, sign byte) []byte {
	key := y.FillBytes(make([]byte, 32))
	slices.Reverse(key)
	key[31] |= sign << 7
	return key
}

// torsion are the eight points whose order divides eight.
func torsion(t *testing.T) []point {
	t.Helper()
	for y := int64(2); y < 100; y++ {
		p, ok := pointAt(big.NewInt(y))
		if !ok {
			continue
		}
		generator := p.scale(order)
		if generator.scale(big.NewInt(4)).equal(neutral()) {
			continue // of a smaller order than eight
		}
		points := []point{neutral()}
		for len(points) < 8 {
			points = append(points, points[len(points)-1].add(generator))
		}
		if !points[7].add(generator).equal(neutral()) {
			t.Fatal("the generator's order is not eight")
		}
		return points
	}
	t.Fatal("no point of order eight was found")
	return nil
}

// E08: the registry refuses, wherever a key stands, every encoding of a point of
// small order, and every second encoding of any point.
func TestAdversary_E08_KeysOfSmallOrder(t *testing.T) {
	bad := map[string]string{} // encoding to reason
	for _, p := range torsion(t) {
		for sign := range byte(2) {
			bad[string(encode(p.y, sign))] = "small order"
		}
	}
	if len(bad) != 10 { // five y coordinates, two signs
		t.Fatalf("%d encodings of points of small order", len(bad))
	}
	for n := range int64(19) { // all numbers of 255 bits that are not below the field's order
		for sign := range byte(2) {
			bad[string(encode(new(big.Int).Add(field, big.NewInt(n)), sign))] = "one encoding"
		}
	}
	for name, place := range keyPlaces() {
		for key, reason := range bad {
			if name != "the notary" && reason != "small order" {
				continue // one place for all is enough where the reason is the form
			}
			f := registrytest.Founding()
			*place(f) = []byte(key)
			refuse(t, signedBy(t, updateOf(t, f), "XA", "XB", "XC"), reason)
			if t.Failed() {
				t.Fatalf("%x as the key of %s", key, name)
			}
		}
	}
}

// What lies beside the refused ones is no fault: the last y below the field's order that is
// on the curve, and the points next to those of small order.
func TestKeysBesideThoseOfSmallOrder(t *testing.T) {
	tried := 0
	for n := int64(2); n < 40; n++ {
		for _, y := range []*big.Int{big.NewInt(n), new(big.Int).Sub(field, big.NewInt(n))} {
			if _, ok := pointAt(y); !ok {
				continue
			}
			tried++
			f := registrytest.Founding()
			f.Members[0].MirrorKey = encode(y, 1)
			if _, err := registrytest.Sign(t, f).State(); err != nil {
				t.Errorf("y = %s: %v", y, err)
			}
		}
	}
	if tried < 10 {
		t.Errorf("only %d points were tried", tried)
	}
}

// Why: under the neutral element one signature fits every message, for the very
// function that verdicts rest on. Were such a key enrolled, nothing below the registry
// would notice.
func TestSmallOrderKeyVerifiesAnything(t *testing.T) {
	key := encode(big.NewInt(1), 0)
	signature := append(slices.Clone(key), make([]byte, 32)...) // R neutral, S zero
	for _, message := range []string{"", "one", "another"} {
		if !ed25519.Verify(key, []byte(message), signature) {
			t.Errorf("message %q: refused; if crypto/ed25519 has become stricter, this reason is gone", message)
		}
	}
}

// A mixed-order key is a good key plus a point of small order. Its owner can make
// signatures that fit; crypto/ed25519 does not multiply by the cofactor, so whether
// one fits depends on the message: here it is the same for every reader. Batch verifiers of
// other libraries may differ, which is why nobody here uses one.
func TestMixedOrderKeyHasOneVerdict(t *testing.T) {
	base, ok := pointAt(over(big.NewInt(4), big.NewInt(5)))
	if !ok {
		t.Fatal("the base point is not on the curve")
	}
	if base.x.Bit(0) == 1 {
		base.x = minus(big.NewInt(0), base.x)
	}
	secret, nonce := big.NewInt(123456789), big.NewInt(987654321)
	mixed := base.scale(secret).add(torsion(t)[1])
	public := encode(mixed.y, byte(mixed.x.Bit(0)))
	commitment := base.scale(nonce)
	r := encode(commitment.y, byte(commitment.x.Bit(0)))
	accepted := 0
	for n := range byte(64) {
		digest := sha512.Sum512(slices.Concat(r, public, []byte{n}))
		slices.Reverse(digest[:])
		k := new(big.Int).SetBytes(digest[:])
		s := new(big.Int).Mod(new(big.Int).Add(nonce, new(big.Int).Mul(k.Mod(k, order), secret)), order)
		want := k.Bit(0) == 0 && k.Bit(1) == 0 && k.Bit(2) == 0 // the point of small order cancels
		if got := ed25519.Verify(public, []byte{n}, append(slices.Clone(r), encode(s, 0)...)); got != want {
			t.Errorf("message %d: verified %t, want %t", n, got, want)
		}
		if want {
			accepted++
		}
	}
	if accepted == 0 || accepted == 64 {
		t.Errorf("%d of 64 signatures fit: the case is not shown", accepted)
	}
}
