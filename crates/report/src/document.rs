//! What a report says, before it has a format.
//!
//! A [`Document`] is sections of [`Block`]s: paragraphs, tables, figures, code. [`crate::content`] and
//! [`crate::compare`] fill one from run folders; [`crate::html`], [`crate::markdown`], [`crate::pdf`] and
//! [`crate::tables`] write it, each escaping for its own format. Text that came from data, models or the
//! command line has passed through [`clean`] before it stands here, so no format meets control characters.

use crate::figure::Figure;
use crate::text::{Lang, clean};
use serde::Serialize;
use serde_json::Value;

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Language of all that is ours in it.
    pub lang: Lang,
    /// Title of the file.
    pub title: String,
    /// A line above the heading.
    pub kicker: String,
    /// The heading.
    pub heading: Text,
    /// A line under the heading.
    pub subtitle: Text,
    /// Said before everything else: a run that did not complete.
    pub banners: Vec<Banner>,
    /// The sections in order.
    pub sections: Vec<Section>,
    /// The last line.
    pub footer: String,
    /// Name and version of the program.
    pub generator: String,
    /// The figures that [`Block::Figure`] names, by file name without ending.
    #[serde(skip)]
    pub figures: Vec<(String, Figure)>,
}

impl Document {
    /// The figure of this name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|(n, _)| n == name).map(|(_, f)| f)
    }

    /// All tables, in order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.sections.iter().flat_map(|s| &s.blocks).filter_map(|b| if let Block::Table(table) = b { Some(table) } else { None })
    }

    /// Leaves out the sections with these ids.
    pub fn without(mut self, ids: &[String]) -> Self {
        self.sections.retain(|s| !ids.iter().any(|id| id == s.id));
        self
    }
}

/// A notice above the sections.
#[derive(Clone, Debug, Serialize)]
pub struct Banner {
    /// Did it fail (or was it only stopped)?
    pub failed: bool,
    /// In a few words.
    pub title: String,
    /// What was said about it, line by line.
    pub message: Option<String>,
    /// What follows from it.
    pub text: Option<String>,
}

/// A part of a report under a heading.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Name for links, the same in both languages.
    pub id: &'static str,
    /// The heading.
    pub heading: String,
    /// What stands under it.
    pub blocks: Vec<Block>,
}

/// One element of a section.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    /// The one number that matters most, with a figure beside it.
    Hero {
        /// The number.
        number: String,
        /// What it is.
        label: String,
        /// How sure it is.
        interval: String,
        /// Name of the figure.
        figure: Option<String>,
    },
    /// A paragraph.
    Paragraph {
        /// Its text.
        text: Text,
        /// Does it open the report, or only explain?
        role: Role,
    },
    /// A list of sentences.
    List {
        /// Its points.
        items: Vec<Text>,
    },
    /// A figure with a caption.
    Figure {
        /// Its name in [`Document::figures`].
        name: String,
        /// The caption.
        caption: String,
    },
    /// Figures that belong together, small, under one caption.
    Gallery {
        /// Their names in [`Document::figures`].
        names: Vec<String>,
        /// The caption.
        caption: String,
    },
    /// A table.
    Table(Table),
    /// Lines to be copied.
    Code {
        /// The lines.
        text: String,
    },
    /// Numbered notices.
    Notices {
        /// In order.
        notices: Vec<Notice>,
    },
}

/// How loud a paragraph speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It opens the report.
    Lead,
    /// As any other.
    Body,
    /// It only explains.
    Note,
}

/// A notice of a training.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// `warning`, `unhealthy` or `recovered`.
    pub kind: &'static str,
    /// Kind and step, in words.
    pub label: String,
    /// The message.
    pub text: Text,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "span", content = "text", rename_all = "snake_case")]
