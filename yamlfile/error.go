package yamlfile

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// Error is a fault at a place of a file.
type Error struct {
	Position Position
	Err      error
}

// Error gives "file:line:column: message".
func (e *Error) Error() string {
	if at := e.Position.String(); at != "" {
		return at + ": " + e.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap gives the fault without its place.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an *Error at At(path...). It may be called on a nil File: the error then has no place.
func (f *File) Errorf(path []any, format string, args ...any) error {
	return &Error{f.At(path...), fmt.Errorf(format, args...)}
}

// At gives the place of a key (path ends in a string) or of an item of a list (path ends in an int). Where the path
// leads further than the file does, it is the place of the deepest part that exists.
func (f *File) At(path ...any) Position {
	at, _ := f.find(path)
	return at
}

// Has says whether the file has the key or item, be its value null.
func (f *File) Has(path ...any) bool {
	_, ok := f.find(path)
	return ok
}

func (f *File) find(path []any) (at Position, ok bool) {
	if f == nil {
		return Position{}, len(path) == 0
	}
	at = Position{File: f.Name}
	n := f.root
	for _, step := range path {
		key, value, ok := f.step(n, step)
		if !ok {
			return at, false
		}
		at, n = f.position(first(key)), value
	}
	return at, true
}

// step gives the node to point at and the node to go on from.
func (f *File) step(n ast.Node, step any) (key, value ast.Node, ok bool) {
	switch step := step.(type) {
	case string:
		list, _ := f.entries(n)
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].name == step {
				return list[i].key, list[i].value, true
			}
		}
	case int:
		if seq, isSeq := f.resolve(n).(*ast.SequenceNode); isSeq && step >= 0 && step < len(seq.Values) {
			return seq.Values[step], seq.Values[step], true
		}
	}
	return nil, nil, false
}
