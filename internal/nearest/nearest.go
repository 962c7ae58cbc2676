// Package nearest finds what somebody who mistyped a name may have meant.
package nearest

// Name returns the name closest to word, or "" when none is close: more than
// half of word would have to change. Of two that are equally close it is the
// first.
func Name(word string, names []string) string {
	const longest = 64 // of a word worth comparing
	if len(word) > longest {
		return ""
	}
	best, at := "", 1+len(word)/2
	for _, n := range names {
		if d := distance(word, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is the number of single-byte insertions, deletions, changes and
// swaps of neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, above[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
