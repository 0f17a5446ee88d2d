package yamlfile

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Decode fills v, a pointer to a struct or map, from the keys that v has and lets other keys be. Where the file is
// silent, v stays as it was; pointers, maps and slices are replaced as a whole, structs key by key. Keys are the yaml
// tags of goccy/go-yaml (name, "-", inline), and its unmarshalers work. The error joins all faults, each an *Error.
func (f *File) Decode(v any) error { return f.decode(v, false) }

// DecodeStrict is Decode, and an unknown key and a key given twice are faults too.
func (f *File) DecodeStrict(v any) error { return f.decode(v, true) }

func (f *File) decode(v any, strict bool) error {
	dst := reflect.ValueOf(v)
	if dst.Kind() != reflect.Pointer || dst.IsNil() {
		return fmt.Errorf("decode into %T: want a pointer", v)
	}
	if f == nil || f.resolve(f.root) == nil {
		return nil
	}
	d := &decoder{file: f, strict: strict}
	d.value(dst.Elem(), f.root, place{})
	return errors.Join(d.faults...)
}

type decoder struct {
	file   *File
	strict bool
	faults []error
	values int
	// exhausted ends the decoding at maxValues or maxDepth.
	exhausted bool
}

// place is how deep a value stands and what its keys are, for faults: "listeners[0].port".
type place struct {
	path  string
	depth int
}

func (p place) key(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	return place{name, p.depth + 1}
}

func (p place) item(i int) place { return place{fmt.Sprintf("%s[%d]", p.path, i), p.depth + 1} }

func (d *decoder) fault(n ast.Node, p place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.path != "" {
		text = p.path + ": " + text
	}
	d.faults = append(d.faults, &Error{d.file.position(first(n)), errors.New(text)})
}

// value decodes n into dst. Null empties anything but a struct, whose defaults it leaves.
func (d *decoder) value(dst reflect.Value, n ast.Node, p place) {
	if d.exhausted {
		return
	}
	if d.values++; d.values > maxValues || p.depth > maxDepth {
		d.exhausted = true
		d.fault(n, place{}, "nested too deeply, or repeated too often by aliases")
		return
	}
	resolved := d.file.resolve(n)
	if resolved == nil {
		if dst.Kind() != reflect.Struct {
			dst.SetZero()
		}
		return
	}
	if unmarshals(dst.Type()) {
		d.foreign(dst, n, p)
		return
	}
	switch dst.Kind() {
	case reflect.Pointer:
		to := reflect.New(dst.Type().Elem())
		d.value(to.Elem(), n, p)
		dst.Set(to)
	case reflect.Struct:
		d.structure(dst, n, p)
	case reflect.Map:
		d.mapping(dst, n, p)
	case reflect.Slice:
		d.slice(dst, n, p)
	case reflect.Interface:
		if v := d.any(n, p); v != nil {
			dst.Set(reflect.ValueOf(v))
		}
	default:
		if want := d.scalar(dst, resolved); want != "" {
			d.fault(n, p, "want %s, not %s", want, kind(resolved))
		}
	}
}

func (d *decoder) structure(dst reflect.Value, n ast.Node, p place) {
	list, ok := d.file.entries(n)
	if !ok {
		d.fault(n, p, "want keys and values, not %s", kind(d.file.resolve(n)))
		return
	}
	d.duplicates(list, p)
	fields := fieldsOf(dst)
	for _, e := range list {
		field, known := fields[e.name]
		switch {
		case known:
			d.value(field, e.value, p.key(e.name))
		case d.strict:
			d.fault(e.key, p, "unknown key %q%s", e.name, suggest(e.name, fields))
		}
	}
}

func (d *decoder) mapping(dst reflect.Value, n ast.Node, p place) {
	list, ok := d.file.entries(n)
	if !ok || dst.Type().Key().Kind() != reflect.String {
		d.fault(n, p, "want keys and values, not %s", kind(d.file.resolve(n)))
		return
	}
	d.duplicates(list, p)
	dst.Set(reflect.MakeMapWithSize(dst.Type(), len(list)))
	for _, e := range list {
		value := reflect.New(dst.Type().Elem()).Elem()
		d.value(value, e.value, p.key(e.name))
		dst.SetMapIndex(reflect.ValueOf(e.name).Convert(dst.Type().Key()), value)
	}
}

func (d *decoder) slice(dst reflect.Value, n ast.Node, p place) {
	seq, ok := d.file.resolve(n).(*ast.SequenceNode)
	if !ok {
		d.fault(n, p, "want a list, not %s", kind(d.file.resolve(n)))
		return
	}
	list := reflect.MakeSlice(dst.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(list.Index(i), item, p.item(i))
	}
	dst.Set(list)
}

// duplicates reports the keys that the file itself spells twice.
func (d *decoder) duplicates(list []entry, p place) {
	if !d.strict {
		return
	}
	seen := map[string]Position{}
	for _, e := range list {
		if e.merged {
			continue
		}
		if at, twice := seen[e.name]; twice {
			d.fault(e.key, p, "key %q is given twice, first in line %d", e.name, at.Line)
			continue
		}
		seen[e.name] = d.file.position(first(e.key))
	}
}

// any decodes into map[string]any, []any or what goccy/go-yaml makes of a scalar.
func (d *decoder) any(n ast.Node, p place) any {
	switch t := d.file.resolve(n).(type) {
	case nil:
		return nil
	case *ast.MappingNode, *ast.MappingValueNode:
		v := map[string]any{}
		d.value(reflect.ValueOf(&v).Elem(), n, p)
		return v
	case *ast.SequenceNode:
		v := []any{}
		d.value(reflect.ValueOf(&v).Elem(), n, p)
		return v
	case *ast.LiteralNode:
		return t.Value.Value
	case ast.ScalarNode:
		return t.GetValue()
	}
	return nil
}

// foreign hands the node to a type that decodes itself.
func (d *decoder) foreign(dst reflect.Value, n ast.Node, p place) {
	err := yaml.NodeToValue(d.file.resolve(n), dst.Addr().Interface())
	if err == nil {
		return
	}
	var yamlErr yaml.Error
	if errors.As(err, &yamlErr) {
		err = errors.New(yamlErr.GetMessage()) // its own text quotes the source
	}
	d.fault(n, p, "%s", err)
}
