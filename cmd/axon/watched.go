package main

import (
	"crypto/sha256"
	"maps"
	"os"
	"slices"
	"strings"
)

// watched are the files and folders that a deployment was read from, each with a digest of what stood there just before.
// Events alone do not tell whether there is anything to read: a log beside axon.yaml makes one with every line, and one
// of these says that the configuration was read.
type watched map[string][sha256.Size]byte

func (w watched) add(paths ...string) {
	for _, path := range paths {
		w[path] = digest(path)
	}
}

// now is what stands there now.
func (w watched) now() watched {
	now := watched{}
	now.add(slices.Collect(maps.Keys(w))...)
	return now
}

// digest is of a file's content, of a folder's names without the hidden ones, or of the reason why there is neither.
func digest(path string) [sha256.Size]byte {
	content, err := os.ReadFile(path)
	if err != nil {
		content = []byte(err.Error())
		entries, _ := os.ReadDir(path) // none, where it is no folder
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				content = append(content, "\x00"+e.Name()...)
			}
		}
	}
	return sha256.Sum256(content)
}
