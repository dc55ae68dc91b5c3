//! Text into answers, for every kind of task. The text may come from a model or from a file of
//! answers of another system; neither is trusted, so reading never fails but with the reason why.

use crate::score::tags::normal;
use data::Kind;
use data::example::{Span, Target};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Longest text that is read, in bytes; more than that is an output that did not end.
const LONGEST: usize = 1 << 20;
/// Most entities or tags in an answer.
const MOST: usize = 1_000;

/// How the reason begins of an answer that was cut off, see [`unended`].
pub const UNENDED: &str = "it did not end within ";
/// How the reason begins of a label that is none of the task, see [`unknown`].
pub const UNKNOWN: &str = "it is not one of the labels: ";
/// Characters of a label that a reason tells.
const TOLD: usize = 80;

/// Why an answer that was cut off after so many tokens is none, or not a whole one.
pub fn unended(tokens: usize) -> String {
    format!("{UNENDED}{tokens} {}", if tokens == 1 { "token" } else { "tokens" })
}

/// Why a label that the task does not have scores nothing.
pub fn unknown(label: &str) -> String {
    let told: String = label.chars().take(TOLD).collect();
    format!("{UNKNOWN}{told}{}", if told.len() < label.len() { "…" } else { "" })
}

/// Reads an answer to `input`.
///
/// # Errors
/// With the reason, in a few words, why the text is no answer of this kind.
pub fn read(kind: Kind, input: &str, output: &str) -> Result<Target, String> {
    if output.len() > LONGEST {
        return Err(format!("longer than {} KiB", LONGEST >> 10));
    }
    let output = output.trim();
    if output.is_empty() && kind != Kind::Entities {
        return Err("empty".into());
    }
    match kind {
        Kind::Intent => Ok(Target::Label(output.into())),
        Kind::Entities => entities(input, output).map(Target::Entities),
        Kind::Sql => Ok(Target::Sql(query(output))),
        Kind::Hashtags => tags(output).map(Target::Tags),
        Kind::Custom => Ok(Target::Completion(output.into())),
    }
}

/// An answer as text, for records and for people.
pub fn show(answer: &Target) -> String {
    match answer {
        Target::Label(text) | Target::Sql(text) | Target::Completion(text) => text.clone(),
        Target::Entities(spans) => serde_json::to_string(spans).unwrap_or_default(),
        Target::Tags(tags) => tags.join(" "),
    }
}

/// The query in a text: what a code fence holds, else the text up to the first empty line.
fn query(text: &str) -> String {
    let fenced = text.split_once("```").map(|(_, rest)| rest.split("```").next().unwrap_or(rest));
    let body = match fenced {
        Some(block) => block.strip_prefix("sqlite").or_else(|| block.strip_prefix("sql")).unwrap_or(block),
        None => text.split("\n\n").next().unwrap_or(text),
    };
    body.trim().to_string()
}

/// Hashtags as a JSON list, else the words with a `#`, else all words or what commas part.
fn tags(text: &str) -> Result<Vec<String>, String> {
    let all: Vec<String> = match serde_json::from_str::<Vec<String>>(text) {
        Ok(list) => list,
        Err(_) if text.starts_with('[') => return Err("not a list of hashtags".into()),
        Err(_) => {
            let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == ',' || c == ';').filter(|w| !w.is_empty()).collect();
            let marked: Vec<&str> = words.iter().copied().filter(|w| w.starts_with('#')).collect();
            let words = if marked.is_empty() { words } else { marked };
            // `#uno#due` is two tags
            words.iter().flat_map(|w| w.split('#')).filter(|w| !w.is_empty()).map(|w| format!("#{w}")).collect()
        }
    };
    let mut seen = BTreeSet::new();
    let kept: Vec<String> = all.into_iter().filter(|t| !normal(t, false).is_empty() && seen.insert(normal(t, false))).take(MOST).collect();
    if kept.is_empty() { Err("no hashtag".into()) } else { Ok(kept) }
}

