// Package standin stands in for what patwatch talks to: GitHub, a mail server,
// an issuer. It serves real protocols over real data, and each part can be told
// to misbehave. Tests use it, and so does the demo.
package standin

import (
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// GitHubOptions say how a [GitHub] behaves. Dir must be given.
type GitHubOptions struct {
	Dir          string           // where repositories are made, as <owner>/<name>.git
	Now          func() time.Time // nil: time.Now
	PollInterval time.Duration    // what X-Poll-Interval asks for, in seconds; 0: 60 s
	Quota        int              // requests an hour that the API answers; 0: 5000
	Legacy       bool             // push events as they were before October 2025, with their commits
}

// GitHub is a stand-in for github.com and api.github.com on one address: the
// events API, repositories by number, and the repositories themselves, served
// by git's own http-backend. It needs git on the machine. All methods may be
// called at any time, concurrently.
type GitHub struct {
	o       GitHubOptions
	backend string // path of git-http-backend
	stop    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	repos  map[string]*repository // by lower-case name
	byID   map[int64]*repository
	faults map[string]*Fault // by lower-case name; apiFault for the API
	events timeline
	quota  quota
	nextID int64
	served map[string]int // requests, by path

	writers sync.Pool // see store
}

// A repository is one that was pushed to. Its mutex orders the pushes.
type repository struct {
	mu    sync.Mutex
	id    int64
	name  string // "owner/name"; under GitHub.mu
	store store
	heads map[string]*head // by ref
	past  []*head          // the latest ones, oldest first
}

// A head is what a ref points at.
type head struct {
	commit string
	files  map[string]string // name of the blob, by path
}

const apiFault = "" // the key of the API's fault

var nameGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)

// NewGitHub returns a GitHub without repositories and events. It is an error
// when git is not there.
func NewGitHub(ctx context.Context, o GitHubOptions) (*GitHub, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("standing in for GitHub: %w", err)
	}
	out, err := exec.CommandContext(ctx, git, "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	backend, err := exec.LookPath(filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"))
	if err != nil {
		return nil, fmt.Errorf("standing in for GitHub: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.PollInterval == 0 {
		o.PollInterval = time.Minute
	}
	if o.Quota == 0 {
		o.Quota = 5000
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	return &GitHub{
		o: o, backend: backend,
		stop: make(chan struct{}), repos: map[string]*repository{}, byID: map[int64]*repository{},
		faults: map[string]*Fault{}, served: map[string]int{}, nextID: firstRepositoryID,
		writers: sync.Pool{New: func() any { return zlib.NewWriter(nil) }},
	}, nil
}

const firstRepositoryID = 900000001

// Close ends answers that a fault holds up. Repositories stay on disk.
func (g *GitHub) Close() { g.once.Do(func() { close(g.stop) }) }

// Create makes an empty public repository "owner/name", and the event of it. It
// returns its number.
func (g *GitHub) Create(name string) (int64, error) {
	if !nameGrammar.MatchString(name) {
		return 0, fmt.Errorf("%q is not owner/name", name)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := strings.ToLower(name)
	if g.repos[key] != nil {
		return 0, fmt.Errorf("%s is there already", name)
	}
	r := &repository{id: g.nextID, name: name, heads: map[string]*head{}}
	r.store.writers = &g.writers
	r.store.dir = filepath.Join(g.o.Dir, filepath.FromSlash(key)+".git")
	if err := r.store.initialise(); err != nil {
		return 0, fmt.Errorf("making %s: %w", name, err)
	}
	g.nextID++
	g.repos[key], g.byID[r.id] = r, r
	g.addEvent("CreateEvent", r, map[string]any{"ref": nil, "ref_type": "repository", "master_branch": "main", "description": nil, "pusher_type": "user"})
	return r.id, nil
}

// Rename gives a repository another name. Its old one answers 301 to the new
// one, as GitHub does.
func (g *GitHub) Rename(from, to string) error {
	if !nameGrammar.MatchString(to) {
		return fmt.Errorf("%q is not owner/name", to)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.repos[strings.ToLower(from)]
	if r == nil || g.repos[strings.ToLower(to)] != nil {
		return fmt.Errorf("renaming %s to %s: no such repository, or the name is taken", from, to)
	}
	r.name = to
	g.repos[strings.ToLower(to)] = r
	return nil
}

// Remove makes a repository unknown: 404 from then on.
func (g *GitHub) Remove(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.repos[strings.ToLower(name)]
	if r == nil {
		return fmt.Errorf("no repository %s", name)
	}
	maps.DeleteFunc(g.repos, func(_ string, other *repository) bool { return other == r })
	delete(g.byID, r.id)
	return nil
}

// Fault makes the answers for a repository go wrong, or those of the API when
// name is "". nil makes them right again.
func (g *GitHub) Fault(name string, f *Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := strings.ToLower(name)
	if f == nil {
		delete(g.faults, key)
		return
	}
	held := *f
	g.faults[key] = &held
}

// fault takes what goes wrong with the next answer.
func (g *GitHub) fault(name string) (Fault, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := strings.ToLower(name)
	f := g.faults[key]
	if f == nil {
		return Fault{}, false
	}
	out := *f
	if f.Times == 1 {
		delete(g.faults, key)
	} else if f.Times > 1 {
		f.Times--
	}
	return out, true
}

// Served returns how many requests there were for a path, queries left out.
func (g *GitHub) Served(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.served[path]
}

// ServeHTTP answers as api.github.com does below /events and /repositories/,
// and as github.com does for the repositories.
func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.served[r.URL.Path]++
	g.mu.Unlock()
	if owner, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); ok && strings.Contains(rest, ".git/") {
		name, service, _ := strings.Cut(rest, ".git/")
		g.withFault(w, r, owner+"/"+name, g.gitHandler(owner+"/"+name, "/"+service))
		return
	}
	g.withFault(w, r, apiFault, http.HandlerFunc(g.api))
}

func (g *GitHub) withFault(w http.ResponseWriter, r *http.Request, name string, h http.Handler) {
	if f, ok := g.fault(name); ok {
		inject(w, r, f, g.stop, h)
		return
	}
	h.ServeHTTP(w, r)
}

// gitHandler serves one repository by git http-backend.
func (g *GitHub) gitHandler(name, service string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		repo := g.repos[strings.ToLower(name)]
		now := ""
		if repo != nil {
			now = repo.name
		}
		g.mu.Unlock()
		switch {
		case repo == nil:
			http.NotFound(w, r)
		case !strings.EqualFold(now, name):
			to := *r.URL
			to.Path = "/" + now + ".git" + service
			http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
		default:
			g.cgi(repo, service).ServeHTTP(w, r)
		}
	})
}

