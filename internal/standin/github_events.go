package standin

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	timelineLength = 300 // events that the API shows
	maxPage        = 3
	actorID        = 1000001

	// Where the counters of events and pushes start: the numbers of events of
	// one type grow, those of different types do not compare.
	firstPushEvent  = 12582610974
	firstOtherEvent = 10080838086
	firstPush       = 34872209580
)

// A timeline holds the latest events, the oldest first.
type timeline struct {
	events []json.RawMessage
	pushes int64
	others int64
	moved  int64 // push events
}

// nextPush returns the number of the next push. There are holes, since private
// pushes are counted too.
func (t *timeline) nextPush() int64 {
	t.pushes++
	return firstPush + 3*t.pushes
}

// nextID returns the number of the next event of a type.
func (t *timeline) nextID(kind string) string {
	if kind == "PushEvent" {
		t.moved++
		return strconv.FormatInt(firstPushEvent+t.moved, 10)
	}
	t.others++
	return strconv.FormatInt(firstOtherEvent+t.others, 10)
}

func (t *timeline) add(event json.RawMessage) {
	t.events = append(t.events, event)
	if over := len(t.events) - timelineLength; over > 0 {
		t.events = t.events[over:]
	}
}

// addEvent appends an event about a repository and returns the id that a push
// heard of by it has. The caller holds g.mu.
func (g *GitHub) addEvent(kind string, repo *repository, payload map[string]any) string {
	id := g.events.nextID(kind)
	owner, _, _ := strings.Cut(repo.name, "/")
	event, err := json.Marshal(map[string]any{
		"id": id, "type": kind,
		"actor":   map[string]any{"id": actorID, "login": owner, "display_login": owner, "gravatar_id": "", "url": "https://api.github.com/users/" + owner},
		"repo":    map[string]any{"id": repo.id, "name": repo.name, "url": "https://api.github.com/repos/" + repo.name},
		"payload": payload, "public": true, "created_at": g.o.Now().UTC().Format(time.RFC3339),
	})
	if err == nil { // maps of strings and numbers: it always is
		g.events.add(event)
	}
	return "github:" + kind + ":" + id
}

// AddEvent appends an event as it is: one of a type that nobody knows, or a
// broken one. It must be JSON.
func (g *GitHub) AddEvent(event json.RawMessage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events.add(event)
}

// Watch appends n events of another type about a repository that is not there.
func (g *GitHub) Watch(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range n {
		g.addEvent("WatchEvent", &repository{id: firstRepositoryID - 1, name: "org-1/repo-1"}, map[string]any{"action": "started"})
	}
}

// A quota is what is left of the requests of an hour.
type quota struct {
	left  int
	reset time.Time
}

// spend counts a request and sets the headers that say so. When none is left it
// answers and returns false. The caller holds g.mu.
func (g *GitHub) spend(w http.ResponseWriter) bool {
	now := g.o.Now()
	if !now.Before(g.quota.reset) {
		g.quota = quota{g.o.Quota, now.Add(time.Hour)}
	}
	ok := g.quota.left > 0
	if ok {
		g.quota.left--
	}
	g.rateHeaders(w)
	if !ok {
		apiError(w, http.StatusForbidden, "API rate limit exceeded for user ID 1000001.", "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api")
	}
	return ok
}

func (g *GitHub) rateHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(g.o.Quota))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(g.quota.left))
	h.Set("X-RateLimit-Used", strconv.Itoa(g.o.Quota-g.quota.left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(g.quota.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// serveEvents answers with one page of the timeline, the newest first.
func (g *GitHub) serveEvents(w http.ResponseWriter, r *http.Request) {
	perPage := number(r, "per_page", 30, 100)
	page := number(r, "page", 1, 1<<20)
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("X-Poll-Interval", strconv.Itoa(int(g.o.PollInterval/time.Second)))
	if page > maxPage {
		apiError(w, http.StatusUnprocessableEntity, "In order to keep the API fast for everyone, pagination is limited for this resource.", "https://docs.github.com/v3/#pagination")
		return
	}
	body, more := g.events.page(page, perPage)
	etag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(body))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		g.rateHeaders(w)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if !g.spend(w) {
		return
	}
	if more && page < maxPage {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/events?per_page=%d&page=%d>; rel="next"`, r.Host, perPage, page+1))
	}
	_, _ = w.Write(body) // who asks may be gone
}

// page returns a page as a JSON array, and whether older events follow.
func (t *timeline) page(page, perPage int) ([]byte, bool) {
	end := max(len(t.events)-(page-1)*perPage, 0)
	start := max(end-perPage, 0)
	out := []byte{'['}
	for i := end - 1; i >= start; i-- {
		out = append(out, t.events[i]...)
		if i > start {
			out = append(out, ',')
		}
	}
	return append(out, ']'), start > 0
}

// number reads a number from a query: missing when it is not there or none.
func number(r *http.Request, key string, missing, most int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(key))
	if err != nil || n < 1 {
		return missing
	}
	return min(n, most)
}

func apiError(w http.ResponseWriter, code int, message, url string) {
	writeJSON(w, code, map[string]any{"message": message, "documentation_url": url, "status": strconv.Itoa(code)})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who asks may be gone
}