pub enum Span {
    /// Our own words, and numbers.
    Plain(String),
    /// Text from elsewhere, cleaned and cut; it must not turn the direction of what surrounds it.
    Foreign(String),
    /// Names as programs write them.
    Code(String),
    /// Our own words, stressed.
    Emphasis(String),
    /// Text from elsewhere, as [`Self::Foreign`], marked in what stands around it.
    Mark(String),
    /// What the marked text before it is, small.
    Label(String),
}

impl Span {
    /// The bare text.
    pub fn text(&self) -> &str {
        match self {
            Self::Plain(t) | Self::Foreign(t) | Self::Code(t) | Self::Emphasis(t) | Self::Mark(t) | Self::Label(t) => t,
        }
    }
}

/// A sentence or a few.
pub type Text = Vec<Span>;

/// A sentence of our own words.
pub fn plain(text: impl Into<String>) -> Text {
    vec![Span::Plain(text.into())]
}

/// Text from elsewhere, at most `limit` characters of it.
pub fn foreign(text: &str, limit: usize) -> Text {
    vec![Span::Foreign(clean(text, limit))]
}

/// A table, for people and for programs.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Name of its file.
    pub name: &'static str,
    /// What it holds.
    pub caption: Option<String>,
    /// The columns.
    pub columns: Vec<Column>,
    /// Are column titles shown? Two columns of name and value speak for themselves.
    pub titled: bool,
    /// The rows, each with one cell a column.
    pub rows: Vec<Row>,
}

impl Table {
    /// A table of names and values.
    pub fn facts(name: &'static str, caption: Option<String>, facts: impl IntoIterator<Item = (String, Cell)>) -> Self {
        let rows = facts.into_iter().map(|(name, value)| Row { main: false, cells: vec![Cell::plain(name), value] }).collect();
        let columns = vec![Column::new("name", "", Kind::Name), Column::new("value", "", Kind::Text)];
        Self { name, caption, columns, titled: false, rows }
    }
}

/// A column.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Name for programs, the same in both languages.
    pub key: String,
    /// Name for people.
    pub title: String,
    /// What its cells hold.
    pub kind: Kind,
}

impl Column {
    /// A column.
    pub fn new(key: &str, title: &str, kind: Kind) -> Self {
        Self { key: key.into(), title: title.into(), kind }
    }
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What the row is about.
    Name,
    /// Words.
    Text,
    /// A longer text from elsewhere.
    Quote,
    /// A number.
    Number,
    /// A share between 0 and 1, drawn as a bar behind the number.
    Share,
    /// An interval, `[low, high]`.
    Interval,
}

impl Kind {
    /// Do its cells stand at the right edge, digit under digit?
    pub fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Share | Self::Interval)
    }
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Is it the one that the report is about?
    pub main: bool,
    /// One cell a column.
    pub cells: Vec<Cell>,
}

impl Row {
    /// A row like the others.
    pub fn new(cells: Vec<Cell>) -> Self {
        Self { main: false, cells }
    }
}

/// A cell.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// For people.
    pub text: Text,
    /// For programs: a number, a text, or `[low, high]`.
    pub value: Value,
}

impl Cell {
    /// Our own words.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::spans(plain(text))
    }

    /// Text from elsewhere, at most `limit` characters of it.
    pub fn foreign(text: &str, limit: usize) -> Self {
        Self::spans(foreign(text, limit))
    }

    /// A name as programs write it, at most `limit` characters of it.
    pub fn code(text: &str, limit: usize) -> Self {
        Self::spans(vec![Span::Code(clean(text, limit))])
    }

    /// Any text; programs get it without its marks, labels in brackets.
    pub fn spans(text: Text) -> Self {
        let bare = |span: &Span| if let Span::Label(label) = span { format!(" ({label})") } else { span.text().to_string() };
        let value = Value::String(text.iter().map(bare).collect());
        Self { text, value }
    }

    /// A measured value, as people and as programs read it.
    pub fn value(text: String, value: impl Into<Value>) -> Self {
        Self { text: plain(text), value: value.into() }
    }

    /// Nothing was measured.
    pub fn empty() -> Self {
        Self { text: plain("–"), value: Value::Null }
    }
}
