package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatWasWrittenIsReadAndNothingElse(t *testing.T) {
	c := Config{Dir: filepath.Join(t.TempDir(), "made", "by", "Write")}
	if _, err := c.Read("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing written: %v", err)
	}
	for _, content := range []string{"one\ntwo\n", "", "\n"} {
		if err := c.Write("x", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Read("x"); err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
	}
	if entries, err := os.ReadDir(c.Dir); err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestADamagedFileIsNotRead(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	if err := c.Write("x", []byte("a plan")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.Dir, "x")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-1], "longer": append(good[:len(good):len(good)], '!'), "a bit": append([]byte{good[0] ^ 1}, good[1:]...),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Read("x"); !errors.Is(err, ErrCorrupt) || got != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestWithoutAFolderNothingIsKept(t *testing.T) {
	var c Config
	if err := c.Write("x", []byte("y")); err != nil {
		t.Error(err)
	}
	if _, err := c.Read("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Config{Dir: filepath.Join(file, "dir")}).Write("x", nil); err == nil {
		t.Error("written below a file")
	}
}