/// Entities of a text, in any of three JSON forms: `[{"start": 0, "end": 4, "type": "people"}]`;
/// `[{"people": "Anna"}, …]` in the order of the text, which is what a model writes; or
/// `{"people": ["Anna"], …}`. Strings are looked up in the text; one that is not there becomes an
/// empty span behind its end, which is never right.
fn entities(input: &str, text: &str) -> Result<Vec<Span>, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| if text.is_empty() { "empty".to_string() } else { "not JSON".into() })?;
    let mut place = Places::new(input);
    let named = |kind: &str, name: &Value| Ok::<_, String>((kind.to_string(), name.as_str().ok_or("an entity is not a string")?.to_string()));
    let names: Vec<(String, String)> = match value {
        Value::Array(items) if items.iter().all(|i| i.get("start").is_some()) => {
            let spans: Vec<Span> = serde_json::from_value(Value::Array(items)).map_err(|_| "an entity has no start, end or type")?;
            if spans.iter().any(|s| s.of(input).is_none()) {
                return Err("an entity lies outside the text".into());
            }
            return Ok(spans.into_iter().take(MOST).collect());
        }
        Value::Array(items) => {
            let one = |item: &Value| match item.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next()) {
                Some((kind, name)) => named(kind, name),
                None => Err("an entity is not of the form {\"type\": \"words\"}".into()),
            };
            items.iter().take(MOST).map(one).collect::<Result<_, _>>()?
        }
        Value::Object(types) => {
            let mut out = Vec::new();
            for (kind, names) in &types {
                let names = names.as_array().ok_or("a type holds no list")?;
                for name in names.iter().take(MOST) {
                    out.push(named(kind, name)?);
                }
            }
            // longer ones first, so that `Marino` does not take a part of `Salvo Marino`
            out.sort_by_key(|(_, name)| std::cmp::Reverse(name.chars().count()));
            place.in_order = false;
            out
        }
        _ => return Err("neither a list nor an object".into()),
    };
    // a name that is not in the text is invented: it marks nothing, behind the text, and counts as an answer
    let mut nowhere = input.chars().count();
    let mut locate = |(kind, name): (String, String)| {
        let (start, end) = place.find(&name).unwrap_or_else(|| {
            nowhere += 1;
            (nowhere, nowhere)
        });
        Span { start, end, kind }
    };
    let mut out: Vec<Span> = names.into_iter().take(MOST).map(&mut locate).collect();
    out.sort();
    Ok(out)
}

/// Most places of a name that are looked at: more than any name has in a text that a person wrote.
const PLACES: usize = 10_000;

