package leak

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Permalink returns the address of lines of a file as the commit has it, at
// the web page of the host that remote names, or "" when the host is not one
// it knows or anything but the lines is missing. remote is the URL git clones
// from: https, ssh, git, or user@host:path; credentials in it do not reach the
// result. Hosts are known by name (github, gitlab, bitbucket.org, Azure Repos,
// gitea, forgejo, codeberg.org); nothing is asked over the network. line and
// endLine count from 1; a line below 1 links to the file.
//
// path and remote may hold any bytes: the result is percent-encoded, https,
// and never leaves the host of remote.
func Permalink(remote, commit, path string, line, endLine int) string {
	host, repo, ok := splitRemote(remote)
	if !ok || !isHex(commit) || path == "" {
		return ""
	}
	at := target{commit, EscapePath(path), line, max(line, endLine)}
	if web, ok := azureRepository(host, repo); ok {
		return at.azure(web)
	}
	rest := at.forge(host)
	if rest == "" || !strings.Contains(repo, "/") {
		return ""
	}
	return "https://" + host + "/" + EscapePath(repo) + rest
}

// WebURL returns the https address of the repository that remote names,
// without credentials, query and ".git", or "" when remote is not a URL of a
// host: a local path, or something else.
func WebURL(remote string) string {
	host, repo, ok := splitRemote(remote)
	if !ok {
		return ""
	}
	if web, ok := azureRepository(host, repo); ok {
		return web
	}
	return "https://" + host + "/" + EscapePath(repo)
}

// EscapePath percent-encodes every byte of a slash-separated path but letters,
// digits and "-._~/", so that the result is a valid relative reference of a
// URL (RFC 3986) whatever bytes path holds.
func EscapePath(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if isAlphanumeric(c) || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
	}
	return b.String()
}

// splitRemote returns the host (lower case, with a port that https may have)
// and the path, without slashes at its ends and ".git", of a remote URL.
func splitRemote(remote string) (host, repo string, ok bool) {
	if !strings.Contains(remote, "://") {
		return splitSCP(remote)
	}
	u, err := url.Parse(remote)
	if err != nil {
		return "", "", false
	}
	switch strings.ToLower(u.Scheme) {
	case "https", "http":
		host = u.Host
	case "ssh", "git", "git+ssh", "ssh+git":
		host = u.Hostname() // their port is not the web's
	default:
		return "", "", false
	}
	return cleanRemote(host, u.Path)
}

// splitSCP splits user@host:path. What has a slash before the colon, or one
// letter only (a drive), is a local path.
func splitSCP(remote string) (host, repo string, ok bool) {
	host, repo, ok = strings.Cut(remote, ":")
	if _, after, found := strings.Cut(host, "@"); found {
		host = after
	}
	if !ok || len(host) < 2 {
		return "", "", false
	}
	return cleanRemote(host, repo)
}

func cleanRemote(host, repo string) (string, string, bool) {
	host = strings.ToLower(host)
	repo = strings.TrimSuffix(strings.Trim(repo, "/"), ".git")
	for _, part := range strings.Split(repo, "/") {
		if part == "" || part == "." || part == ".." {
			return "", "", false
		}
	}
	return host, repo, validHost(host)
}

func validHost(host string) bool {
	for i := range len(host) {
		if !isAlphanumeric(host[i]) && strings.IndexByte("-.:", host[i]) < 0 {
			return false
		}
	}
	u, err := url.Parse("https://" + host + "/")
	return err == nil && u.Hostname() != "" && isAlphanumeric(host[0])
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// azureRepository returns the web address of an Azure Repos repository. Its
// remotes are dev.azure.com/ORG/PROJECT/_git/REPO,
// ORG.visualstudio.com/[DefaultCollection/]PROJECT/_git/REPO, and by ssh
// ssh.dev.azure.com:v3/ORG/PROJECT/REPO or
// vs-ssh.visualstudio.com:v3/ORG/PROJECT/REPO. A project may be left out when
// its repository has the same name.
func azureRepository(host, repo string) (string, bool) {
	parts := strings.Split(repo, "/")
	switch {
	case host == "ssh.dev.azure.com", host == "vs-ssh.visualstudio.com":
		if len(parts) != 4 || parts[0] != "v3" {
			return "", false
		}
		return azureWeb(parts[1], parts[2], parts[3]), true
	case host == "dev.azure.com":
		return azureWebPath(parts[0], parts[1:])
	case strings.HasSuffix(host, ".visualstudio.com"):
		if len(parts) > 0 && strings.EqualFold(parts[0], "DefaultCollection") {
			parts = parts[1:]
		}
		return azureWebPath(strings.TrimSuffix(host, ".visualstudio.com"), parts)
	}
	return "", false
}

// azureWebPath takes [PROJECT,] "_git", REPO.
func azureWebPath(org string, parts []string) (string, bool) {
	if len(parts) == 2 && parts[0] == "_git" {
		return azureWeb(org, parts[1], parts[1]), true
	}
	if len(parts) == 3 && parts[1] == "_git" {
		return azureWeb(org, parts[0], parts[2]), true
	}
	return "", false
}

func azureWeb(org, project, repo string) string {
	return "https://dev.azure.com/" + EscapePath(org) + "/" + EscapePath(project) + "/_git/" + EscapePath(repo)
}

// target is what a permalink points at.
type target struct {
	commit, path  string // path percent-encoded
	line, endLine int
}

func (t target) azure(web string) string {
	link := web + "?path=%2F" + strings.ReplaceAll(t.path, "/", "%2F") + "&version=GC" + t.commit
	if t.line < 1 {
		return link
	}
	return link + "&line=" + strconv.Itoa(t.line) + "&lineEnd=" + strconv.Itoa(t.endLine) +
		"&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain"
}

// forge returns what follows the repository in a link at the host, "" when the
// host is not known.
func (t target) forge(host string) string {
	labels := strings.Split(host, ".")
	switch {
	case slices.Contains(labels, "github"):
		return "/blob/" + t.commit + "/" + t.path + t.lines("#L", "-L")
	case slices.Contains(labels, "gitlab"):
		return "/-/blob/" + t.commit + "/" + t.path + t.lines("#L", "-")
	case host == "bitbucket.org":
		return "/src/" + t.commit + "/" + t.path + t.lines("#lines-", ":")
	case host == "codeberg.org", slices.Contains(labels, "gitea"), slices.Contains(labels, "forgejo"):
		return "/src/commit/" + t.commit + "/" + t.path + t.lines("#L", "-L")
	}
	return ""
}

func (t target) lines(first, last string) string {
	if t.line < 1 {
		return ""
	}
	if t.endLine == t.line {
		return first + strconv.Itoa(t.line)
	}
	return first + strconv.Itoa(t.line) + last + strconv.Itoa(t.endLine)
}
