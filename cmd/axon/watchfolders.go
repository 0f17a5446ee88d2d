package main

import (
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watchFolders watches the folders in which something has to change for paths to change.
func (f *frontDoor) watchFolders(watcher *fsnotify.Watcher, paths watched) {
	folders := map[string]bool{}
	for path := range paths {
		for _, folder := range foldersOf(path) {
			folders[folder] = true
		}
	}
	for folder := range folders {
		if err := watcher.Add(folder); err != nil {
			f.log.Warn("a folder is watched only every few seconds", "folder", folder, "every", patrol, "error", err)
		}
	}
}

// foldersOf are the folder that a path is or stands in, or the first above it that exists; the folder in which the file itself is,
// where links lead to it; and those of the links on the way, which are turned at once. Files are replaced by renaming, so to watch
// them alone is not enough, and the links of a ConfigMap's change one level above.
func foldersOf(path string) []string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	folder := path
	for info, err := os.Stat(folder); err != nil || !info.IsDir(); info, err = os.Stat(folder) {
		if folder == filepath.Dir(folder) {
			break
		}
		folder = filepath.Dir(folder)
	}
	all := []string{folder}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		all = append(all, filepath.Dir(real))
	}
	for at := folder; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&os.ModeSymlink != 0 {
			all = append(all, filepath.Dir(at))
		}
	}
	return all
}
