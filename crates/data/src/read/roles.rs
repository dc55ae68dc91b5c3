//! Which field of a record is read and which is answered: recognised by name or mapped by the user, who may name a field
//! within a field, as in `content.text`.

use super::value::Wrong;
use super::{Format, Record, conll, object, value};
use crate::error::{Error, Result};
use crate::example::{Example, Origin, Span, Target};
use crate::kind::Kind;
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a field of a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The text of an intent, of entities, of hashtags.
    Text,
    /// The label of an intent.
    Label,
    /// The entities of a text.
    Entities,
    /// The question that a query answers.
    Question,
    /// The query.
    Sql,
    /// The hashtags of a text.
    Hashtags,
    /// What a custom task reads.
    Prompt,
    /// What a custom task answers.
    Completion,
}

/// Columns that a message names.
const LISTED: usize = 30;
/// Names of texts, likeliest first.
const TEXT: [&str; 19] = [
    "text",
    "message",
    "utterance",
    "sentence",
    "testo",
    "messaggio",
    "frase",
    "question",
    "domanda",
    "query",
    "input",
    "content",
    "contenuto",
    "post",
    "tweet",
    "body",
    "description",
    "descrizione",
    "prompt",
];
/// Names of lists of words, each of which has a tag in another list.
const WORDS: [&str; 3] = ["tokens", "words", "parole"];
/// Names of answers of any kind, for when none of its own is there.
const ANSWER: [&str; 9] = ["completion", "output", "answer", "response", "target", "risposta", "completamento", "risultato", "json"];

impl Role {
    /// All roles.
    pub const ALL: [Self; 8] = [Self::Text, Self::Label, Self::Entities, Self::Question, Self::Sql, Self::Hashtags, Self::Prompt, Self::Completion];

    /// Name in `--columns` and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Label => "label",
            Self::Entities => "entities",
            Self::Question => "question",
            Self::Sql => "sql",
            Self::Hashtags => "hashtags",
            Self::Prompt => "prompt",
            Self::Completion => "completion",
        }
    }

    /// Whether it is what is read, not what is answered.
    fn is_read(self) -> bool {
        matches!(self, Self::Text | Self::Question | Self::Prompt)
    }

    /// The likeliest of these field names to play the role, if one is known to.
    pub fn among<'a>(self, names: &[&'a str]) -> Option<&'a str> {
        self.known().find_map(|known| names.iter().find(|name| name.to_lowercase() == known)).copied()
    }

    /// Field names that stand for the role when the user maps nothing, likeliest first.
    fn known(self) -> impl Iterator<Item = &'static str> {
        let (own, others): (&[&str], &[&str]) = match self {
            Self::Text => (&[], &TEXT),
            Self::Label => (
                &[
                    "label",
                    "intent",
                    "category",
                    "class",
                    "etichetta",
                    "intento",
                    "categoria",
                    "classe",
                    "label_text",
                    "topic",
                    "tag",
                    "sentiment",
                    "labels",
                    "cats",
                ],
                &ANSWER,
            ),
            Self::Entities => (
                &["entities", "spans", "entità", "entita", "ner_tags", "ner", "annotations", "annotazioni", "labels", "label", "bio_tags", "tags", "etichette"],
                &ANSWER,
            ),
            Self::Question => (&["question", "domanda", "utterance", "nl"], &TEXT),
            Self::Sql => (&["sql", "query", "sql_query", "interrogazione"], &ANSWER),
            Self::Hashtags => (&["hashtags", "hashtag", "tags", "etichette", "keywords", "parole_chiave", "labels"], &ANSWER),
            Self::Prompt => (&["prompt", "instruction", "istruzione", "input"], &TEXT),
            Self::Completion => (&[], &ANSWER),
        };
        own.iter().chain(others).copied()
    }
}

impl Kind {
    /// The roles of what is read and of what is answered.
    pub fn roles(self) -> [Role; 2] {
        match self {
            Self::Intent => [Role::Text, Role::Label],
            Self::Entities => [Role::Text, Role::Entities],
            Self::Sql => [Role::Question, Role::Sql],
            Self::Hashtags => [Role::Text, Role::Hashtags],
            Self::Custom => [Role::Prompt, Role::Completion],
        }
    }
}

/// Which field plays which role, as far as somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns(BTreeMap<Role, String>);

