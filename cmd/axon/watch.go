package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long the files must be left alone before they are read: editors and deployments write in several steps.
const settle = 200 * time.Millisecond

// watch reads the configuration again whenever one of its files changes, or at SIGHUP, until ctx ends.
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

	look := time.NewTimer(0) // the first look is for what changed before the folders were watched
	looking, asked, last := true, false, held
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			f.log.Warn("a change of the configuration may have gone unseen; SIGHUP reads it again", "error", err)
		case <-watcher.Events:
			if !looking { // an event does not put the look off: a busy log in a watched folder would do so for ever
				looking = true
				look.Reset(settle)
			}
		case <-hup:
			looking, asked = true, true
			look.Reset(0)
		case <-look.C:
			now := held.now()
			changed, settled := !maps.Equal(now, held), maps.Equal(now, last)
			if asked || changed && settled {
				held, asked = f.again(ctx), false
				f.watchFolders(watcher, held)
				now, changed = held, true // a look at what is watched from now on
			}
			if last, looking = now, changed; looking {
				look.Reset(settle)
			}
		}
	}
}

// watchFolders watches the folders that paths are or stand in: files are replaced by renaming, and the links of a
// ConfigMap's change one level above.
func (f *frontDoor) watchFolders(watcher *fsnotify.Watcher, paths watched) {
	for path := range paths {
		folder := path
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			folder = filepath.Dir(path)
		}
		if err := watcher.Add(folder); err != nil {
			f.log.Warn("a folder is not watched; SIGHUP reads it again", "folder", folder, "error", err)
		}
	}
}

// again reads the configuration and publishes it, or keeps what is in force. It gives what is to be watched.
func (f *frontDoor) again(ctx context.Context) watched {
	d, err := load(f.path)
	if err == nil {
		_, err = d.validate(ctx)
	}
	if ctx.Err() != nil {
		return d.watched
	}
	if err != nil {
		f.note(false, err)
		f.log.Error("the configuration has faults: the last good one stays in force", "error", err)
		return d.watched
	}
	before := f.serving.Load().config
	if err := f.publish(d); err != nil {
		f.log.Error("the configuration can't be published: the last good one stays in force", "error", err)
		return d.watched
	}
	f.log.Info("configuration read again", "workers", len(d.topology.Workers), "version", f.xds.State().Version)
	if now := d.config; now.Authz != before.Authz || now.XDS != before.XDS || now.Admin != before.Admin ||
		now.Envoy != before.Envoy || !reflect.DeepEqual(now.Identity, before.Identity) {
		f.log.Warn("authz, xds, admin, envoy and identity are read at the start only: restart axon for their changes")
	}
	return d.watched
}
