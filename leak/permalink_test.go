package leak_test

import (
	"net/url"
	"strings"
	"testing"

	"patwatch/leak"
)

const commit = "9f2c1e7a4b5d6e8f90123456789abcdef0123456"

func TestPermalink(t *testing.T) {
	const (
		github = "https://github.com/octo/shop/blob/" + commit + "/a/b.go#L3"
		gitlab = "https://gitlab.com/group/sub/shop/-/blob/" + commit + "/a/b.go#L3"
		azure  = "https://dev.azure.com/contoso/Web%20Shop/_git/shop?path=%2Fa%2Fb.go&version=GC" + commit +
			"&line=3&lineEnd=3&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain"
	)
	for remote, want := range map[string]string{
		"https://github.com/octo/shop.git":                        github,
		"https://github.com/octo/shop":                            github,
		"https://github.com/octo/shop/":                           github,
		"HTTPS://GitHub.com/octo/shop.git":                        github,
		"http://github.com/octo/shop.git":                         github,
		"git://github.com/octo/shop.git":                          github,
		"git@github.com:octo/shop.git":                            github,
		"git@github.com:/octo/shop.git":                           github,
		"github.com:octo/shop":                                    github,
		"ssh://git@github.com/octo/shop.git":                      github,
		"ssh://git@github.com:22/octo/shop.git":                   github,
		"git+ssh://git@github.com/octo/shop":                      github,
		"https://x-access-token:hunter2@github.com/octo/shop.git": github,
		"https://hunter2@github.com/octo/shop.git?a=b#c":          github,
		"https://github.contoso.example/octo/shop.git":            strings.Replace(github, "github.com", "github.contoso.example", 1),
		"https://github.contoso.example:8443/octo/shop.git":       strings.Replace(github, "github.com", "github.contoso.example:8443", 1),

		"https://gitlab.com/group/sub/shop.git":                gitlab,
		"git@gitlab.com:group/sub/shop.git":                    gitlab,
		"https://oauth2:hunter2@gitlab.com/group/sub/shop.git": gitlab,
		"ssh://git@gitlab.contoso.example:2222/group/sub/shop": strings.Replace(gitlab, "gitlab.com", "gitlab.contoso.example", 1),

		"https://dev.azure.com/contoso/Web%20Shop/_git/shop":                      azure,
		"https://contoso@dev.azure.com/contoso/Web%20Shop/_git/shop":              azure,
		"https://contoso:hunter2@dev.azure.com/contoso/Web%20Shop/_git/shop":      azure,
		"https://contoso.visualstudio.com/Web%20Shop/_git/shop":                   azure,
		"https://contoso.visualstudio.com/DefaultCollection/Web%20Shop/_git/shop": azure,
		"git@ssh.dev.azure.com:v3/contoso/Web Shop/shop":                          azure,
		"ssh://git@ssh.dev.azure.com/v3/contoso/Web%20Shop/shop":                  azure,
		"contoso@vs-ssh.visualstudio.com:v3/contoso/Web Shop/shop":                azure,
		"https://dev.azure.com/contoso/_git/shop":                                 strings.Replace(azure, "Web%20Shop", "shop", 1),

		"https://bitbucket.org/octo/shop.git": "https://bitbucket.org/octo/shop/src/" + commit + "/a/b.go#lines-3",
		"git@bitbucket.org:octo/shop.git":     "https://bitbucket.org/octo/shop/src/" + commit + "/a/b.go#lines-3",
		"https://codeberg.org/octo/shop.git":  "https://codeberg.org/octo/shop/src/commit/" + commit + "/a/b.go#L3",
		"https://gitea.example.org/octo/shop": "https://gitea.example.org/octo/shop/src/commit/" + commit + "/a/b.go#L3",
		"https://forgejo.example.org/octo/sh": "https://forgejo.example.org/octo/sh/src/commit/" + commit + "/a/b.go#L3",

		"":                                      "",
		"/srv/git/shop.git":                     "",
		"../shop":                               "",
		"file:///srv/github.com/shop.git":       "",
		`C:\src\shop`:                           "",
		"C:/src/shop":                           "",
		"./a:b/c":                               "",
		"https://git.example.org/octo/shop.git": "",
		"https://notgithub.com/octo/shop":       "",
		"https://github.com":                    "",
		"https://github.com/octo":               "",
		"https://github.com/octo/../shop":       "",
		"https://github.com/octo//shop":         "",
		"https://dev.azure.com/contoso/shop":    "",
		"git@ssh.dev.azure.com:v2/a/b/c":        "",
		"javascript://github.com/octo/shop":     "",
		"ext::sh -c github.com/octo/shop":       "",
		"https://github.com\x00/octo/shop":      "",
		"git@github.com\n:octo/shop":            "",
		"git@github.com#x/y:octo/shop":          "",
		"git@-github.com:octo/shop":             "",
		"https://[::1]/octo/shop":               "",
		"https://%zz/octo/shop":                 "",
	} {
		if got := leak.Permalink(remote, commit, "a/b.go", 3, 3); got != want {
			t.Errorf("Permalink(%q)\n got %s\nwant %s", remote, got, want)
		}
	}
}