impl Columns {
    /// Parses `text=question,label=intent`. A name may hold commas, as headers do that people wrote: what follows a comma and
    /// names no role goes on with the name before it.
    ///
    /// # Errors
    /// With a sentence about what is wrong.
    pub fn parse(spec: &str) -> std::result::Result<Self, String> {
        let mut out = Self::default();
        let mut last: Option<Role> = None;
        for part in spec.split(',').filter(|p| !p.trim().is_empty()) {
            let (role, field) = match (part.split_once('='), last.and_then(|role| out.0.get_mut(&role))) {
                (Some(named), _) => named,
                (None, Some(name)) => {
                    name.push(',');
                    name.push_str(part.trim_end());
                    continue;
                }
                (None, None) => return Err(say!("`{part}` is not of the form role=column", "`{part}` non ha la forma ruolo=colonna")),
            };
            let known = Role::ALL.into_iter().find(|r| r.name() == role.trim());
            let known = known.ok_or_else(|| {
                say!("`{}` is not a role; the roles are {}", "`{}` non è un ruolo; i ruoli sono {}", role.trim(), Role::ALL.map(Role::name).join(", "))
            })?;
            out.0.insert(known, field.trim().to_string());
            last = Some(known);
        }
        Ok(out)
    }

    /// The field of a role, if somebody named it.
    pub fn get(&self, role: Role) -> Option<&str> {
        self.0.get(&role).map(String::as_str)
    }

    /// Every role that somebody named a field for, and the field.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        self.0.iter().map(|(role, field)| (*role, field.as_str()))
    }

    /// As [`Columns::get`], be it by the name that the role has in another task: a question or a prompt is a text, and a
    /// label, a query or a completion is an answer.
    pub fn playing(&self, role: Role) -> Option<&str> {
        let alike = || Role::ALL.into_iter().filter(|r| r.is_read() == role.is_read());
        self.get(role).or_else(|| alike().find_map(|r| self.get(r)))
    }

    /// These columns, and for roles that they do not name those of a card; other keys of a card are for people.
    #[must_use]
    pub fn or_card(&self, card: &BTreeMap<String, String>) -> Self {
        let of_card = |r: Role| card.get(r.name()).map(|field| self.playing(r).unwrap_or(field).to_string());
        let named = |r: Role| Some((r, self.0.get(&r).cloned().or_else(|| of_card(r))?));
        Self(Role::ALL.into_iter().filter_map(named).collect())
    }

    /// Whether columns are named by number alone, as in a table without a header.
    pub fn positional(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|field| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit()))
    }

    /// The number of the column with the tags of a CoNLL file, from 0, if somebody said it; and the columns
    /// without it, for its records have names.
    pub fn of_words(&self) -> (Option<usize>, Self) {
        let number = self.get(Role::Entities).and_then(|c| c.parse::<usize>().ok()).and_then(|c| c.checked_sub(1));
        let mut rest = self.clone();
        rest.0.retain(|role, _| *role != Role::Entities || number.is_none());
        (number, rest)
    }
}

/// Where an example's text stands.
#[derive(Debug)]
enum Reads {
    Field(String),
    /// An instruction, and an input that may be empty.
    Instruction(String, String),
}

/// Where an example's answer stands.
#[derive(Debug)]
enum Answers {
    Field(String),
    /// In one list of strings per type: every field but the text.
    PerType,
}

/// How the records of a file become examples; found on its first record.
#[derive(Debug)]
pub struct Binding {
    file: Arc<PathBuf>,
    kind: Kind,
    /// Field of a chat, which stands for both.
    chat: Option<String>,
    reads: Reads,
    answers: Answers,
}

