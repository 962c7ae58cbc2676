package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Issuer is a server that revokes tokens: Azure DevOps' token administration, as
// Microsoft's own client asks for it, below <URL>/<organization>, and a webhook
// at <URL>/webhook. It is safe for concurrent use.
type Issuer struct {
	URL    string
	server *httptest.Server
	pat    string

	mu      sync.Mutex
	answer  func(http.ResponseWriter, *http.Request) bool
	revoked []string
	hooks   []Hook
}

// Hook is a webhook that arrived.
type Hook struct {
	Header http.Header
	Body   []byte
}

// StartIssuer starts one that lets in who shows the token pat. The caller closes
// it.
func StartIssuer(pat string) *Issuer {
	s := &Issuer{pat: pat}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL
	return s
}

// Close ends the server.
func (s *Issuer) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// SetAnswer makes the server ask f first, which answers in its place by
// returning true. nil: nobody.
func (s *Issuer) SetAnswer(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Revoked returns "organization/authorization id" for each revocation that was
// asked for, in their order.
func (s *Issuer) Revoked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.revoked)
}

// Hooks returns the webhooks that arrived, in their order.
func (s *Issuer) Hooks() []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hooks)
}

// ServeHTTP is the server.
func (s *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if r.URL.Path == "/webhook" && r.Method == http.MethodPost {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		s.mu.Lock()
		s.hooks = append(s.hooks, Hook{r.Header.Clone(), body})
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	organization, call, _ := strings.Cut(strings.Trim(strings.ToLower(r.URL.Path), "/"), "/")
	switch _, pat, _ := r.BasicAuth(); {
	case call == "_apis" && r.Method == http.MethodOptions:
		reply(w, http.StatusOK, locations)
	case call == "_apis/resourceareas":
		reply(w, http.StatusOK, `{"count":0,"value":[]}`)
	case pat != s.pat:
		reply(w, http.StatusUnauthorized, `{"$id":"1","innerException":null,"message":"Not authorized.","typeName":"UnauthorizedRequestException","typeKey":"UnauthorizedRequestException","errorCode":0,"eventId":3000}`)
	case call == "_apis/tokenadmin/revocations" && r.Method == http.MethodPost:
		s.revoke(w, r, organization)
	default:
		http.NotFound(w, r)
	}
}

func (s *Issuer) revoke(w http.ResponseWriter, r *http.Request, organization string) {
	var list []struct {
		AuthorizationID string `json:"authorizationId"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&list)
	if err != nil || len(list) == 0 || slices.ContainsFunc(list, func(e struct {
		AuthorizationID string `json:"authorizationId"`
	}) bool {
		return len(e.AuthorizationID) != 36
	}) {
		reply(w, http.StatusBadRequest, `{"message":"The list of revocations is not valid."}`)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		s.revoked = append(s.revoked, organization+"/"+e.AuthorizationID)
	}
	w.WriteHeader(http.StatusNoContent)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// locations are what Microsoft's client asks for before its first call.
const locations = `{"count":2,"value":[
{"id":"e81700f7-3be2-46de-8624-2eb35882fcaa","area":"Location","resourceName":"ResourceAreas","routeTemplate":"_apis/{resource}/{areaId}","resourceVersion":1,"minVersion":"1.0","maxVersion":"7.2","releasedVersion":"0.0"},
{"id":"a9c08b2c-5466-4e22-8626-1ff304ffdf0f","area":"tokenAdmin","resourceName":"revocations","routeTemplate":"_apis/{area}/{resource}","resourceVersion":1,"minVersion":"1.0","maxVersion":"7.2","releasedVersion":"0.0"}]}`