/// Where names lie in a text: each at its next place that no other name has taken.
struct Places<'a> {
    text: &'a str,
    /// First byte of what is taken, and the one behind it; nothing overlaps.
    taken: BTreeMap<usize, usize>,
    /// The end of what was taken last.
    last: usize,
    /// Do the names come in the order of the text?
    in_order: bool,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, taken: BTreeMap::new(), last: 0, in_order: true }
    }

    /// First and last character of the next free place of a name.
    fn find(&mut self, name: &str) -> Option<(usize, usize)> {
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        let from = if self.in_order { self.last } else { 0 };
        // what begins before the end of a place must end before it begins
        let free = |at: usize| self.taken.range(..at + name.len()).next_back().is_none_or(|(_, end)| *end <= at);
        // whole words before parts of words; then the next in order, and only then one before it
        let whole = |at: usize| {
            let end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            end(self.text[..at].chars().next_back()) && end(self.text[at + name.len()..].chars().next())
        };
        let places = self.text.match_indices(name).take(PLACES).map(|(at, _)| at).filter(|&at| free(at));
        let at = places.min_by_key(|&at| (!whole(at), at < from, at))?;
        self.last = at + name.len();
        self.taken.insert(at, self.last);
        let start = self.text[..at].chars().count();
        Some((start, start + name.chars().count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "Salvo Marino, sindaco di Marino, è a Roma da ieri.";

    fn found(output: &str) -> Vec<(String, &'static str)> {
        match read(Kind::Entities, TEXT, output) {
            Ok(Target::Entities(spans)) => spans.iter().map(|s| (s.kind.clone(), s.of(TEXT).expect("inside"))).collect(),
            other => panic!("{output}: {other:?}"),
        }
    }

    #[test]
    fn entities_are_read_in_three_forms_and_found_where_they_are() {
        let want = vec![("people".to_string(), "Salvo Marino"), ("places".to_string(), "Marino"), ("places".to_string(), "Roma")];
        for form in [
            r#"[{"people":"Salvo Marino"},{"places":"Marino"},{"places":"Roma"}]"#,
            r#"{"places":["Marino","Roma"],"people":["Salvo Marino"]}"#,
            r#"[{"start":0,"end":12,"type":"people"},{"start":25,"end":31,"type":"places"},{"start":37,"end":41,"type":"places"}]"#,
        ] {
            assert_eq!(found(form), want, "{form}");
        }
        let Ok(Target::Entities(spans)) = read(Kind::Entities, TEXT, r#"[{"people":"Salvo Marino"},{"places":"Marino"}]"#) else { panic!("readable") };
        assert_eq!((spans[1].start, spans[1].end), (25, 31));
        let end = TEXT.chars().count() + 1;
        assert_eq!(read(Kind::Entities, TEXT, r#"[{"places":"Milano"}]"#), Ok(Target::Entities(vec![Span { start: end, end, kind: "places".into() }])));
        assert_eq!(found("[]"), []);
    }

    /// As many names as an answer may hold, each of one letter, on a text that holds nothing else: the test ends.
    #[test]
    fn names_without_number_do_not_stall_the_reader() {
        let text = "a".repeat(200_000);
        for names in [serde_json::json!([{"x": "a"}]), serde_json::json!([{"x": "aa"}, {"x": "a"}])] {
            let many: Vec<serde_json::Value> = names.as_array().expect("names").iter().cycle().take(MOST).cloned().collect();
            let Ok(Target::Entities(spans)) = read(Kind::Entities, &text, &serde_json::Value::Array(many).to_string()) else { panic!("readable") };
            assert_eq!(spans.len(), MOST);
            assert!(spans.iter().all(|s| s.of(&text).is_some()) && spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "each has its own place");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_why() {
        let why = |kind, output: &str| read(kind, TEXT, output).expect_err("must be refused");
        assert_eq!(why(Kind::Entities, ""), "empty");
        assert_eq!(why(Kind::Entities, "[{\"people\":"), "not JSON");
        assert_eq!(why(Kind::Entities, "7"), "neither a list nor an object");
        assert_eq!(why(Kind::Entities, r#"[{"start":0,"end":99,"type":"x"}]"#), "an entity lies outside the text");
        assert_eq!(why(Kind::Entities, r#"[{"a":"b","c":"d"}]"#), "an entity is not of the form {\"type\": \"words\"}");
        assert_eq!(why(Kind::Hashtags, "# #!"), "no hashtag");
        assert_eq!((why(Kind::Sql, " \n"), why(Kind::Custom, "")), ("empty".into(), "empty".into()));
        assert!(why(Kind::Custom, &"x".repeat(LONGEST + 1)).contains("KiB"));
        assert_eq!(why(Kind::Entities, &"[".repeat(100_000)), "not JSON");
    }

    #[test]
    fn tags_and_queries_are_found_in_what_models_write() {
        let tags = |output: &str| match read(Kind::Hashtags, "", output) {
            Ok(Target::Tags(tags)) => tags,
            other => panic!("{other:?}"),
        };
        assert_eq!(tags("#uno #due, #Uno #tre#quattro"), ["#uno", "#due", "#tre", "#quattro"]);
        assert_eq!(tags(r##"["#uno", "due"]"##), ["#uno", "due"]);
        assert_eq!(tags("uno, due"), ["#uno", "#due"]);
        assert_eq!(tags("Ecco: #uno"), ["#uno"]);
        let sql = |output: &str| read(Kind::Sql, "", output).map(|t| show(&t));
        assert_eq!(sql("```sql\nSELECT 1\n```\nEcco."), Ok("SELECT 1".into()));
        assert_eq!(sql(" SELECT 1\nFROM t\n\nDomanda: altro"), Ok("SELECT 1\nFROM t".into()));
    }

    proptest! {
        #[test]
        fn any_output_is_read_or_refused(input in ".{0,40}", output in ".{0,60}") {
            for kind in Kind::ALL {
                if let Ok(Target::Entities(spans)) = read(kind, &input, &output) {
                    prop_assert!(spans.iter().all(|s| s.of(&input).is_some() || (s.start == s.end && s.start > input.chars().count())));
                }
            }
        }

        #[test]
        fn every_substring_is_found_where_it_is_said_to_be(input in "[a-c è🎉]{1,30}", from in 0usize..30, length in 1usize..8) {
            let chars: Vec<char> = input.chars().collect();
            let name: String = chars.iter().skip(from).take(length).collect();
            let output = serde_json::json!([{"x": name}]).to_string();
            let Ok(Target::Entities(spans)) = read(Kind::Entities, &input, &output) else { panic!("readable") };
            prop_assert_eq!(spans.len(), 1);
            prop_assert_eq!(spans[0].of(&input), Some(name.trim()).filter(|n| !n.is_empty()));
        }
    }
}
