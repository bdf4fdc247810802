package scrub

// span is consecutive indices with one fault.
type span struct {
	code     string
	from, to uint64
	kept     bool // stands as a finding already
}

// maxSpans bounds the findings of one code in a round: the last one covers all that
// follow, and then also messages that are right.
const maxSpans = 1000

// spans are ordered and do not touch, code by code.
type spans []span

func (s *spans) add(code string, from, to uint64) {
	var last *span
	n := 0
	for i := range *s {
		if (*s)[i].code == code {
			last, n = &(*s)[i], n+1
		}
	}
	if last != nil && (last.to >= from || n >= maxSpans) {
		last.to = max(last.to, to)
		return
	}
	*s = append(*s, span{code: code, from: from, to: to})
}

// both is what s and other have in common between two indices.
func (s spans) both(other spans, from, to uint64) spans {
	var common spans
	for _, a := range s {
		for _, b := range other {
			first, end := max(a.from, b.from, from), min(a.to, b.to, to)
			if a.code == b.code && first < end {
				common.add(a.code, first, end)
			}
		}
	}
	return common
}

// without leaves out what other has of the same code.
func (s spans) without(other spans) spans {
	left := s
	for _, b := range other {
		var next spans
		for _, a := range left {
			if a.code != b.code || b.to <= a.from || a.to <= b.from {
				next = append(next, a)
				continue
			}
			if a.from < b.from {
				next = append(next, span{code: a.code, from: a.from, to: b.from})
			}
			if b.to < a.to {
				next = append(next, span{code: a.code, from: b.to, to: a.to})
			}
		}
		left = next
	}
	return left
}
