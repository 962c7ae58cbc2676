package detectors

import (
	"bytes"
	"slices"
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

// exampleHost reports whether host is reserved for examples, a test's own
// machine, or a name that stands for a host.
func exampleHost(host string) bool {
	host = strings.TrimRight(host, ".")
	for _, domain := range []string{"example.com", "example.org", "example.net", "example.edu", "domain.com", "yourdomain.com", "mydomain.com", "company.com", "foo.com", "bar.com", "host.com", "site.com", "server.com", "test.com", "abc.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	for _, top := range []string{"example", "test", "invalid", "localhost", "local", "internal"} {
		if host == top || strings.HasSuffix(host, "."+top) {
			return true
		}
	}
	if strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "0.0.0.0") || strings.Contains(host, "example") {
		return true
	}
	return !strings.ContainsRune(host, '.') && slices.Contains([]string{"", "host", "hostname", "server", "domain", "proxy", "db", "database", "postgres", "mysql", "redis", "mongo", "mongodb", "rabbitmq", "remote", "registry", "foo", "bar", "h", "a", "b"}, host)
}

// realPassword reports whether a password is long and varied enough to be one,
// and holds no variable, no word that stands for a password, and not the user.
func realPassword(password, user []byte) bool {
	if len(password) < 8 || bytes.ContainsAny(password, "<>{}[]()*$|^\\\"'`,;") || bytes.EqualFold(password, user) {
		return false
	}
	if bytes.IndexByte(password, '%') >= 0 {
		plain, ok := unpercent(password)
		if !ok {
			return false
		}
		password = plain
	}
	low := bytes.ToLower(password)
	for _, word := range []string{"pass", "secret", "token", "user", "test", "hunter", "admin", "foo", "bar", "xxx", "key", "1234", "abcd", "cred", "login", "value", "letmein", "welcome"} {
		if bytes.Contains(low, []byte(word)) && len(password) < 20 {
			return false
		}
	}
	return charKinds(password) >= 2 && entropy(password) >= 2.5 && !placeholder(password) && !allDigits(password)
}

// charKinds counts which of small letters, capitals, digits and signs occur.
func charKinds(b []byte) int {
	var kinds [4]int
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z':
			kinds[0] = 1
		case 'A' <= c && c <= 'Z':
			kinds[1] = 1
		case '0' <= c && c <= '9':
			kinds[2] = 1
		default:
			kinds[3] = 1
		}
	}
	return kinds[0] + kinds[1] + kinds[2] + kinds[3]
}
