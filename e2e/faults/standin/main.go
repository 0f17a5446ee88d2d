// Command standin is a stand-in for one Synapse process in a process of its own, so that it can be killed, stopped and moved.
// It answers as package demo/standin does, and it writes down what it did: of each request that carries an ID, a line when
// it arrives and another when it has had its effect. The lines are in the file before the answer is, so they survive kill -9.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"axon/demo/standin"
	"axon/e2e/faults/standin/ask"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// run serves until ctx ends; then it waits for the requests under way.
func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: standin FILE")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	p := &process{}
	if err := json.Unmarshal(text, &p.config); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if p.journal, err = os.OpenFile(p.config.Journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	// What answers is asked by calls. Its own listener is one that nobody knows.
	if p.worker, err = standin.Start(context.WithoutCancel(ctx), p.config.Worker); err != nil {
		return err
	}
	// Like Synapse it keeps idle connections for longer than Envoy does (60 s). A ReadHeaderTimeout would end those on which
	// nothing has come yet.
	server := &http.Server{Addr: p.config.Address, Handler: p, IdleTimeout: 5 * time.Minute}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// process is a running stand-in.
type process struct {
	config  ask.Config
	worker  *standin.Worker
	journal *os.File
}

func (p *process) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id, now := query.Get(ask.ID), p.now()
	if id == "" {
		p.unmarked(rw, r, now)
		return
	}
	if err := p.note(ask.Arrived, id); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	time.Sleep(p.config.Work + now.Slow[p.config.Worker.Name])
	if err := p.note(ask.Executed, id); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	if query.Has(ask.Bytes) {
		p.file(rw, query.Get(ask.Bytes))
		return
	}
	p.worker.ServeHTTP(rw, r)
}

// unmarked are health checks and Axon's own questions, the only ones without an ID.
func (p *process) unmarked(rw http.ResponseWriter, r *http.Request, now ask.Faults) {
	if r.URL.Path != "/_matrix/client/v3/account/whoami" {
		p.worker.ServeHTTP(rw, r)
		return
	}
	switch now.Whoami {
	case ask.Hangs:
		<-r.Context().Done()
	case ask.Late:
		time.Sleep(3 * time.Second)
		p.worker.ServeHTTP(rw, r)
	case ask.Fails:
		http.Error(rw, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, http.StatusInternalServerError)
	case ask.Refuses:
		http.Error(rw, `{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}`, http.StatusUnauthorized)
	case ask.Garbage:
		_, _ = io.WriteString(rw, "<html>\x00{\"user_id\": [\"@")
	default:
		p.worker.ServeHTTP(rw, r)
	}
}

// file is a download of as many bytes as the client asks for.
func (p *process) file(rw http.ResponseWriter, size string) {
	n := 0
	if _, err := fmt.Sscan(size, &n); err != nil || n < 0 || n > 1<<24 {
		http.Error(rw, "bad size", http.StatusBadRequest)
		return
	}
	rw.Header().Set(standin.WorkerHeader, p.config.Worker.Name)
	rw.Header().Set("Content-Length", fmt.Sprint(n))
	_, _ = rw.Write(make([]byte, n))
}

// now are the faults that are on at the moment.
func (p *process) now() (f ask.Faults) {
	text, err := os.ReadFile(p.config.Faults)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "standin:", err)
	}
	return f
}

// note writes a line at once: no buffer of this process holds it.
func (p *process) note(what ask.Mark, id string) error {
	_, err := fmt.Fprintf(p.journal, "%s %s\n", what, id)
	return err
}
