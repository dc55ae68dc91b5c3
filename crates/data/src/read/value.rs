//! What a field holds, as an answer: lists of entities in the forms that people write, hashtags, chats.

use crate::error::Fault;
use crate::example::Span;
use say::say;
use serde_json::Value;

/// Why a field is no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// What is the matter, for programs.
    pub fault: Fault,
    /// The same as a sentence.
    pub what: String,
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self { fault: Fault::default(), what }
    }
}

/// JSON, or the way Python prints the same, as exports of data frames have it.
pub fn loose(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['[', '{']) {
        return None;
    }
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&from_python(text)).ok())
}

/// Turns Python's quotes and constants into JSON's.
fn from_python(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => match chars.next() {
                Some('\'') => out.push('\''),
                Some(other) => out.extend(['\\', other]),
                None => {}
            },
            (Some(q), _) if c == q => {
                quote = None;
                out.push('"');
            }
            (Some(_), '"') => out.push_str("\\\""),
            (Some(_), _) => out.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                out.push('"');
            }
            (None, _) if c.is_alphabetic() => word.push(c),
            (None, _) => {
                constant(&mut out, &mut word);
                out.push(c);
            }
        }
    }
    constant(&mut out, &mut word);
    out
}

fn constant(out: &mut String, word: &mut String) {
    out.push_str(match word.as_str() {
        "None" => "null",
        "True" => "true",
        "False" => "false",
        other => other,
    });
    word.clear();
}

/// A list of strings: JSON, Python, or `null` for none.
pub fn strings(text: &str) -> Option<Vec<String>> {
    let Value::Array(list) = loose(text)? else { return None };
    list.into_iter().map(|v| if let Value::String(s) = v { Some(s) } else { None }).collect()
}

/// Whether a text is a list of numbers, and not empty.
pub fn numbers(text: &str) -> bool {
    matches!(loose(text), Some(Value::Array(list)) if !list.is_empty() && list.iter().all(Value::is_number))
}

/// A label, which programs for several labels a text write as a list of one.
///
/// # Errors
/// With a sentence, if it is a list of several.
pub fn label(value: &str) -> Result<String, String> {
    match strings(value).as_deref() {
        Some([one]) => Ok(one.trim().into()),
        Some([]) => Ok(String::new()),
        Some(several) => Err(say!(
            "lists {} labels ({}), and a text has one: choose it, or delete the row",
            "elenca {} etichette ({}), e un testo ne ha una sola: sceglila, oppure elimina la riga",
            several.len(),
            several.join(", ")
        )),
        None => Ok(value.trim().into()),
    }
}

/// Hashtags as a list, or in one string: at every `#`, else between commas or semicolons, else between spaces.
pub fn tags(value: &str) -> Result<Vec<String>, String> {
    if value.trim_start().starts_with('[') {
        return strings(value).ok_or_else(|| say!("is not a list of hashtags; write [\"#…\", \"#…\"]", "non è una lista di hashtag; scrivi [\"#…\", \"#…\"]"));
    }
    let trimmed = |c: char| c.is_whitespace() || c == ',' || c == ';';
    if value.contains('#') {
        return Ok(value.split('#').map(|t| t.trim_matches(trimmed)).filter(|t| !t.is_empty()).map(|t| format!("#{t}")).collect());
    }
    let parts: Vec<&str> = if value.contains([',', ';']) { value.split([',', ';']).collect() } else { value.split_whitespace().collect() };
    Ok(parts.into_iter().map(str::trim).filter(|t| !t.is_empty()).map(String::from).collect())
}

/// What is listed as an entity: with its place, or as a string that is to be found in the text.
enum Listed {
    Placed(Span),
    Named(String, String),
}

/// Entities of one text, at most: each is looked for beside all others.
const MANY: usize = 2_000;

const START: [&str; 5] = ["start", "begin", "start_offset", "start_char", "inizio"];
const END: [&str; 6] = ["end", "stop", "end_offset", "end_char", "fine", "limit"];
const TYPE: [&str; 8] = ["type", "label", "entity", "entity_group", "tag", "tipo", "category", "kind"];
const STRING: [&str; 7] = ["text", "value", "string", "word", "span", "testo", "valore"];

