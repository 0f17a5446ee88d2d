// Package yamlfile reads a configuration file and remembers where each value stood, so that every fault, of syntax, of
// type or of meaning, can be reported as "file:line:column: what is wrong".
//
// There are two ways to decode. DecodeStrict is for files of our own: an unknown key, a key given twice and a value of
// a wrong type are faults, and all of them are reported together. Decode is for files of others: it reads the keys
// that the Go type has and lets the rest be, with YAML 1.1's words for true and false and the last of two equal keys
// winning, as PyYAML has it.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// File is one parsed YAML document. A nil File and an empty one are documents without any key.
type File struct {
	// Name is what positions and faults call the file.
	Name string

	root    ast.Node
	aliases map[*ast.AliasNode]ast.Node
}

// Read parses the file at path, which is also the file's name in faults. Its error is an *Error.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, &Error{Position{File: path}, err}
	}
	return Parse(path, data)
}

// Parse reads one YAML document; no document at all is a valid empty one. Its error is an *Error.
func Parse(name string, data []byte) (_ *File, err error) {
	// The parser is a large piece of other people's code, and a malformed file must not take a running Axon down.
	defer func() {
		if recover() != nil {
			err = &Error{Position{File: name}, errors.New("not valid YAML")}
		}
	}()
	f := &File{Name: name}
	doc, err := parser.ParseBytes(bytes.TrimPrefix(data, []byte("\ufeff")), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, f.syntaxError(err)
	}
	for _, d := range doc.Docs {
		if d.Body == nil || d.Body.Type() == ast.DirectiveType {
			continue
		}
		if f.root != nil {
			return nil, &Error{f.position(first(d.Body)), errors.New("a second YAML document; a configuration file holds one")}
		}
		f.root = d.Body
	}
	if err := f.resolveAliases(); err != nil {
		return nil, err
	}
	return f, nil
}

// syntaxError takes goccy's message and place out of its error, which by itself quotes the source, secrets and all.
func (f *File) syntaxError(err error) *Error {
	var yamlErr yaml.Error
	if !errors.As(err, &yamlErr) {
		return &Error{Position{File: f.Name}, errors.New("not valid YAML")}
	}
	return &Error{f.position(yamlErr.GetToken()), fmt.Errorf("not valid YAML: %s", yamlErr.GetMessage())}
}

func (f *File) position(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{File: f.Name}
	}
	return Position{File: f.Name, Line: t.Position.Line, Column: t.Position.Column}
}

// resolveAliases ties each alias to the anchor before it; a later anchor of the same name does not change it.
func (f *File) resolveAliases() error {
	if f.root == nil {
		return nil
	}
	f.aliases = map[*ast.AliasNode]ast.Node{}
	tie := &aliasTier{file: f, anchors: map[string]ast.Node{}}
	ast.Walk(tie, f.root)
	return errors.Join(tie.faults...)
}

type aliasTier struct {
	file    *File
	anchors map[string]ast.Node
	faults  []error
}

// Visit implements ast.Visitor.
func (t *aliasTier) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode:
		t.anchors[n.Name.GetToken().Value] = n.Value
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := t.anchors[name]
		if !ok {
			t.faults = append(t.faults, &Error{t.file.position(n.Start), errors.New("alias of an anchor that is not there; put quotes around text that begins with *")})
		}
		t.file.aliases[n] = target
	}
	return t
}
