package yamlfile

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds nesting, and with it an alias that stands inside its own anchor; maxValues bounds what aliases of
// aliases can make of a small file.
const (
	maxDepth  = 100
	maxValues = 20_000
)

// entry is a key of a mapping.
type entry struct {
	name   string
	key    ast.Node
	value  ast.Node
	merged bool // came by a merge key "<<"
}

// resolve follows anchors, aliases and tags to the node that holds the value; nil where there is none.
func (f *File) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch t := n.(type) {
		case *ast.AnchorNode:
			n = t.Value
		case *ast.TagNode:
			n = t.Value
		case *ast.AliasNode:
			n = f.aliases[t]
		case *ast.MappingKeyNode:
			n = t.Value
		case *ast.NullNode, *ast.DirectiveNode:
			return nil
		default:
			return n
		}
	}
	return nil
}

// entries gives the keys of a mapping in order, those that a merge key brings first, so that the mapping's own win.
// ok is false where n is no mapping.
func (f *File) entries(n ast.Node) (list []entry, ok bool) {
	left := maxValues
	return f.merge(n, &left)
}

// merge is entries, for as many mappings as are left.
func (f *File) merge(n ast.Node, left *int) (list []entry, ok bool) {
	var values []*ast.MappingValueNode
	switch n := f.resolve(n).(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	if *left--; *left < 0 {
		return nil, true
	}
	var own []entry
	for _, v := range values {
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			list = append(list, f.merged(v.Value, left)...)
			continue
		}
		own = append(own, entry{name: f.keyName(v.Key), key: v.Key, value: v.Value})
	}
	return append(list, own...), true
}

// merged gives what a merge key brings. Of several mappings the first that has a key wins.
func (f *File) merged(n ast.Node, left *int) (list []entry) {
	sources := []ast.Node{n}
	if seq, ok := f.resolve(n).(*ast.SequenceNode); ok {
		sources = seq.Values
	}
	for i := len(sources) - 1; i >= 0; i-- {
		from, _ := f.merge(sources[i], left)
		for _, e := range from {
			e.merged = true
			list = append(list, e)
		}
	}
	return list
}

func (f *File) keyName(key ast.Node) string {
	switch n := f.resolve(key).(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case nil:
		return "null"
	default:
		return text(n)
	}
}

// text is a scalar as the file spells it.
func text(n ast.Node) string {
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// first is the token at which a node begins; a block mapping's own token is the colon after its first key.
func first(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return first(n.Values[0])
		}
		return n.Start
	case *ast.MappingValueNode:
		return first(n.Key)
	case *ast.SequenceNode:
		return n.Start
	case *ast.AnchorNode:
		return n.Start
	case *ast.AliasNode:
		return n.Start
	case nil:
		return nil
	default:
		return n.GetToken()
	}
}
