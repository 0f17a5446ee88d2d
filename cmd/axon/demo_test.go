package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"axon/envoy/envoytest"
)

var goingWell = regexp.MustCompile(`[1-9][0-9]* requests, 0 failed\n.* ([1-9][0-9]*) of ([0-9]+) syncs came with X-User-Identifier`)

func TestDemoShowsWhoLandsWhereAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := &site{dir: envoytest.ShortDir(t)}
	found := func() []*site {
		folders, _ := filepath.Glob(filepath.Join(s.dir, "axon-demo-*"))
		var all []*site
		for _, folder := range folders {
			all = append(all, &site{dir: folder})
		}
		return all
	}
	t.Cleanup(func() {
		for _, d := range found() {
			d.endEnvoy()
		}
	})
	p := s.launch(t, "env", "TMPDIR="+s.dir, "axon", "demo")
	eventually(t, "axon demo", func() error {
		if shown := goingWell.FindStringSubmatch(p.log()); shown == nil || shown[1] != shown[2] {
			return errors.New("does not yet show requests that all go well")
		}
		return nil
	})
	all := found()
	if len(all) != 1 {
		t.Fatalf("%d folders, want one", len(all))
	}
	pid, err := all[0].envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGINT)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if alive(pid) {
		t.Errorf("envoy %d still runs", pid)
	}
	if len(found()) > 0 {
		t.Error("its folder is still there")
	}
}
