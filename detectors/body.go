package detectors

import (
	"bytes"
	"fmt"
	"math"
)

// The rules of this file say which tokens nobody issued: placeholders,
// examples and names that happen to have the shape of a token. Their limits
// are set so that of a million random bodies less than a hundred fall to them;
// TestRandomBodiesPass holds every format to that.

// A run of equal or of successive characters counts from this length on; a
// body of which half is such runs is a placeholder.
const longRun = 4

// placeholder reports whether body is one that a person made up.
func placeholder(body []byte) bool {
	return runs(body) || periodic(body) || hasStopWord(body) || wordy(body)
}

// runs reports whether at least half of body, and eight characters of it, are
// runs of equal characters, or of ones that go up or down by one ("1234",
// "dcba"; 9 is followed by 0).
func runs(body []byte) bool {
	covered, same, up, down := 0, 1, 1, 1
	for i := 1; i < len(body); i++ {
		a, b := body[i-1], body[i]
		same = extend(same, a == b)
		up = extend(up, successive(a, b))
		down = extend(down, successive(b, a))
		switch n := max(same, up, down); {
		case n == longRun:
			covered += longRun
		case n > longRun:
			covered++
		}
	}
	return covered >= 8 && 2*covered >= len(body)
}

func extend(n int, more bool) int {
	if more {
		return n + 1
	}
	return 1
}

func successive(a, b byte) bool { return b == a+1 || a == '9' && b == '0' }

// periodic reports whether body is one unit repeated, as "abcabcabcabc".
func periodic(body []byte) bool {
	for p := 1; p <= len(body)/2 && p <= 32; p++ {
		if len(body) >= 12 && bytes.Equal(body[p:], body[:len(body)-p]) {
			return true
		}
	}
	return false
}

