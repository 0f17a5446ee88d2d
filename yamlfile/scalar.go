package yamlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// yaml11 are the booleans that PyYAML knows and YAML 1.2 does not.
var yaml11 = map[string]bool{
	"yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// scalar decodes a single value; where it cannot, it says in words what it wants. It never quotes the value, which may be
// a secret.
func (d *decoder) scalar(dst reflect.Value, n ast.Node) (want string) {
	switch dst.Kind() {
	case reflect.String:
		return setString(dst, n)
	case reflect.Bool:
		return d.setBool(dst, n)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		low, high := int64(-1)<<(dst.Type().Bits()-1), int64(1)<<(dst.Type().Bits()-1)-1
		v, err := strconv.ParseInt(number(n), 0, dst.Type().Bits())
		if err != nil {
			return fmt.Sprintf("a whole number from %d to %d", low, high)
		}
		dst.SetInt(v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v, err := strconv.ParseUint(number(n), 0, dst.Type().Bits())
		if err != nil {
			return fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-dst.Type().Bits()))
		}
		dst.SetUint(v)
	case reflect.Float32, reflect.Float64:
		v, err := strconv.ParseFloat(number(n), dst.Type().Bits())
		if err != nil {
			return "a number"
		}
		dst.SetFloat(v)
	default:
		return "nothing (a " + dst.Type().String() + " cannot be read from YAML)"
	}
	return ""
}

func setString(dst reflect.Value, n ast.Node) (want string) {
	switch n := n.(type) {
	case *ast.StringNode:
		dst.SetString(n.Value)
	case *ast.LiteralNode:
		dst.SetString(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		dst.SetString(text(n))
	default:
		return "text"
	}
	return ""
}

func (d *decoder) setBool(dst reflect.Value, n ast.Node) (want string) {
	switch n := n.(type) {
	case *ast.BoolNode:
		dst.SetBool(n.Value)
		return ""
	case *ast.StringNode:
		// Only a plain word: a quoted "no" is text in YAML 1.1 too.
		if v, ok := yaml11[n.Value]; ok && !d.strict && n.Token.Origin != "" && !strings.ContainsAny(n.Token.Origin, `'"`) {
			dst.SetBool(v)
			return ""
		}
	}
	return "true or false"
}

// number is the text of a number, and of anything else none.
func number(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return strings.ReplaceAll(text(n), "_", "")
	}
	return ""
}

// kind names what a node is, for faults.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "this number"
	case *ast.BoolNode:
		return "true or false"
	case nil:
		return "nothing"
	}
	return "this text"
}

// unmarshals says whether a type decodes itself. Interfaces and functions are as in goccy/go-yaml.
func unmarshals(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Duration]() || t == reflect.TypeFor[time.Time]() {
		return true
	}
	to := reflect.PointerTo(t)
	for _, i := range []reflect.Type{
		reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshaler](),
		reflect.TypeFor[yaml.NodeUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if to.Implements(i) {
			return true
		}
	}
	return false
}