/// Entities of a text: a list of `{"start", "end", "type"}`, of `[start, end, type]` or of
/// `{"text", "type"}`, or an object that lists strings per type.
///
/// # Errors
/// If it is none of these, or a string cannot be placed.
pub fn entities(text: &str, value: &str) -> Result<Vec<Span>, Wrong> {
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let wrong = || {
        say!(
            "is not a list of entities; write [{{\"start\": 0, \"end\": 5, \"type\": \"…\"}}] or {{\"type\": [\"…\"]}}",
            "non è una lista di entità; scrivi [{{\"start\": 0, \"end\": 5, \"type\": \"…\"}}] oppure {{\"type\": [\"…\"]}}"
        )
    };
    let mut listed = Vec::new();
    match loose(value).ok_or_else(wrong)? {
        Value::Array(list) => {
            for item in &list {
                let entity = entity(item).ok_or_else(wrong)?;
                if let Listed::Placed(span) = &entity {
                    agrees(text, span, item)?;
                }
                listed.push(entity);
            }
        }
        Value::Object(map) => {
            // {"entities": [...]}, a wrapping that language models like
            if let (1, Some((_, Value::Array(list)))) = (map.len(), map.iter().next())
                && !list.is_empty()
                && list.iter().all(|v| !v.is_string())
            {
                return entities(text, &Value::Array(list.clone()).to_string());
            }
            for (kind, value) in &map {
                match value {
                    Value::Null => {}
                    Value::String(s) if s.trim().is_empty() => {}
                    Value::String(s) => listed.push(Listed::Named(kind.clone(), s.clone())),
                    Value::Array(list) => {
                        for item in list {
                            listed.push(Listed::Named(kind.clone(), item.as_str().ok_or_else(wrong)?.to_string()));
                        }
                    }
                    _ => return Err(wrong().into()),
                }
            }
        }
        _ => return Err(wrong().into()),
    }
    let (mut placed, mut named) = (Vec::new(), Vec::new());
    for l in listed {
        match l {
            Listed::Placed(span) => placed.push(span),
            Listed::Named(kind, string) => named.push((kind, string)),
        }
    }
    placed.extend(locate(text, &named)?);
    placed.sort();
    Ok(placed)
}

/// Whether the string that an entity is listed with stands where its place says. What is called `value` or the like may be
/// another form of it, as a synonym is, but not if the text holds it elsewhere.
///
/// # Errors
/// If something else stands there.
fn agrees(text: &str, span: &Span, item: &Value) -> Result<(), Wrong> {
    let Some(there) = span.of(text).map(str::trim) else { return Ok(()) };
    let lower = there.to_lowercase();
    let moved = |said: &&str| {
        let said = said.to_lowercase();
        !said.is_empty() && said != lower && text.to_lowercase().contains(&said)
    };
    let exact = listed_as(item, &["text", "string", "testo"]).into_iter().find(|said| *said != there);
    let Some(said) = exact.or_else(|| listed_as(item, &["value", "word", "span", "valore"]).into_iter().find(moved)) else { return Ok(()) };
    let what = say!(
        "has `{said}` ({}) at {} to {}, where the text has `{there}`; offsets count Unicode characters, and `end` is the first one after it: correct them",
        "ha `{said}` ({}) da {} a {}, dove il testo ha `{there}`; le posizioni contano i caratteri Unicode, ed `end` è il primo dopo l’entità: correggile",
        span.kind,
        span.start,
        span.end
    );
    Err(Wrong { fault: Fault::SpanMismatch, what })
}

/// The strings that an entity has under these names.
fn listed_as<'a>(item: &'a Value, names: &[&str]) -> Vec<&'a str> {
    names.iter().filter_map(|name| item.get(*name)?.as_str()).map(str::trim).collect()
}

