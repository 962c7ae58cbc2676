package detectors

import (
	"bytes"
	"strings"
)

// urlUserinfo reports whether the credentials of "scheme://user:password@host"
// could be somebody's: it refuses what manuals and tests write.
func urlUserinfo(token []byte) bool {
	_, rest, ok := bytes.Cut(token, []byte("://"))
	if !ok {
		return false
	}
	user, rest, ok := bytes.Cut(rest, []byte(":"))
	at := bytes.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return false
	}
	password, host := rest[:at], rest[at+1:]
	return !exampleHost(string(bytes.ToLower(host))) && realPassword(password, user)
}

// exampleHost reports whether host is reserved for examples, this machine, or
// a name that stands for a host.
func exampleHost(host string) bool {
	host = strings.TrimRight(host, ".")
	for _, domain := range [...]string{
		"example", "test", "invalid", "localhost", "local", "internal", "lan",
		"example.com", "example.org", "example.net", "example.edu", "domain.com", "domain.tld",
		"company.com", "foo.com", "bar.com", "host.com", "site.com", "server.com", "abc.com",
		"google.com",
	} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	for _, word := range [...]string{
		"example", "dummy", "fake", "yourhost", "your-", "mydomain", "yourdomain", "myhost",
		"hostname", "placeholder", "localhost",
	} {
		if strings.Contains(host, word) {
			return true
		}
	}
	// A host without a dot is a service of the same deployment, most often in
	// a test's composition of containers.
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "0.0.0.0") || !strings.Contains(host, ".")
}

// realPassword reports whether a password is long and varied enough to be one,
// and holds no variable, no word that stands for a password, and not the user.
func realPassword(password, user []byte) bool {
	password, ok := unpercent(password)
	if !ok || len(password) < 8 || bytes.ContainsAny(password, "<>{}[]()*$|^\\\"'`,;% \x00") || bytes.EqualFold(password, user) {
		return false
	}
	if len(password) < 20 && namesItself(password) {
		return false
	}
	return mixed(password) && entropy(password) >= 2.75 && !placeholder(password)
}

// namesItself reports whether a password holds a word that says it is made up.
func namesItself(password []byte) bool {
	low, plain := bytes.ToLower(password), plainLetters(password)
	for _, word := range [...]string{
		"pass", "sword", "secret", "token", "user", "test", "hunter", "admin", "foo", "bar", "xxx", "key",
		"1234", "abcd", "cred", "login", "value", "letmein", "welcome", "root", "guest", "qwer",
	} {
		if bytes.Contains(low, []byte(word)) || bytes.Contains(plain, []byte(word)) {
			return true
		}
	}
	return false
}

// plainLetters lower-cases b and undoes the usual swaps of letters for signs.
func plainLetters(b []byte) []byte {
	low := bytes.ToLower(b)
	for i, c := range low {
		switch c {
		case '@', '4':
			low[i] = 'a'
		case '0':
			low[i] = 'o'
		case '!':
			low[i] = 'i'
		case '5':
			low[i] = 's'
		}
	}
	return low
}

// mixed reports whether b has both letters and digits.
func mixed(b []byte) bool {
	letter, digit := false, false
	for _, c := range b {
		digit = digit || '0' <= c && c <= '9'
		letter = letter || 'a' <= lowerByte(c) && lowerByte(c) <= 'z'
	}
	return letter && digit
}