func TestPermalinkLines(t *testing.T) {
	for _, c := range []struct {
		remote    string
		line, end int
		want      string
	}{
		{"https://github.com/o/r", 3, 9, "#L3-L9"},
		{"https://github.com/o/r", 3, 0, "#L3"},
		{"https://github.com/o/r", 0, 0, "/f"},
		{"https://gitlab.com/o/r", 3, 9, "#L3-9"},
		{"https://bitbucket.org/o/r", 3, 9, "#lines-3:9"},
		{"https://codeberg.org/o/r", 3, 9, "#L3-L9"},
		{"https://dev.azure.com/o/p/_git/r", 3, 9, "&line=3&lineEnd=9&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain"},
		{"https://dev.azure.com/o/p/_git/r", 0, 9, "&version=GC" + commit},
	} {
		if got := leak.Permalink(c.remote, commit, "f", c.line, c.end); !strings.HasSuffix(got, c.want) {
			t.Errorf("%s, lines %d to %d: %s, want it to end in %s", c.remote, c.line, c.end, got, c.want)
		}
	}
}

func TestPermalinkNeedsACommitAndAPath(t *testing.T) {
	for _, c := range []struct{ commit, path string }{
		{"", "a"}, {commit, ""}, {"main", "a"}, {"../../x", "a"},
	} {
		if got := leak.Permalink("https://github.com/o/r", c.commit, c.path, 1, 1); got != "" {
			t.Errorf("commit %q and path %q give %s", c.commit, c.path, got)
		}
	}
}

func TestWebURL(t *testing.T) {
	for remote, want := range map[string]string{
		"https://user:hunter2@git.example.org/octo/shop.git?x#y": "https://git.example.org/octo/shop",
		"git@git.example.org:shop.git":                           "https://git.example.org/shop",
		"ssh://git@git.example.org:2222/octo/shop.git":           "https://git.example.org/octo/shop",
		"git@ssh.dev.azure.com:v3/contoso/web/shop":              "https://dev.azure.com/contoso/web/_git/shop",
		"/srv/git/shop.git":                                      "",
		"":                                                       "",
		"https://":                                               "",
	} {
		if got := leak.WebURL(remote); got != want {
			t.Errorf("WebURL(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestEscapePath(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"a/B-9_.~/c":      "a/B-9_.~/c",
		"a b:c?d#e%f":     "a%20b%3Ac%3Fd%23e%25f",
		"é\xff\n":         "%C3%A9%FF%0A",
		"javascript:x//y": "javascript%3Ax//y",
	} {
		if got := leak.EscapePath(in); got != want {
			t.Errorf("EscapePath(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzPermalink checks that whatever the remote and the path, a link is https,
// has no credentials, and stands on the host of the remote.
func FuzzPermalink(f *testing.F) {
	for _, remote := range []string{
		"https://u:p@github.com/o/r.git", "git@gitlab.com:o/r", "git@ssh.dev.azure.com:v3/a/b/c",
		"https://a.visualstudio.com/p/_git/r", "ssh://git@codeberg.org:22/o/r", "git@bitbucket.org:o/r@x:y",
	} {
		f.Add(remote, "a b/\xff#?.go", 3, 4)
	}
	f.Fuzz(func(t *testing.T, remote, path string, line, end int) {
		for _, link := range []string{leak.Permalink(remote, commit, path, line, end), leak.WebURL(remote)} {
			if link == "" {
				continue
			}
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "https" || u.User != nil {
				t.Fatalf("%q is no clean link: %v", link, err)
			}
			if u.Host != "dev.azure.com" && !strings.Contains(strings.ToLower(remote), u.Hostname()) {
				t.Fatalf("%q is not on the host of %q", link, remote)
			}
		}
	})
}