fn entity(item: &Value) -> Option<Listed> {
    let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
    match item {
        Value::Array(list) => match list.as_slice() {
            [start, end, Value::String(kind)] => Some(Listed::Placed(Span { start: number(start)?, end: number(end)?, kind: kind.clone() })),
            _ => None,
        },
        Value::Object(map) => {
            let get = |names: &[&str]| names.iter().find_map(|n| map.get(*n));
            let kind = get(&TYPE)?.as_str()?.to_string();
            match (get(&START), get(&END)) {
                (Some(start), Some(end)) => Some(Listed::Placed(Span { start: number(start)?, end: number(end)?, kind })),
                (None, None) => Some(Listed::Named(kind, get(&STRING)?.as_str()?.to_string())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Finds strings in a text. A string must be there as often as it is listed, as a word of its own if it
/// occurs as one, and not inside a longer string that is listed too.
///
/// # Errors
/// With what is the matter with the first string that is missing or could be meant in several places, and a sentence about
/// all of them.
pub fn locate(text: &str, named: &[(String, String)]) -> Result<Vec<Span>, Wrong> {
    if named.len() > MANY {
        return Err(say!(
            "lists {} entities, more than the {MANY} that a text may have; split the row",
            "elenca {} entità, più delle {MANY} che un testo può avere; dividi la riga",
            named.len()
        )
        .into());
    }
    let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
    for (kind, string) in named {
        let string = string.trim();
        if string.is_empty() {
            continue;
        }
        match wanted.iter_mut().find(|(s, _)| *s == string) {
            Some((_, kinds)) => kinds.push(kind),
            None => wanted.push((string, vec![kind])),
        }
    }
    wanted.sort_by_key(|(s, _)| std::cmp::Reverse(s.len()));
    let mut taken: Vec<(usize, usize, &str)> = Vec::new();
    let mut wrong = Vec::new();
    for (string, kinds) in wanted {
        let all: Vec<(usize, usize)> = text.match_indices(string).map(|(at, s)| (at, at + s.len())).collect();
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let own = |&(a, b): &(usize, usize)| !letter(text[..a].chars().next_back()) && !letter(text[b..].chars().next());
        let mut found: Vec<(usize, usize)> = all.iter().copied().filter(own).collect();
        if found.is_empty() {
            found = all;
        }
        found.retain(|(a, b)| !taken.iter().any(|(x, y, _)| x <= a && b <= y));
        let one_kind = kinds.iter().all(|k| *k == kinds[0]);
        match (found.len(), kinds.len()) {
            (0, _) => wrong.push((Fault::MissingEntity, say!("`{string}` ({}) is not in the text", "`{string}` ({}) non è nel testo", kinds[0]))),
            // listed more often than it is there: the list repeats itself
            (n, listed) if one_kind && n <= listed => taken.extend(found.iter().map(|(a, b)| (*a, *b, kinds[0]))),
            (n, listed) if one_kind => {
                let times = |n| say::count(n, ["time", "times", "volta", "volte"]);
                let (there, listed) = (times(n), times(listed));
                let what =
                    say!("`{string}` ({}) is in the text {there} but listed {listed}", "`{string}` ({}) è nel testo {there} ma nella lista {listed}", kinds[0]);
                wrong.push((Fault::AmbiguousEntity, what));
            }
            _ => {
                let what = say!(
                    "`{string}` is listed as {}, and which is which cannot be told",
                    "`{string}` è nella lista come {}, e non si può dire quale sia quale",
                    kinds.join(say::pick(" and as ", " e come "))
                );
                wrong.push((Fault::AmbiguousEntity, what));
            }
        }
    }
    if let Some((fault, _)) = wrong.first() {
        let all = wrong.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>().join("; ");
        let what = say!("{all}; correct the list, or give start and end", "{all}; correggi la lista, oppure indica inizio e fine");
        return Err(Wrong { fault: *fault, what });
    }
    let mut spans: Vec<Span> = Vec::new();
    for (a, b, kind) in taken {
        let start = text[..a].chars().count();
        spans.push(Span { start, end: start + text[a..b].chars().count(), kind: kind.into() });
    }
    spans.sort();
    Ok(spans)
}

/// What a turn says: a string, or a list of parts that are all text.
fn said(content: &Value) -> Option<String> {
    let part = |part: &Value| ["text", "value"].iter().find_map(|n| part.get(*n)).and_then(Value::as_str).map(String::from);
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts.iter().map(part).collect::<Option<Vec<String>>>().map(|parts| parts.join("\n")),
        _ => None,
    }
}

/// A chat as what the model reads (all turns but the last) and what it answers (the last, the assistant's).
/// One turn stands as it is, with the system's before it; of several, each is introduced by who speaks.
///
/// # Errors
/// With a sentence, if it is no chat or does not end with the assistant.
pub fn chat(value: &str) -> Result<(String, String), String> {
    let wrong = || {
        say!(
            "is not a chat; write [{{\"role\": \"user\", \"content\": \"…\"}}, {{\"role\": \"assistant\", \"content\": \"…\"}}]",
            "non è una conversazione; scrivi [{{\"role\": \"user\", \"content\": \"…\"}}, {{\"role\": \"assistant\", \"content\": \"…\"}}]"
        )
    };
    let Some(Value::Array(list)) = loose(value) else { return Err(wrong()) };
    let mut turns: Vec<(&'static str, String)> = Vec::new();
    for turn in &list {
        let get = |names: [&str; 2]| names.iter().find_map(|n| turn.get(*n));
        let role = match get(["role", "from"]).and_then(Value::as_str).ok_or_else(wrong)? {
            "system" | "developer" => "System",
            "user" | "human" => "User",
            "assistant" | "gpt" | "model" | "bot" | "function_call" | "tool_call" => "Assistant",
            "tool" | "function" | "observation" | "function_response" | "tool_response" => "Tool",
            other => {
                return Err(say!(
                    "has a turn of `{other}`; the turns are of system, user, assistant and tool",
                    "ha un turno di `{other}`; i turni sono di system, user, assistant e tool"
                ));
            }
        };
        turns.push((role, get(["content", "value"]).and_then(said).ok_or_else(wrong)?));
    }
    let Some(("Assistant", completion)) = turns.pop() else {
        return Err(say!(
            "does not end with the assistant's turn, so there is nothing to learn; add it",
            "non finisce con il turno dell’assistente, quindi non c’è nulla da imparare; aggiungilo"
        ));
    };
    let system: Vec<String> = turns.iter().filter(|(role, _)| *role == "System").map(|(_, text)| text.clone()).collect();
    let rest: Vec<&(&str, String)> = turns.iter().filter(|(role, _)| *role != "System").collect();
    let talk: Vec<String> = match rest.as_slice() {
        [] => {
            return Err(say!(
                "has no turn of the user before the assistant's; add it",
                "non ha un turno dell’utente prima di quello dell’assistente; aggiungilo"
            ));
        }
        [(_, only)] => vec![only.clone()],
        several => vec![several.iter().map(|(role, text)| format!("{role}: {text}")).collect::<Vec<_>>().join("\n")],
    };
    Ok((system.into_iter().chain(talk).collect::<Vec<_>>().join("\n\n"), completion))
}
