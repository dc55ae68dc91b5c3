//! What a model reads and what it learns to write, for every kind of task but labels, which have
//! their own words (see [`crate::intent`]).

use crate::sandbox::Table;
use data::example::{Example, Span, Target};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// Puts a text, the schema that it is about and the [values](crate::values) that it names into a template's `{text}`,
/// `{schema}` and `{values}`.
pub fn fill(template: &str, text: &str, schema: &str, values: &[String]) -> String {
    placed(template, text, schema, values).0
}

/// As [`fill`], and which bytes of it are the text: those of the first `{text}`, or none.
pub fn placed(template: &str, text: &str, schema: &str, values: &[String]) -> (String, Range<usize>) {
    let values = if values.is_empty() { "-".into() } else { values.join("; ") };
    put(template, &[("{text}", text.trim()), ("{schema}", schema), ("{values}", &values)])
}

/// A template with what stands for its places; nothing in what is put in is read as a place.
pub(crate) fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    put(template, parts).0
}

/// As [`filled`], and which bytes stand for the first place of the first of the `parts`, or none.
fn put(template: &str, parts: &[(&str, &str)]) -> (String, Range<usize>) {
    let (mut out, mut own, mut rest) = (String::new(), None, template);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out += before;
        let found = parts.iter().position(|(place, _)| from.starts_with(place));
        let (place, put) = found.map_or(("{", "{"), |i| parts[i]);
        if found == Some(0) {
            own.get_or_insert(out.len()..out.len() + put.len());
        }
        out += put;
        rest = &from[place.len()..];
    }
    (out + rest, own.unwrap_or_default())
}

/// A template in two parts: what is said once before several texts, which is all before the line with `{text}`, and what
/// is said with each of them.
pub fn parted(template: &str) -> (&str, &str) {
    let text = template.find("{text}").unwrap_or(0);
    template.split_at(template[..text].rfind('\n').map_or(0, |line| line + 1))
}

/// Training examples in the order in which they are shown to a model that is not trained: by chance, but one of every label
/// before a second of any.
pub fn to_show(training: &[Example], seed: u64) -> Vec<&Example> {
    let mut order: Vec<&Example> = training.iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &Example)> = Vec::new();
    for example in order {
        let turn = seen.entry(example.label()).or_default();
        turns.push((*turn, example));
        *turn += 1;
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, example)| example).collect()
}

/// The tables as a model reads them, one a line: `clienti(id, nome, citta)`, and after an arrow the
/// column that another table's key refers to.
pub fn schema(tables: &[Table]) -> String {
    let column = |c: &crate::sandbox::Column| match &c.refers {
        Some((table, to)) if to.is_empty() => format!("{}→{table}", c.name),
        Some((table, to)) => format!("{}→{table}.{to}", c.name),
        None => c.name.clone(),
    };
    let line = |t: &Table| format!("{}({})", t.name, t.columns.iter().map(column).collect::<Vec<_>>().join(", "));
    tables.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a model writes for an answer, with the space that sets it off from the prompt: entities as
/// `[{"people":"Anna"}]` in the order of the text, hashtags with spaces between them, a query on one line.
pub fn completion(input: &str, answer: &Target) -> String {
    let body = match answer {
        Target::Entities(spans) => {
            let mut spans: Vec<&Span> = spans.iter().collect();
            spans.sort();
            let one = |s: &&Span| Some(format!("{{{}:{}}}", serde_json::Value::from(s.kind.as_str()), serde_json::Value::from(s.of(input)?)));
            format!("[{}]", spans.iter().filter_map(one).collect::<Vec<_>>().join(","))
        }
        Target::Tags(tags) => tags.iter().map(|t| format!("#{}", t.trim().trim_start_matches('#'))).collect::<Vec<_>>().join(" "),
        Target::Sql(query) => one_line(query),
        Target::Label(text) | Target::Completion(text) => text.trim().to_string(),
    };
    format!(" {body}")
}

/// A query with every run of white space outside quotation marks as one space.
fn one_line(query: &str) -> String {
    let (mut out, mut quote) = (String::new(), None);
    for c in query.trim().trim_end_matches(';').trim_end().chars() {
        match quote {
            None if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
                continue;
            }
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            Some(q) if q == c => quote = None,
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer;
    use crate::sandbox::tests::shop;
    use data::Kind;

    #[test]
    fn prompts_hold_text_and_schema_once() {
        let (_dir, sandbox) = shop();
        let schema = schema(sandbox.tables());
        assert_eq!(schema, "clienti(id, nome, citta, nato)\nordini(id, cliente_id→clienti.id, importo)");
        assert_eq!(fill("{schema}\nD: {text}\nSQL:", " {schema} {text} ", "t(a)", &[]), "t(a)\nD: {schema} {text}\nSQL:");
        let values = ["a='{text}'".to_string(), "b='2'".to_string()];
        assert_eq!(fill("{x} {text}: {values}", "t", "", &values), "{x} t: a='{text}'; b='2'");
        assert_eq!(fill("{text} ({values})", "t", "", &[]), "t (-)");
        assert_eq!(placed("{schema}\nD: {text}\nSQL:", " {text} è ", "t(a)", &[]), ("t(a)\nD: {text} è\nSQL:".into(), 8..17));
        assert_eq!(placed("x", "t", "", &[]), ("x".into(), 0..0));
    }

    #[test]
    fn a_template_is_parted_before_the_line_of_the_text() {
        assert_eq!(parted("{schema}\nDomanda: {text}\nSQL:"), ("{schema}\n", "Domanda: {text}\nSQL:"));
        assert_eq!(parted("Testo: {text}\nEntità:"), ("", "Testo: {text}\nEntità:"));
        assert_eq!((parted("{text}"), parted("no text")), (("", "{text}"), ("", "no text")));
    }

    #[test]
    fn every_label_is_shown_before_a_second_example_of_any_and_the_seed_decides_which() {
        let origin = || data::Origin { file: std::sync::Arc::new("train.jsonl".into()), line: 1 };
        let example = |i: usize| Example { text: i.to_string(), target: Target::Label(["a", "b", "c"][i % 3].into()), origin: origin() };
        let training: Vec<Example> = (0..30).map(example).collect();
        let texts = |seed| to_show(&training, seed).iter().map(|e| e.text.clone()).collect::<Vec<_>>();
        for shown in to_show(&training, 1).chunks(3) {
            let labels: std::collections::BTreeSet<&str> = shown.iter().map(|e| e.label()).collect();
            assert_eq!(labels.len(), 3, "{labels:?}");
        }
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "Anna \"la Rossa\" è a Roma, Roma.";
        let span = |start, end, kind: &str| Span { start, end, kind: kind.into() };
        for (kind, target) in [
            (Kind::Entities, Target::Entities(vec![span(0, 15, "people"), span(20, 24, "places"), span(26, 30, "places")])),
            (Kind::Entities, Target::Entities(vec![])),
            (Kind::Hashtags, Target::Tags(vec!["#uno".into(), "#due".into()])),
            (Kind::Sql, Target::Sql("SELECT 'a  b' FROM t".into())),
            (Kind::Custom, Target::Completion("Va bene.".into())),
        ] {
            let written = completion(text, &target);
            assert!(written.starts_with(' '), "{written}");
            assert_eq!(answer::read(kind, text, &written), Ok(target));
        }
        assert_eq!(completion("", &Target::Sql(" SELECT  'a  b'\n FROM t ;\n".into())), " SELECT 'a  b' FROM t");
    }
}