impl Binding {
    /// Finds which fields of a record play the roles of a kind.
    ///
    /// # Errors
    /// If a field is not there, or none looks like it.
    pub fn find(path: &Path, first: &Record, kind: Kind, columns: &Columns) -> Result<Self> {
        let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
        let file = Arc::new(path.to_path_buf());
        let [reads, answers] = kind.roles();
        let mapped = |role| columns.playing(role).is_some();
        let called = |wanted: &[&str]| wanted.iter().find_map(|w| names.iter().find(|n| n.eq_ignore_ascii_case(w))).map(|n| (*n).to_string());
        let chat = called(&["messages", "conversations", "conversation", "messaggi"]).filter(|_| !mapped(reads) && !mapped(answers));
        if chat.is_some() {
            return Ok(Self { file, kind, chat, reads: Reads::Field(String::new()), answers: Answers::Field(String::new()) });
        }
        let lists = || first.fields.iter().any(|(_, v)| value::strings(v).is_some());
        let answer = match role(first, answers, columns, None) {
            Ok(name) => Answers::Field(name),
            Err(_) if kind == Kind::Entities && !mapped(answers) && lists() => Answers::PerType,
            Err(why) => {
                // a person who has to name columns names them all at once
                let both = [reads, answers];
                let missing = if role(first, reads, columns, None).is_ok() { &both[1..] } else { &both[..] };
                return Err(why.told(path, first, missing));
            }
        };
        let taken = if let Answers::Field(name) = &answer { Some(name.as_str()) } else { None };
        let instruction = called(&["instruction", "istruzione"]).zip(called(&["input"])).filter(|_| !mapped(reads));
        let listed = |v: &str| value::numbers(v) || value::strings(v).is_some_and(|list| !list.is_empty());
        let tagged = || kind == Kind::Entities && !mapped(reads) && taken.and_then(|name| first.value(name)).is_some_and(|v| listed(&v));
        let words = called(&WORDS).filter(|_| tagged());
        let reads = match (instruction, words) {
            (Some((instruction, input)), _) => Reads::Instruction(instruction, input),
            (None, Some(words)) => Reads::Field(words),
            (None, None) => Reads::Field(role(first, reads, columns, taken).map_err(|why| why.told(path, first, &[reads]))?),
        };
        Ok(Self { file, kind, chat, reads, answers: answer })
    }

    /// The example that a record stands for.
    ///
    /// # Errors
    /// If a field is missing or its value is no answer of the kind.
    pub fn example(&self, record: &Record) -> Result<Example> {
        let wrong = |what: String| Error::row(&*self.file, record.line, what);
        let field = |name: &str| {
            record.value(name).ok_or_else(|| wrong(say!("has no `{name}`; add it or delete the row", "non ha `{name}`; aggiungilo o elimina la riga")))
        };
        let origin = Origin { file: self.file.clone(), line: record.line };
        if let Some(chat) = &self.chat {
            let (text, answer) = value::chat(&field(chat)?).map_err(|what| wrong(format!("`{chat}` {what}")))?;
            let target = self.target(&text, &answer).map_err(|why| wrong(say!("the last turn {}", "l’ultimo turno {}", why.what)).with_fault(why.fault))?;
            return Ok(Example { text, target, origin });
        }
        let text = match &self.reads {
            Reads::Field(name) => field(name)?.into_owned(),
            Reads::Instruction(instruction, input) => {
                let input = record.value(input).map(|i| i.trim().to_string()).filter(|i| !i.is_empty());
                match (self.kind, input) {
                    // an instruction is the same on every row, and tasks of our own kinds have their own
                    (Kind::Custom, Some(input)) => format!("{}\n\n{input}", field(instruction)?.trim()),
                    (_, Some(input)) => input,
                    (_, None) => field(instruction)?.into_owned(),
                }
            }
        };
        let target = match &self.answers {
            Answers::Field(name) => {
                let answer = field(name)?;
                let wrong = |why: Wrong| wrong(format!("`{name}` {}", why.what)).with_fault(why.fault);
                if self.kind == Kind::Entities
                    && let Some((text, spans)) = of_words(&text, &answer).transpose().map_err(|what| wrong(what.into()))?
                {
                    return Ok(Example { text, target: Target::Entities(spans), origin });
                }
                self.target(&text, &answer).map_err(wrong)?
            }
            Answers::PerType => {
                let lists = record.fields.iter().filter_map(|(name, v)| Some((name, value::strings(v)?)));
                let named: Vec<(String, String)> = lists.flat_map(|(name, list)| list.into_iter().map(move |s| (name.clone(), s))).collect();
                Target::Entities(value::locate(&text, &named).map_err(|why| wrong(why.what).with_fault(why.fault))?)
            }
        };
        Ok(Example { text, target, origin })
    }

