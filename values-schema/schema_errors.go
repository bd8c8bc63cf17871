package valuesschema

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// schemaError tells one finding of the schema engine in words of this project.
func (c *check) schemaError(e finding) {
	path := e.path
	switch e.Type() {
	case "required":
		c.errorf("missing-key", path, "", "the key %v is required", e.Details()["property"])
	case "invalid_type":
		c.wrongType(path)
	case "enum":
		c.wrongEnum(path)
	case "pattern":
		c.errorf("bad-pattern", path, c.describe(path), "%s", patternText(fmt.Sprint(e.Details()["pattern"])))
	case "number_one_of":
		c.errorf("literal-xor-regexp", path, "", "a mapping must have exactly one of literal and regexp")
	case "number_any_of":
		c.errorf("wrong-type", path, c.describe(path), "must be a list of terms, or a map whose key workers is a list of terms")
	case "invalid_property_name":
		names, _ := c.schema.at(path)["propertyNames"].(map[string]any)
		hint, _ := names["description"].(string)
		c.errorf("bad-pattern", path.With(fmt.Sprint(e.Details()["property"])), hint, "invalid key")
	default:
		c.outOfRange(path, e.ResultError)
	}
}

// patternWords say what a pattern of the schema asks for. A test holds that none is
// missing.
var patternWords = map[string]string{
	`^[A-Za-z0-9._:/-]*$`:                                   `must be of letters, digits and . _ : / -`,
	`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`:                    `must be of a-z, 0-9 and "-", and begin and end with a letter or digit`,
	`^(0|([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?)$`:      `must be a duration in h, m and s, such as 90s or 1h30m, or 0`,
	`^[A-Za-z_][A-Za-z0-9_]*$`:                              `must be of letters, digits and "_", and must not begin with a digit`,
	"^[^\\s\"'\\\\]+$":                                      `must be one word without quotes and backslashes`,
	`^(untrusted comment:[^\n]*\n)?RW[A-Za-z0-9+/]{54}\s*$`: `must be a minisign public key: 56 characters that begin with RW, or the content of a .pub file`,
	`^[A-Za-z0-9._+-]*$`:                                    `must be of letters, digits and . _ + -`,
	`^[A-Za-z0-9-]*$`:                                       `must be of letters, digits and "-"`,
	`^(https?://[^\s/]+/?)?$`:                               `must be https://HOST or http://HOST, with a port if it needs one and without a path`,
	`^[-._A-Za-z0-9]+$`:                                     `must be of letters, digits and . _ -`,
	`^[0-9]+[.][0-9]+[A-Za-z0-9._+~-]*$`:                    `must be a kernel release as uname -r prints it`,
	`^[1-9][0-9]{0,4}[hm]$`:                                 `must be a duration in h or m, such as 720h`,
	`^[1-9][0-9]{0,4}[hms]$`:                                `must be a duration in h, m or s, such as 30m`,
	`^[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?$`:                   `must be a size, such as 1Gi`,
	`^([0-9a-f]{64})?$`:                                     `must be 64 hexadecimal digits, as sha256sum prints them`,
	`^[a-z0-9]+([._/-]+[a-z0-9]+)*$`:                        `must be a repository of small letters and digits, with . _ / - between them`,
	`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`: `must be of a-z, 0-9, "-" and ".", and each part between dots must begin and end with a letter or digit`,
	`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`:                        `must be of letters, digits and . _ -, and begin and end with a letter or digit`,
	`^[A-Za-z0-9_]*$`:                          `must be of letters, digits and "_"`,
	`^([0-9]+(ms|s|m|h))+$`:                    `must be a duration, such as 30s`,
	`^([0-9]+(ms|s|m|h))*$`:                    `must be a duration, such as 10s`,
	`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*){2,}$`:    `must be an absolute path of at least two folders, of letters, digits and . _ -`,
	`^((/[A-Za-z0-9_-][A-Za-z0-9._-]*){3,})?$`: `must be an absolute path of a file at least two folders deep, of letters, digits and . _ -`,
	`^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$`:         `must be an image tag: letters, digits and . _ -, not beginning with . or -`,
	`^(sha256:[0-9a-f]{64})?$`:                 `must be sha256: and 64 hexadecimal digits`,
	`^[^\s]*$`:                                 `must not contain blanks`,
	`^[A-Z_]+$`:                                `must be a capability in capital letters without CAP_, such as SYS_MODULE`,
	`^[^\s]+$`:                                 `must not be empty or contain blanks`,
	`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`:         `must be of a-z, 0-9, "-" and ".", and begin and end with a letter or digit`,
}

