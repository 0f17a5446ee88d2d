package standin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// refusal is an answer other than 200, in the words of the client-server API ("Standard error response").
type refusal struct {
	status        int
	code, message string
	html          bool // Synapse's web framework answers without a Matrix error where no resource stands for a prefix
}

// Synapse's refusals.
var (
	noResource   = &refusal{status: http.StatusNotFound, html: true}
	unrecognized = &refusal{status: http.StatusNotFound, code: "M_UNRECOGNIZED", message: "Unrecognized request"}
	notWriter    = &refusal{status: http.StatusInternalServerError, code: "M_UNKNOWN", message: "Internal server error"}
	noToken      = &refusal{status: http.StatusUnauthorized, code: "M_MISSING_TOKEN", message: "Missing access token"}
	unknownToken = &refusal{status: http.StatusUnauthorized, code: "M_UNKNOWN_TOKEN", message: "Invalid access token passed."}
)

// ServeHTTP answers as the process would.
func (w *Worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.echo(rw.Header(), r)
	rt := routeFor(r)
	if rt == nil {
		noResource.write(rw)
		return
	}
	user, tokenFault := w.user(r)
	w.count(user, kindOf(rt, r.URL.Query()))
	if fault := w.refuse(rt, r, user, tokenFault); fault != nil {
		fault.write(rw)
		return
	}
	if rt.kind == Whoami {
		w.whoami(rw, r, user, tokenFault)
		return
	}
	var body any = struct{}{}
	if rt.answer != nil {
		body = rt.answer(w, r, user)
	}
	writeJSON(rw, http.StatusOK, body)
}

func (w *Worker) echo(h http.Header, r *http.Request) {
	h.Set(WorkerHeader, w.config.Name)
	h.Set(EchoPath, r.RequestURI)
	for echo, header := range map[string]string{
		EchoUser: userIdentifier, EchoForwardedFor: forwardedFor, EchoAffinity: privateAffinityKey,
	} {
		if values := r.Header.Values(header); len(values) > 0 {
			h.Set(echo, strings.Join(values, ", "))
		}
	}
}

// refuse gives the reason why this process does not answer the request, nil where it does.
func (w *Worker) refuse(rt *route, r *http.Request, user string, tokenFault *refusal) *refusal {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	resource, mediaRepo := needs(path)
	switch {
	case !w.has(resource):
		return noResource
	case mediaRepo && !w.config.MediaRepo, rt.kind == MainOnly && w.config.Name != Main:
		return unrecognized
	case rt.token && tokenFault != nil:
		return tokenFault
	case rt.stream != "" && !w.writes(rt.stream) && !ownPresence(rt, r, user):
		return notWriter
	}
	return nil
}

func (w *Worker) has(resource string) bool {
	all := w.config.Resources
	// Synapse serves the keys wherever it serves federation.
	return resource == "" || slices.Contains(all, resource) || resource == Keys && slices.Contains(all, Federation)
}

func (w *Worker) writes(stream string) bool {
	if writers, moved := w.config.Writers[stream]; moved {
		return slices.Contains(writers, w.config.Name)
	}
	return w.config.Name == Main
}

// ownPresence is the one read of a strict stream that any process answers.
func ownPresence(rt *route, r *http.Request, user string) bool {
	return rt.kind == Presence && strings.HasSuffix(r.URL.Path, "/presence/"+user+"/status")
}

func (f *refusal) write(rw http.ResponseWriter) {
	if !f.html {
		writeJSON(rw, f.status, map[string]string{"errcode": f.code, "error": f.message})
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(f.status)
	_, _ = rw.Write([]byte("<html><title>404 - No Such Resource</title></html>\n"))
}

func writeJSON(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(body) // the client is gone; there is nobody to tell
}