    fn target(&self, text: &str, answer: &str) -> std::result::Result<Target, Wrong> {
        Ok(match self.kind {
            Kind::Intent => Target::Label(value::label(answer)?),
            Kind::Sql => Target::Sql(answer.trim().into()),
            Kind::Custom => Target::Completion(answer.into()),
            Kind::Entities => Target::Entities(value::entities(text, answer)?),
            Kind::Hashtags => Target::Tags(value::tags(answer)?),
        })
    }
}

/// The text and the entities where a record lists words and, in another field, their tags; nothing where it does not.
fn of_words(words: &str, tags: &str) -> Option<std::result::Result<(String, Vec<Span>), String>> {
    let words = value::strings(words)?;
    match value::strings(tags) {
        Some(tags) => Some(conll::tagged(&words, &tags)),
        None if value::numbers(tags) => Some(Err(say!(
            "lists numbers for tags, and the file does not say what they stand for; write the tags themselves: O, B-type or I-type",
            "elenca numeri al posto delle etichette, e il file non dice che cosa significano; scrivi le etichette stesse: O, B-tipo o I-tipo"
        ))),
        None => None,
    }
}

/// Why no field plays a role.
enum Missing {
    /// The one that was named is not there.
    Named(String),
    /// None looks like it.
    Unknown(Role),
}

impl Missing {
    /// The error about a file, which says what to name for these roles.
    fn told(self, path: &Path, first: &Record, roles: &[Role]) -> Error {
        let all = first.names();
        let more = if all.len() > LISTED { ", …" } else { "" };
        let listed = all.iter().take(LISTED).map(|n| format!("`{n:.40}`")).collect::<Vec<_>>().join(", ") + more;
        let role = match self {
            Self::Unknown(role) => role.name(),
            Self::Named(wanted) => {
                let what = say!("has no column `{wanted}`; the columns are {listed}", "non ha la colonna `{wanted}`; le colonne sono {listed}");
                return Error::row(path, first.line, what);
            }
        };
        let name = |value: &dyn Fn(Role) -> String| roles.iter().map(|r| format!("{}={}", r.name(), value(*r))).collect::<Vec<_>>().join(",");
        let (named, numbered) = (name(&|_| say!("NAME", "NOME")), name(&|r| place(r).into()));
        let nested = || first.fields.iter().find(|(_, v)| v.starts_with("[{") || v.contains(":[{"));
        let or = match Format::of(path) {
            Ok(Format::Delimited) => say!(", or {numbered} if the first row is no header", ", oppure {numbered} se la prima riga non è un’intestazione"),
            Ok(Format::Json) => nested().map_or_else(String::new, |(name, _)| {
                say!("; if the rows lie inside `{name:.40}`, save them as a list", "; se le righe stanno dentro `{name:.40}`, salvale come lista")
            }),
            _ => String::new(),
        };
        let what = say!(
            "no column looks like the {role}; the columns are {listed}: say which one with --columns {named}{or}",
            "nessuna colonna sembra avere il ruolo {role}; le colonne sono {listed}: indica quale con --columns {named}{or}"
        );
        Error::row(path, first.line, what)
    }
}

/// Where a role's field stands in a record without names.
fn place(role: Role) -> &'static str {
    if role.is_read() { "1" } else { "2" }
}

/// The field that plays a role: the one that was named, else the likeliest by name, else by place in a
/// record without names.
fn role(first: &Record, role: Role, columns: &Columns, taken: Option<&str>) -> std::result::Result<String, Missing> {
    if let Some(wanted) = columns.playing(role) {
        return first.value(wanted).map(|_| wanted.to_string()).ok_or_else(|| Missing::Named(wanted.to_string()));
    }
    let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
    // an object is neither a text nor a label, whatever its name: what is meant lies within it
    let single = matches!(role, Role::Label | Role::Sql) || role.is_read();
    let fits = |(name, value): &&(String, String)| Some(name.as_str()) != taken && !(single && object(value).is_some());
    let free: Vec<&str> = first.fields.iter().filter(fits).map(|(name, _)| name.as_str()).collect();
    let by_place = Some(place(role)).filter(|_| names.iter().enumerate().all(|(i, n)| *n == (i + 1).to_string()));
    let found = role.among(&free).or_else(|| by_place.filter(|p| free.contains(p)));
    found.map(str::to_string).ok_or(Missing::Unknown(role))
}