// urlPattern matches a pattern that asks for a URL of one of some schemes only.
var urlPattern = lazyregexp.New(`^\^\(?\(?([a-z0-9?|]+)\)?://\[\^\\s\]\+\)?\??\$$`)

// patternText says what a pattern asks for.
func patternText(pattern string) string {
	if words, ok := patternWords[pattern]; ok {
		return words
	}
	if m := urlPattern().FindStringSubmatch(pattern); m != nil {
		return "must begin with " + schemeList(strings.Split(m[1], "|"))
	}
	return "does not match " + pattern
}

// schemeList is the choice of schemes in a pattern in words, such as "https:// or
// http://" for https?.
func schemeList(schemes []string) string {
	var list []string
	for _, s := range schemes {
		secure, both := strings.CutSuffix(s, "?")
		list = append(list, secure+"://")
		if both {
			list = append(list, strings.TrimSuffix(secure, "s")+"://")
		}
	}
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// outOfRange tells of a number or a length beyond its bounds.
func (c *check) outOfRange(path Path, e gojsonschema.ResultError) {
	node := c.schema.at(path)
	what := e.Description()
	switch e.Type() {
	case "number_gte", "number_lte", "number_gt", "number_lt":
		if path.key() == module.With("waitTimeout").key() {
			c.errorf("out-of-range", path, "write a unit, such as 90s or 4m", "a number other than 0 requires a unit")
			return
		}
		what = fmt.Sprintf("must be from %.0f to %.0f", node["minimum"], node["maximum"])
	case "string_lte":
		what = fmt.Sprintf("must have at most %.0f characters", node["maxLength"])
	case "string_gte":
		what = "must not be empty"
	case "array_max_properties":
		what = fmt.Sprintf("must have at most %s", countOf(node["maxProperties"], "key"))
	}
	c.errorf("out-of-range", path, c.describe(path), "%s", what)
}

func countOf(n any, noun string) string {
	if n == 1.0 {
		return "1 " + noun
	}
	return fmt.Sprintf("%.0f %ss", n, noun)
}

// describe is the first sentence of what the schema says the value is for; an item
// of a list is for what the list is for. explain has the rest.
func (c *check) describe(path Path) string {
	text, _ := c.schema.at(path)["description"].(string)
	if text == "" && len(path) > 0 && isIndex(path) {
		return c.describe(path[:len(path)-1])
	}
	if first, _, more := strings.Cut(text, ". "); more {
		return first + "."
	}
	return text
}

func (c *check) unknownKey(parent Path, key string, known []string) {
	if c.full() {
		c.dropped(Error)
		return
	}
	var hint string
	elsewhere := c.schema.places[key]
	switch near := Nearest(key, known); {
	case key == "false" && len(parent) > 0 && parent[len(parent)-1] == "proxy":
		hint = `YAML reads a plain no as false; write "no" in quotes`
	case near != "":
		hint = "did you mean " + near + "?"
	case len(elsewhere) == 1 && parent.hasPrefix(module):
		hint = "did you mean " + elsewhere[0].String() + "?"
	default:
		hint = "known here: " + strings.Join(known, ", ")
	}
	c.errorf("unknown-key", parent.With(key), hint, "unknown key")
}

func (c *check) wrongType(path Path) {
	v, _ := lookup(c.values, path)
	node := c.schema.at(path)
	want := typeNames(node["type"])
	var hint string
	s, isString := v.(string)
	switch {
	case isString && strings.Contains(want, "boolean") && Nearest(s, []string{"true", "false"}) != "":
		hint = "write it without quotes: " + strings.ToLower(s)
	case isString && strings.Contains(want, "integer") && isInteger(s):
		hint = wantedNumber(node, s, "write it without quotes: ")
	case v == nil:
		hint = "remove the key, or give it a value"
	case want == "a string" && nameOf(v) != "":
		hint = "write the name alone: " + nameOf(v)
	case want == "an integer" && v == true:
		hint = wantedNumber(node, "1", "write ")
	case want == "an integer" && v == false:
		hint = wantedNumber(node, "0", "write ")
	case want == "a string" && scalar(v) && wantedText(node, fmt.Sprint(v)) == "":
		hint = "write it in quotes: " + quoted(v)
	case want == "a string" && scalar(v):
		hint = "it " + wantedText(node, fmt.Sprint(v))
	default:
		hint = c.describe(path)
	}
	c.errorf("wrong-type", path, hint, "must be %s, this is %s", want, typeOf(v))
}

// wantedText is what a string's pattern or list asks for, "" if text is such a one:
// quotes alone make no duration of a number.
func wantedText(node map[string]any, text string) string {
	if names := enumNames(node); len(names) > 0 && !slices.Contains(names, text) {
		return "must be one of " + strings.Join(names, ", ")
	}
	pattern, _ := node["pattern"].(string)
	if re, err := regexp.Compile(pattern); err != nil || re.MatchString(text) {
		return ""
	}
	return patternText(pattern)
}

// wantedNumber advises to write an integer, or where it is out of the number's range,
// which range that is.
func wantedNumber(node map[string]any, text, write string) string {
	n, err := strconv.ParseFloat(text, 64)
	lowest, hasLowest := node["minimum"].(float64)
	highest, hasHighest := node["maximum"].(float64)
	if err == nil && !(hasLowest && n < lowest) && !(hasHighest && n > highest) {
		return write + text
	}
	return fmt.Sprintf("write a number from %.0f to %.0f, without quotes", lowest, highest)
}

// nameOf is the name in a reference as Kubernetes writes it, {name: NAME}, else "".
func nameOf(v any) string {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	if len(m) != 1 {
		return ""
	}
	return name
}

func scalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func quoted(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }

func isInteger(s string) bool {
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil {
		return false
	}
	_, err := n.Int64()
	return err == nil
}

func typeNames(t any) string {
	article := map[string]string{
		"string": "a string", "boolean": "a boolean", "integer": "an integer", "number": "a number", "array": "a list", "object": "a map", "null": "null",
	}
	switch t := t.(type) {
	case string:
		return article[t]
	case []any:
		var names []string
		for _, x := range t {
			if x != "null" {
				names = append(names, article[fmt.Sprint(x)])
			}
		}
		return strings.Join(names, " or ")
	}
	return "of another type"
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	case float64:
		if v != math.Trunc(v) {
			return "a number with a fraction"
		}
	}
	return "a number"
}

// enumNames are the texts that a node lists, without the empty one.
func enumNames(node map[string]any) []string {
	values, _ := node["enum"].([]any)
	var names []string
	for _, v := range values {
		if s, ok := v.(string); ok && s != "" {
			names = append(names, s)
		}
	}
	return names
}

func (c *check) wrongEnum(path Path) {
	names := enumNames(c.schema.at(path))
	hint := c.describe(path)
	if near := Nearest(c.str(path), names); near != "" {
		hint = "did you mean " + near + "?"
	}
	c.errorf("not-one-of", path, hint, "must be one of %s", strings.Join(names, ", "))
}
