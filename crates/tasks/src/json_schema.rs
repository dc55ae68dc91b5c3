//! A JSON schema that the answers of a custom task must fit: what a model may write under it (llguidance), and whether an
//! answer of whatever origin fits it.
//!
//! A constrained model writes the properties of an object in the order of the schema. JSON knows no such order, and neither
//! does [`JsonSchema::fits`], which follows the standard (<https://json-schema.org/draft/2020-12>) in the keywords that
//! llguidance holds a model to; a schema with others is refused by [`JsonSchema::read`]. What text a `pattern` or a `format`
//! allows is for llguidance to say in both cases.

use crate::grammar::Vocabulary;
use llguidance::Matcher;
use say::say;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest schema, in bytes.
pub const LONGEST: usize = 64 << 10;
/// Schemas inside one another that are followed into one answer.
const DEEPEST: usize = 400;
/// Schemas that are held against one answer: a few lines of references can stand for any number of them.
const MOST: usize = 1_000_000;
/// White space between two parts of an answer: a space or two, or a new line and how far in it begins. A model that likes white space
/// better than an end would otherwise fill its answer with it.
const SPACE: &str = r"(?: {1,2}|\r?\n[ \t]{0,16})";

/// How the reason of an answer that does not fit begins.
pub const MISFIT: &str = "it does not fit the schema at ";

/// A schema that answers can be held to.
#[derive(Clone)]
pub struct JsonSchema {
    text: String,
    root: Value,
    bytes: Arc<Vocabulary>,
    /// The grammars that texts were held against.
    held: Arc<Mutex<HashMap<String, Matcher>>>,
}

impl std::fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JsonSchema").field(&self.text).finish()
    }
}

impl JsonSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// With a sentence, if it is no schema, too large, holds what no model can be held to, or allows nothing.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(say!(
                "a JSON schema may be {} KiB long, and this is longer; leave out what answers do not need",
                "uno schema JSON può essere lungo {} KiB, e questo è più lungo; togli ciò che non serve alle risposte",
                LONGEST >> 10
            ));
        }
        let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|e| say!("is not the JSON schema that a custom task takes ({e})", "non è lo schema JSON che un compito custom richiede ({e})"))?;
        if !root.is_object() {
            return Err(say!(
                "is JSON and no schema; a schema is an object, such as {{\"type\": \"object\", \"properties\": {{…}}}}",
                "è JSON ma non uno schema; uno schema è un oggetto, per esempio {{\"type\": \"object\", \"properties\": {{…}}}}"
            ));
        }
        let schema = Self { text: text.into(), root, bytes: Arc::new(Vocabulary::bytes()?), held: Arc::default() };
        let mut matcher = schema.bytes.matcher(&schema.grammar());
        // a reference to nothing but itself is a grammar, and one of no answer
        let begins = matcher.consume_token(u32::from(b' ')).and_then(|()| matcher.compute_mask()).is_ok_and(|mask| !mask.to_list().is_empty());
        if begins {
            return Ok(schema);
        }
        let why = matcher.get_error().unwrap_or_default();
        // the library adds where it was in its own code
        let why = why.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(say::pick("it allows nothing", "non ammette nulla"));
        Err(say!(
            "no model can be held to this JSON schema ({why:.300}); change or remove what is named",
            "nessun modello può essere vincolato a questo schema JSON ({why:.300}); modifica o togli ciò che è indicato"
        ))
    }

    /// The schema as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What may be answered, as a grammar: a space, and JSON that fits.
    pub fn grammar(&self) -> String {
        let mut schema = self.root.clone();
        schema["x-guidance"] = json!({"whitespace_pattern": SPACE});
        format!("start: \" \" json\njson: %json {schema}\n")
    }

    /// Can a model that is held to the schema write this answer? One that fits it may still have its properties in another order.
    pub fn writes(&self, answer: &str) -> bool {
        self.allows(self.grammar(), &format!(" {}", answer.trim()))
    }

    /// Does an answer fit the schema?
    ///
    /// # Errors
    /// With the reason why it does not: where, and by which keyword of the schema.
    pub fn fits(&self, answer: &str) -> Result<(), String> {
        let answer: Value = serde_json::from_str(answer).map_err(|_| "not JSON")?;
        let old = self.root["$schema"].as_str().is_some_and(|draft| draft.contains("draft-0") || draft.contains("2019-09"));
        Held { schema: self, old, steps: Cell::new(0) }.check(&self.root, &answer, "", 0)
    }

    /// Is a text one that a grammar over bytes allows?
    fn allows(&self, grammar: String, text: &str) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let matcher = held.entry(grammar.clone()).or_insert_with(|| self.bytes.matcher(&grammar));
        let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
        let whole = matcher.reset().is_ok() && matcher.try_consume_tokens(&tokens).is_ok_and(|taken| taken == tokens.len());
        let allowed = whole && (matcher.is_stopped() || matcher.is_accepting().unwrap_or(false));
        // what a text has broken is not kept for the next
        if matcher.is_error() {
            held.remove(&grammar);
        }
        allowed
    }
}

