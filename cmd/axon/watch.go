package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"axon/envoy"
	"axon/server"
)

// settle is how long the files must be left alone before they are read: editors and deployments write in several steps.
const settle = 200 * time.Millisecond

// patrol is how often they are looked at without an event: there are none from network file systems and overlays.
const patrol = 5 * time.Second

// watch reads the configuration again whenever one of its files changes, at SIGHUP, or for who asks, until ctx ends.
func (f *frontDoor) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer watcher.Close()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	held := f.serving.Load().watched
	f.watchFolders(watcher, held)

	unseen := time.NewTicker(patrol)
	defer unseen.Stop()
	look := time.NewTimer(0) // the first look is for what changed before the folders were watched
	looking, asked, undone, last := true, false, false, held
	var waiting []chan<- server.Reload
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			f.log.Warn("a change of the configuration may have gone unseen; SIGHUP reads it again", "error", err)
		case <-watcher.Events:
			if !looking { // an event does not put the look off: a busy log in a watched folder would do so for ever
				looking, last = true, held.now()
				look.Reset(settle)
			}
		case <-unseen.C:
			if !looking {
				looking, asked = true, asked || undone
				look.Reset(0)
			}
		case <-hup:
			looking, asked = true, true
			look.Reset(0)
		case who := <-f.rereads:
			looking, asked, waiting = true, true, append(waiting, who)
			look.Reset(0)
		case <-look.C:
			now := held.now()
			changed, settled := !maps.Equal(now, held), maps.Equal(now, last)
			if asked || changed && settled {
				held, undone = f.again(ctx)
				asked = false
				f.answer(waiting)
				waiting = nil
				f.watchFolders(watcher, held)
				now, changed = held, true // a look at what is watched from now on
			}
			if last, looking = now, changed; looking {
				look.Reset(settle)
			}
		}
	}
}

// reread has the configuration read again, and gives that reading.
func (f *frontDoor) reread(ctx context.Context) (server.Reload, error) {
	told := make(chan server.Reload, 1)
	select {
	case f.rereads <- told:
	case <-ctx.Done():
		return server.Reload{}, ctx.Err()
	}
	select {
	case r := <-told:
		return r, nil
	case <-ctx.Done():
		return server.Reload{}, ctx.Err()
	}
}

// answer tells who waits what came of the last reading.
func (f *frontDoor) answer(waiting []chan<- server.Reload) {
	for _, who := range waiting {
		who <- f.lastReload()
	}
}

// again reads the configuration and publishes it, or keeps what is in force. It gives what is to be watched; undone says that it was
// not the files' fault, so that they have to be read once more, changed or not.
func (f *frontDoor) again(ctx context.Context) (files watched, undone bool) {
	defer f.notify.reload()()
	d, err := load(f.path)
	if err == nil && !d.config.identityAlone() {
		_, err = d.judge(ctx)
	}
	if ctx.Err() != nil {
		return d.watched, false
	}
	if err != nil {
		f.note(false, err)
		if passing(err) {
			f.log.Error("the configuration can't be judged for now: the last good one stays in force", "error", err, "again_in", patrol)
			return d.watched, true
		}
		f.log.Error("the configuration has faults: the last good one stays in force", "error", err)
		return d.watched, false
	}
	before := f.serving.Load().config
	if err := f.publish(d); err != nil {
		f.log.Error("the configuration can't be published: the last good one stays in force", "error", err)
		return d.watched, passing(err)
	}
	f.log.Info("configuration read again", "workers", len(d.topology.Workers), "version", f.xds.State().Version)
	if now := d.config; now.Authz != before.Authz || now.XDS != before.XDS || now.Admin != before.Admin ||
		now.Envoy != before.Envoy || !reflect.DeepEqual(now.Identity, before.Identity) {
		f.log.Warn("authz, xds, admin, envoy and identity are read at the start only: restart axon for their changes")
	}
	return d.watched, false
}

// passing says that something was missing on this machine which may be there later.
func passing(err error) bool {
	lacks := func(what error) bool { return errors.Is(err, what) }
	return slices.ContainsFunc([]error{envoy.ErrNotAsked, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, lacks)
}