// cgi runs git http-backend, shielded from the machine's configuration.
func (g *GitHub) cgi(repo *repository, service string) http.Handler {
	return &cgi.Handler{
		Path: g.backend,
		Dir:  repo.store.dir,
		Env: []string{
			"PATH_TRANSLATED=" + filepath.Join(repo.store.dir, filepath.FromSlash(service)),
			"GIT_PROJECT_ROOT=", "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
		InheritEnv: []string{"PATH", "SYSTEMROOT", "HOME"},
		Stderr:     discard{},
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// api answers what is not a repository.
func (g *GitHub) api(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	id, isRepository := strings.CutPrefix(r.URL.Path, "/repositories/")
	switch {
	case r.Method != http.MethodGet:
		apiError(w, http.StatusMethodNotAllowed, "Method Not Allowed", "")
	case r.URL.Path == "/events":
		g.serveEvents(w, r)
	case isRepository:
		g.serveRepository(w, id)
	default:
		apiError(w, http.StatusNotFound, "Not Found", "")
	}
}

func (g *GitHub) serveRepository(w http.ResponseWriter, number string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.spend(w) {
		return
	}
	id, err := strconv.ParseInt(number, 10, 64)
	repo := g.byID[id]
	if err != nil || repo == nil {
		apiError(w, http.StatusNotFound, "Not Found", "")
		return
	}
	owner, name, _ := strings.Cut(repo.name, "/")
	writeJSON(w, http.StatusOK, map[string]any{
		"id": repo.id, "name": name, "full_name": repo.name, "private": false, "default_branch": "main",
		"owner": map[string]any{"login": owner, "id": actorID, "type": "User"},
	})
}

// repository finds one by its name.
func (g *GitHub) repository(name string) (*repository, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.repos[strings.ToLower(name)]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("no repository %s", name)
}

var errEmptyPush = errors.New("a push needs a ref")
