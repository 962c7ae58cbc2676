package detectors

import (
	"reflect"
	"slices"
	"strings"
)

// nearest returns the key of v's type that is most like the last of key.
func nearest(key []string, v any) string {
	if len(key) == 0 {
		return ""
	}
	word, best, cost := clip(key[len(key)-1]), "", 1<<30
	for _, k := range tomlKeys(reflect.TypeOf(v), nil) {
		if d := distance(word, k); d < cost {
			best, cost = k, d
		}
	}
	return best
}

// tomlKeys collects every key that t and the structs in it declare, sorted.
func tomlKeys(t reflect.Type, keys []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return keys
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
		if name == "" || name == "-" {
			continue
		}
		keys = tomlKeys(t.Field(i).Type, append(keys, name))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// distance is the number of characters to insert, delete or replace between a
// and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// orList joins words for an error message: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// keysOf returns the keys of m, sorted.
func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