// hasStopWord looks, in any case, for words that stand in placeholders. Each
// has at least five letters, so that random tokens do not hold them.
func hasStopWord(body []byte) bool {
	var buf [256]byte
	lower := buf[:0]
	for _, c := range body[:min(len(body), len(buf))] {
		lower = append(lower, lowerByte(c))
	}
	for _, w := range [...]string{
		"example", "xxxxx", "placeholder", "changeme", "replace", "redacted", "dummy",
		"sample", "password", "insert", "yourkey", "your_", "your-", "mytoken", "foobar",
		"qwerty", "asdfgh", "lorem", "fixme", "deadbeef", "deaddead", "cafebabe", "notreal",
		"invalid", "secretkey", "fakefake", "testtest",
	} {
		if bytes.Contains(lower, []byte(w)) {
			return true
		}
	}
	return false
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// pairs says how common a letter is after another in English names and
// comments: row and column are the letters, the digit is 6 plus the binary
// logarithm of how many times more often than chance the pair stands.
const pairs = "" +
	"46883671625989172989554552" + // a
	"63536320651621641452711171" +
	"84548458508653852668542230" +
	"64478433721644642764543351" +
	"85886764524779566999466851" + // e
	"73556732800753740665812230" +
	"43528435601436731575422211" +
	"81249211702342630536411021" +
	"56776671213879861678161506" + // i
	"30014000101010310041300000" +
	"52337241500324331343312010" +
	"73479542813834841476733161" +
	"85358222603463771365621120" +
	"84888683816546842389663151" +
	"65875652615779770978766311" + // o
	"82548434604632861757642140" +
	"10111011100100011220600010" +
	"84669673805568841977753261" +
	"73749357805554763579735282" +
	"84659649813654771977834572" +
	"55647641800769361877111301" + // u
	"82428311500332422333122101" +
	"62334215600224530652113100" +
	"54445511400232361336221220" +
	"22323211300455270477212011" +
	"20006010200001200010100112"

// wordy reports whether the characters of body follow each other as in words
// and not as by chance: then body is somebody's identifier. Words are smooth: a
// small letter before a capital, or a digit beside a letter, stands there far
// less often than by chance. Of a pair of letters chance gives -2 points, names
// give 2; twelve pairs are the fewest that tell. Hex bodies have too few letters
// and are never wordy.
func wordy(body []byte) bool {
	least := 14 + max(0, 2*(20-len(body))) // a short body says little
	switch classOf(body) {
	case decimalClass, hexClass:
		return false
	case oneCaseClass: // chance is smooth, too
		least += 10
	}
	n, score := 0, 0
	for i := 1; i < len(body); i++ {
		a, b := body[i-1], body[i]
		p, q := lowerByte(a)-'a', lowerByte(b)-'a'
		switch {
		case p < 26 && q < 26:
			n++
			score += int(pairs[int(p)*26+int(q)]-'0') - 6
			if a >= 'a' && b <= 'Z' {
				score -= 3
			} else {
				score++
			}
		case p < 26 && isDigit(b), isDigit(a) && q < 26:
			score -= 3
		}
	}
	return n >= 12 && score > least && 3*n > len(body)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// class is the narrowest alphabet that a body is written in.
type class uint8

const (
	decimalClass class = iota
	hexClass           // of either case
	oneCaseClass       // digits and letters of one case
	wideClass
)

func classOf(body []byte) class {
	hex, letters, up, low := true, false, false, false
	for _, b := range body {
		switch {
		case isDigit(b), b == '-', b == '_', b == '.':
			continue
		case 'a' <= b && b <= 'z':
			low = true
		case 'A' <= b && b <= 'Z':
			up = true
		default:
			return wideClass
		}
		letters = true
		hex = hex && lowerByte(b) <= 'f'
	}
	switch {
	case !letters:
		return decimalClass
	case hex:
		return hexClass
	case up && low:
		return wideClass
	}
	return oneCaseClass
}

// entropy is the number of bits a byte that a code made for body alone needs.
func entropy(body []byte) float64 {
	if len(body) == 0 {
		return 0
	}
	var count [256]int
	for _, b := range body {
		count[b]++
	}
	sum := 0.0
	for _, n := range count {
		if n > 1 {
			sum += float64(n) * math.Log2(float64(n))
		}
	}
	n := float64(len(body))
	return math.Log2(n) - sum/n
}

// leastEntropy is what a random body of this length and alphabet reaches but
// once in a hundred thousand times.
func leastEntropy(body []byte) float64 {
	n := min(len(body), 64)
	if n < 8 {
		return 0
	}
	log := math.Log2(float64(n))
	switch classOf(body) {
	case decimalClass:
		return 0.35 * log
	case hexClass:
		return 0.47 * log
	case oneCaseClass:
		return 0.52 * log
	}
	return 0.58 * log
}

// rejectKind returns what recognizes the bodies that a format's reject key can
// rule out.
func rejectKind(name string) (func(body []byte) bool, error) {
	switch name {
	case "hex":
		return isHex, nil
	case "digest":
		return isDigest, nil
	case "single-case":
		return isSingleCase, nil
	case "path":
		return isPath, nil
	}
	return nil, fmt.Errorf("reject %q is not known; use digest, hex, path or single-case", clip(name))
}

// isHex reports whether body is nothing but hexadecimal digits.
func isHex(body []byte) bool {
	for _, c := range body {
		if c = lowerByte(c); !(isDigit(c) || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// isDigest reports whether body is hex and as long as a digest is.
func isDigest(body []byte) bool {
	switch len(body) {
	case 32, 40, 48, 56, 64, 96, 128:
		return isHex(body)
	}
	return false
}

// isSingleCase reports whether body lacks small or capital letters.
func isSingleCase(body []byte) bool {
	upper, lower := false, false
	for _, c := range body {
		upper = upper || 'A' <= c && c <= 'Z'
		lower = lower || 'a' <= c && c <= 'z'
	}
	return !upper || !lower
}

// isPath reports whether body is cut by slashes into names, as paths are: at
// least three parts are letters only, and make up two thirds of it.
func isPath(body []byte) bool {
	names, length := 0, 0
	for part := range bytes.SplitSeq(body, []byte("/")) {
		if isName(part) {
			names++
			length += len(part)
		}
	}
	return names >= 3 && 3*length >= 2*len(body)
}

func isName(part []byte) bool {
	for _, c := range part {
		if c = lowerByte(c); c < 'a' || c > 'z' {
			return false
		}
	}
	return len(part) >= 2
}
