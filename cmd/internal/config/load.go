package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"patwatch/internal/nearest"
)

const (
	maxFile = 1 << 20
	prefix  = "PATWATCH_"
)

// Load reads the file at path, or nothing if path is empty, then the
// environment (lines "NAME=value", as os.Environ returns them), and checks the
// result. An environment variable is named as its key, PATWATCH_GITHUB_API_URL,
// and wins over the file; lists are separated by commas. A variable of that
// prefix that names no key comes back in unknown, with the nearest name: it may
// be somebody else's. Errors name the key, and never a value of a key that names
// a secret's file.
func Load(path string, environ []string) (c *Config, unknown []string, err error) {
	c = Default()
	if path != "" {
		if err := c.readFile(path); err != nil {
			return nil, nil, err
		}
	}
	if unknown, err = c.readEnvironment(environ); err != nil {
		return nil, nil, err
	}
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	return c, unknown, nil
}

func (c *Config) readFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if info.Size() > maxFile {
		return fmt.Errorf("configuration %s: it has %d bytes, and %d are the most", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := c.parse(data); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

// parse reads TOML over what c has.
func (c *Config) parse(data []byte) error {
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(c)
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		return unknownKeys(missing)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %s%w", row, column, keyOf(wrong.Key()), plain(wrong))
	}
	return err
}

// plain is the innermost error: what is wrong, without the text around it.
func plain(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return errors.New(strings.TrimPrefix(err.Error(), "toml: "))
		}
		err = inner
	}
}

func keyOf(key toml.Key) string {
	if len(key) == 0 {
		return ""
	}
	return strings.Join(key, ".") + ": "
}

func unknownKeys(missing *toml.StrictMissingError) error {
	var errs []error
	for _, e := range missing.Errors {
		row, _ := e.Position()
		key := strings.Join(e.Key(), ".")
		errs = append(errs, fmt.Errorf("line %d: unknown key %q%s", row, key, didYouMean(key, Keys())))
	}
	return errors.Join(errs...)
}

func didYouMean(name string, names []string) string {
	if near := nearest.Name(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// Keys returns every key, "github.webhook.secret_file", in the order of the
// file.
func Keys() []string {
	var keys []string
	eachKey(reflect.ValueOf(Default()).Elem(), "", func(key string, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// eachKey calls f for each key that is no table.
func eachKey(v reflect.Value, under string, f func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		key, field := under+v.Type().Field(i).Tag.Get("toml"), v.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			eachKey(field, key+".", f)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			eachKey(reflect.New(field.Type().Elem()).Elem(), key+".", f)
		default:
			f(key, field)
		}
	}
}

// variable is the environment form of a key.
func variable(key string) string { return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

func (c *Config) readEnvironment(environ []string) (unknown []string, err error) {
	values := map[string]string{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, prefix) {
			values[name] = value
		}
	}
	var names []string
	var errs []error
	eachKey(reflect.ValueOf(c).Elem(), "", func(key string, v reflect.Value) {
		name := variable(key)
		value, set := values[name]
		if !v.CanSet() || v.Kind() == reflect.Map || strings.HasPrefix(key, "organization.") || strings.HasPrefix(key, "stream.") {
			return // a table: files only
		}
		names = append(names, name)
		if !set {
			return
		}
		delete(values, name)
		if err := setText(v, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	})
	for name := range values {
		unknown = append(unknown, name+didYouMean(name, names))
	}
	return unknown, errors.Join(errs...)
}

func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("it is true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("it is a whole number")
		}
		v.SetInt(n)
	case reflect.Slice:
		list := []string{}
		for _, word := range strings.Split(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				list = append(list, word)
			}
		}
		v.Set(reflect.ValueOf(list))
	}
	return nil
}
