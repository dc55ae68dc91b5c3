//! What a model reads and what it learns to write, for every kind of task but labels, which have
//! their own words (see [`crate::intent`]).

use crate::sandbox::Table;
use data::example::{Span, Target};

/// Puts a text, the schema that it is about and the [values](crate::values) that it names into a template's `{text}`,
/// `{schema}` and `{values}`.
pub fn fill(template: &str, text: &str, schema: &str, values: &[String]) -> String {
    let values = if values.is_empty() { "-".into() } else { values.join("; ") };
    // each where it stands, so that nothing in one is read as a place for another
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out += before;
        let found = [("{text}", text.trim()), ("{schema}", schema), ("{values}", &values)].into_iter().find(|(place, _)| from.starts_with(place));
        let (place, put) = found.unwrap_or(("{", "{"));
        out += put;
        rest = &from[place.len()..];
    }
    out + rest
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