/// An answer that is held against a schema.
struct Held<'a> {
    schema: &'a JsonSchema,
    /// Is the schema of a draft in which a list of `items` is what `prefixItems` is now?
    old: bool,
    steps: Cell<usize>,
}

impl Held<'_> {
    /// Holds a value at a place in the answer against a schema.
    fn check(&self, schema: &Value, value: &Value, at: &str, depth: usize) -> Result<(), String> {
        let misfit = |keyword: &str| Err(format!("{MISFIT}{} ({keyword})", if at.is_empty() { "/" } else { at }));
        self.steps.set(self.steps.get() + 1);
        if depth > DEEPEST || self.steps.get() > MOST {
            return misfit("$ref");
        }
        let Value::Object(schema) = schema else { return if *schema == Value::Bool(false) { misfit("false") } else { Ok(()) } };
        let inside = |schema: &Value| self.check(schema, value, at, depth + 1);
        for (keyword, rule) in schema {
            let fits = match keyword.as_str() {
                "$ref" => {
                    inside(self.target(rule))?;
                    true
                }
                "allOf" => {
                    list(rule).iter().try_for_each(inside)?;
                    true
                }
                "anyOf" => list(rule).iter().any(|s| inside(s).is_ok()),
                "oneOf" => list(rule).iter().filter(|s| inside(s).is_ok()).count() == 1,
                "type" => std::slice::from_ref(rule).iter().chain(list(rule)).filter_map(Value::as_str).any(|name| is(name, value)),
                "enum" => list(rule).iter().any(|v| equal(v, value)),
                "const" => equal(rule, value),
                _ => match value {
                    Value::Number(n) => n.as_f64().is_none_or(|n| number(keyword, rule, schema, n)),
                    Value::String(text) => self.text(keyword, rule, text),
                    Value::Array(items) => counted(keyword, rule, ["minItems", "maxItems"], items.len()),
                    Value::Object(fields) => {
                        counted(keyword, rule, ["minProperties", "maxProperties"], fields.len())
                            && (keyword != "required" || list(rule).iter().filter_map(Value::as_str).all(|name| fields.contains_key(name)))
                    }
                    Value::Null | Value::Bool(_) => true,
                },
            };
            if !fits {
                return misfit(keyword);
            }
        }
        match value {
            Value::Array(items) => self.items(schema, items, at, depth),
            Value::Object(fields) => self.properties(schema, fields, at, depth),
            _ => Ok(()),
        }
    }

    /// What a reference names; nothing is what the schema was refused for.
    fn target(&self, reference: &Value) -> &Value {
        let path = reference.as_str().unwrap_or_default().trim_start_matches('#');
        fn step<'v>(at: &'v Value, part: &str) -> Option<&'v Value> {
            if let Value::Array(all) = at { all.get(part.parse::<usize>().ok()?) } else { at.get(part) }
        }
        path.split('/').filter(|part| !part.is_empty()).try_fold(&self.schema.root, step).unwrap_or(&Value::Bool(false))
    }

    fn text(&self, keyword: &str, rule: &Value, text: &str) -> bool {
        match keyword {
            "minLength" | "maxLength" => counted(keyword, rule, ["minLength", "maxLength"], text.chars().count()),
            "pattern" | "format" => self.matches(keyword, rule, text),
            _ => true,
        }
    }

    /// Is a text as a `pattern` or a `format` wants it?
    fn matches(&self, keyword: &str, rule: &Value, text: &str) -> bool {
        self.schema.allows(format!("start: %json {}\n", json!({"type": "string", keyword: rule})), &Value::from(text).to_string())
    }

    fn items(&self, schema: &Map<String, Value>, items: &[Value], at: &str, depth: usize) -> Result<(), String> {
        let [first, rest, additional] = ["prefixItems", "items", "additionalItems"].map(|keyword| schema.get(keyword));
        let (first, rest) = match rest {
            Some(Value::Array(_)) => (rest, additional),
            _ if self.old || additional.is_some() => (None, rest),
            _ => (first, rest),
        };
        let first = first.map_or(&[][..], list);
        items.iter().enumerate().try_for_each(|(i, item)| match first.get(i).or(rest) {
            Some(schema) => self.check(schema, item, &format!("{at}/{i}"), depth + 1),
            None => Ok(()),
        })
    }

    fn properties(&self, schema: &Map<String, Value>, fields: &Map<String, Value>, at: &str, depth: usize) -> Result<(), String> {
        let named = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
        for (name, value) in fields {
            let own = named("properties").and_then(|all| all.get(name));
            let patterns = named("patternProperties").into_iter().flatten().filter(|(pattern, _)| self.matches("pattern", &json!(pattern), name));
            let of: Vec<&Value> = own.into_iter().chain(patterns.map(|(_, schema)| schema)).collect();
            let of = if of.is_empty() { schema.get("additionalProperties").into_iter().collect() } else { of };
            for schema in of {
                self.check(schema, value, &format!("{at}/{name}"), depth + 1)?;
            }
        }
        Ok(())
    }
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().map_or(&[], Vec::as_slice)
}

/// Is a value of the type of this name?
fn is(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("string", Value::String(_)) | ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(n)) => n.is_i64() || n.is_u64() || n.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}

/// The same value; `1` and `1.0` are.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| equal(x, y))),
        _ => a == b,
    }
}

fn counted(keyword: &str, rule: &Value, [least, most]: [&str; 2], count: usize) -> bool {
    let wanted = rule.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    (keyword != least || count >= wanted) && (keyword != most || count <= wanted)
}

fn number(keyword: &str, rule: &Value, schema: &Map<String, Value>, n: f64) -> bool {
    // in old drafts the exclusive bounds are marks on the others
    let bound = |other: &str| if *rule == Value::Bool(true) { schema.get(other).and_then(Value::as_f64) } else { rule.as_f64() };
    match keyword {
        "minimum" => rule.as_f64().is_none_or(|least| n >= least),
        "maximum" => rule.as_f64().is_none_or(|most| n <= most),
        "exclusiveMinimum" => bound("minimum").is_none_or(|least| n > least),
        "exclusiveMaximum" => bound("maximum").is_none_or(|most| n < most),
        "multipleOf" => rule.as_f64().is_none_or(|unit| {
            let times = n / unit;
            (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
        }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemma::generate::{Allowed, Constraint};
    use proptest::prelude::*;

    const ORDER: &str = r##"{
        "$defs": {"item": {"type": "object", "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 8}, "price": {"type": "number", "minimum": 0}},
            "required": ["name"], "additionalProperties": false}},
        "type": "object",
        "properties": {
            "kind": {"enum": ["order", "refund"]},
            "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"},
            "on": {"type": "string", "format": "date"},
            "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 3},
            "note": {"anyOf": [{"type": "null"}, {"type": "integer", "multipleOf": 5, "exclusiveMaximum": 100}]}
        },
        "required": ["kind", "items"],
        "additionalProperties": false
    }"##;

    fn order() -> JsonSchema {
        JsonSchema::read(ORDER).expect("a schema")
    }

    #[test]
    fn answers_are_held_against_a_schema_as_the_standard_says() {
        let schema = order();
        for right in [
            r#"{"kind": "order", "items": [{"name": "tè"}]}"#,
            // in whatever order
            r#"{"items":[{"price":1.5,"name":"a"},{"name":"b"}],"note":95.0,"on":"2024-02-29","code":"AB123","kind":"refund"}"#,
            " {\"kind\":\"order\",\n\t\"items\":[{\"name\":\"a\"}],\"note\":null}\n",
        ] {
            assert_eq!(schema.fits(right), Ok(()), "{right}");
        }
        for (wrong, why) in [
            ("", "not JSON"),
            ("{\"kind\": \"order\", \"items\"", "not JSON"),
            ("7", "/ (type)"),
            (r#"{"kind": "order"}"#, "/ (required)"),
            (r#"{"kind": "offer", "items": [{"name": "a"}]}"#, "/kind (enum)"),
            (r#"{"kind": "order", "items": []}"#, "/items (minItems)"),
            (r#"{"kind": "order", "items": [{"name": "a"}, {"name": ""}]}"#, "/items/1/name (minLength)"),
            (r#"{"kind": "order", "items": [{"name": "è sempre lungo"}]}"#, "/items/0/name (maxLength)"),
            (r#"{"kind": "order", "items": [{"name": "a", "price": -1}]}"#, "/items/0/price (minimum)"),
            (r#"{"kind": "order", "items": [{"name": "a", "size": 1}]}"#, "/items/0/size (false)"),
            (r#"{"kind": "order", "items": [{"name": "a"}], "code": "AB12"}"#, "/code (pattern)"),
            (r#"{"kind": "order", "items": [{"name": "a"}], "on": "2024-02-30"}"#, "/on (format)"),
            (r#"{"kind": "order", "items": [{"name": "a"}], "note": 7}"#, "/note (anyOf)"),
            (r#"{"kind": "order", "items": [{"name": "a"}], "note": 100}"#, "/note (anyOf)"),
        ] {
            let expected = if why == "not JSON" { why.to_string() } else { format!("{MISFIT}{why}") };
            assert_eq!(schema.fits(wrong), Err(expected), "{wrong}");
        }
    }

    #[test]
    fn keywords_of_all_drafts_are_heeded() {
        let fits = |schema: &str, answer: &str| JsonSchema::read(schema).unwrap_or_else(|e| panic!("{schema}: {e}")).fits(answer).is_ok();
        for (schema, right, wrong) in [
            (r#"{"type": ["integer", "null"]}"#, "1.0", "1.5"),
            (r#"{"const": {"a": [1, true]}}"#, r#"{"a": [1.0, true]}"#, r#"{"a": [1]}"#),
            (r#"{"prefixItems": [{"type": "string"}], "items": {"type": "number"}}"#, r#"["a", 1, 2]"#, r#"["a", "b"]"#),
            (r#"{"items": [{"type": "string"}], "additionalItems": false}"#, r#"["a"]"#, r#"["a", 1]"#),
            (r#"{"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true}"#, "1.5", "1"),
            (r#"{"patternProperties": {"^x": {"type": "number"}}, "additionalProperties": {"type": "string"}}"#, r#"{"xa": 1, "b": "c"}"#, r#"{"xa": "b"}"#),
            (r#"{"oneOf": [{"type": "number"}, {"type": "string"}]}"#, "1", "true"),
            (r#"{"allOf": [{"minimum": 1}, {"maximum": 3}]}"#, "2", "4"),
            (
                r##"{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}"##,
                r#"{"next": {"next": {}}}"#,
                r#"{"next": {"nest": {}}}"#,
            ),
            (r##"{"items": {"$ref": "#/definitions/a"}, "definitions": {"a": {"type": "null"}}}"##, "[null, null]", "[1]"),
            (r#"{"type": "object", "minProperties": 1, "maxProperties": 2}"#, r#"{"a": 1}"#, "{}"),
            (r#"{"title": "anything", "unheard-of": 7}"#, "[1, {}]", "[1, {}"),
        ] {
            assert!(fits(schema, right), "{schema}: {right}");
            assert!(!fits(schema, wrong), "{schema}: {wrong}");
        }
    }

    #[test]
    fn a_model_can_write_what_fits_in_the_order_of_the_schema() {
        let schema = order();
        assert!(schema.writes(r#"{"kind": "order", "items": [{"name": "tè"}]}"#));
        assert!(schema.writes("{\n  \"kind\": \"order\",\n  \"items\": [{\"name\": \"a\", \"price\": 2}],\n  \"note\": null\n}"));
        assert!(!schema.writes(r#"{"items": [{"name": "tè"}], "kind": "order"}"#));
        assert!(!schema.writes(r#"{"kind": "order", "items": []}"#) && !schema.writes(r#"{"kind": "order", "items": [{"name""#));
        let long = format!("{{\"kind\":{}\"order\", \"items\": [{{\"name\": \"a\"}}]}}", " ".repeat(100));
        assert!(schema.fits(&long).is_ok() && !schema.writes(&long), "white space without end");
    }

    #[test]
    fn bad_schemas_are_refused_in_one_sentence() {
        let deep = format!("{}{{}}{}", "{\"items\":".repeat(5_000), "}".repeat(5_000));
        let nested = format!("{}{{}}{}", "{\"items\":".repeat(120), "}".repeat(120));
        let chain = |count: usize, last: &str| {
            let links: Vec<String> = (0..count).map(|i| format!("\"{i}\":{{\"$ref\":\"#/$defs/{}\"}}", i + 1)).collect();
            format!("{{\"$defs\":{{{},\"{count}\":{last}}},\"$ref\":\"#/$defs/0\"}}", links.join(","))
        };
        let twice: Vec<String> = (0..60).map(|i| format!("\"{i}\":{{\"anyOf\":[{{\"$ref\":\"#/$defs/{0}\"}},{{\"$ref\":\"#/$defs/{0}\"}}]}}", i + 1)).collect();
        let twice = format!("{{\"$defs\":{{{},\"60\":{{\"type\":\"null\"}}}},\"$ref\":\"#/$defs/0\"}}", twice.join(","));
        // these are many, and can be held to; or the reason is told
        for schema in [nested, chain(1_800, "{\"type\":\"null\"}"), twice, format!("{{\"enum\":[{}1]}}", "\"x\",".repeat(10_000))] {
            match JsonSchema::read(&schema) {
                Ok(schema) => {
                    let _ = (schema.fits("[[[1]]]"), schema.fits("1"), schema.writes("1"));
                }
                Err(why) => assert!(!why.contains('\n') && why.len() < 600, "{why}"),
            }
        }
        let mut wrong = Vec::new();
        for (schema, part) in [
            (String::new(), "is not the JSON schema"),
            ("CREATE TABLE t (a);".into(), "is not the JSON schema"),
            ("[]".into(), "no schema"),
            ("7".into(), "no schema"),
            (deep, "is not the JSON schema"),
            (format!("{{\"title\": \"{}\"}}", "x".repeat(LONGEST)), "longer"),
            (r#"{"type": "array", "uniqueItems": true}"#.into(), "uniqueItems"),
            (r#"{"not": {"type": "null"}}"#.into(), "not"),
            (r#"{"type": "word"}"#.into(), "word"),
            (r#"{"type": 7}"#.into(), "type"),
            (r#"{"type": "string", "format": "colour"}"#.into(), "colour"),
            (r#"{"type": "string", "pattern": "("}"#.into(), "no model"),
            (r#"{"type": "string", "pattern": "(?=a)b"}"#.into(), "no model"),
            (r#"{"type": "string", "minLength": 5, "maxLength": 2}"#.into(), "minLength"),
            (r#"{"type": "integer", "minimum": 3, "maximum": 2}"#.into(), "no model"),
            (r#"{"type": "integer", "multipleOf": 1e300}"#.into(), "no model"),
            (r#"{"type": "integer", "multipleOf": 0}"#.into(), "no model"),
            (r##"{"$ref": "#/$defs/nowhere"}"##.into(), "nowhere"),
            (r##"{"$ref": "#"}"##.into(), "no model"),
            (r#"{"$ref": "https://example.com/other.json"}"#.into(), "example.com"),
            (r#"{"properties": ["a"]}"#.into(), "properties"),
            (r#"{"required": {}}"#.into(), "no model"),
            (format!("{{\"minimum\": \"{}\"}}", "è".repeat(200)), "no model"),
            (r#"{"enum": []}"#.into(), "no model"),
            (r#"{"type": "object", "additionalProperties": false, "required": ["a"]}"#.into(), "no model"),
        ] {
            let shown: String = schema.chars().take(80).collect();
            match JsonSchema::read(&schema) {
                Err(why) if why.contains(part) && !why.contains('\n') && why.len() < 600 => {}
                other => wrong.push(format!("{shown}: {:?}", other.err())),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What the constraint lets a model write, a byte at a time, chosen by chance.
    fn written(schema: &JsonSchema, choices: &[u16]) -> Option<String> {
        let rows = schema.bytes.rows(&[schema.grammar()]).expect("a grammar");
        let mut tokens = Vec::new();
        for choice in choices {
            let Allowed::Only(allowed) = rows.next(0, &tokens) else { panic!("always restricts") };
            if allowed.contains(&schema.bytes.stop()) {
                return Some(schema.bytes.text(&tokens));
            }
            // of a text with little order, most bytes that may follow are letters: the ends are given their turn
            let ends: Vec<u32> = allowed.iter().copied().filter(|t| b"\"}],".contains(&(*t as u8))).collect();
            let from = if ends.is_empty() || choice % 3 == 0 { &allowed } else { &ends };
            tokens.push(from[usize::from(*choice) % from.len()]);
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_a_model_can_write_fits(choices in proptest::collection::vec(any::<u16>(), 400)) {
            let schema = order();
            if let Some(answer) = written(&schema, &choices) {
                // what is no Unicode could not be an answer
                if !answer.contains('\u{fffd}') {
                    prop_assert_eq!(schema.fits(&answer), Ok(()), "{}", answer);
                    prop_assert!(schema.writes(&answer));
                }
            }
        }

        #[test]
        fn any_schema_and_any_answer_are_taken_or_refused(schema in "[{}\\[\\]\":, a-z0-9$#/]{0,60}", answer in ".{0,40}") {
            if let Ok(schema) = JsonSchema::read(&schema) {
                let _ = (schema.fits(&answer), schema.writes(&answer));
            }
        }
    }
}
