//! A report as Markdown: CommonMark with the tables of GitHub, figures beside it in `figures/`.
//!
//! Every character that could begin markup, a link, a mention or a formula is escaped in text from
//! anywhere; code is fenced by more backticks than it holds.

use crate::document::{Banner, Block, Document, Role, Span, Table, Text};

/// The report as Markdown; pictures are those of `figures/` beside it.
pub fn render(document: &Document) -> String {
    let mut out = String::new();
    let words = document.lang.words();
    out += &format!("# {}\n\n{}\n\n{}\n\n", line(&document.heading), escape(&document.kicker), line(&document.subtitle));
    for notice in &document.banners {
        banner(&mut out, notice);
    }
    out += &format!("{}:\n\n", escape(words.contents));
    for section in &document.sections {
        out += &format!("- [{}](#{})\n", escape(&section.heading), section.id);
    }
    for section in &document.sections {
        // renderers disagree on how a heading becomes a target; an anchor of our own works in all
        out += &format!("\n<a id=\"{}\"></a>\n\n## {}\n\n", section.id, escape(&section.heading));
        for block in &section.blocks {
            self::block(&mut out, document, block);
        }
    }
    out += &format!("---\n\n{}\n", escape(&document.footer));
    out
}

fn banner(out: &mut String, banner: &Banner) {
    *out += &format!("> **{}**\n", escape(&banner.title));
    for text in banner.message.iter().flat_map(|m| m.lines()).chain(banner.text.as_deref()) {
        *out += &format!(">\n> {}\n", escape(text));
    }
    out.push('\n');
}

fn block(out: &mut String, document: &Document, block: &Block) {
    let picture = |name: &str| document.figure(name).map(|figure| format!("![{}](figures/{name}.svg)\n\n", escape(&figure.alt))).unwrap_or_default();
    match block {
        Block::Hero { number, label, interval, figure } => {
            *out += &format!("**{}** {} ({})\n\n", escape(number), escape(label), escape(interval));
            *out += &figure.as_deref().map(picture).unwrap_or_default();
        }
        Block::Paragraph { text, role: Role::Note } => *out += &format!("*{}*\n\n", line(text)),
        Block::Paragraph { text, .. } => *out += &format!("{}\n\n", line(text)),
        Block::List { items } => {
            items.iter().for_each(|item| *out += &format!("- {}\n", line(item)));
            out.push('\n');
        }
        Block::Figure { name, caption } => {
            if document.figure(name).is_some() {
                *out += &format!("{}*{}*\n\n", picture(name), escape(caption));
            }
        }
        Block::Gallery { names, caption } => {
            let pictures: String = names.iter().map(|name| picture(name)).collect();
            if !pictures.is_empty() {
                *out += &format!("{pictures}*{}*\n\n", escape(caption));
            }
        }
        Block::Table(table) => self::table(out, table),
        Block::Code { text } => {
            let fence = "`".repeat(longest_run(text).max(2) + 1);
            *out += &format!("{fence}text\n{text}\n{fence}\n\n");
        }
        Block::Notices { notices } => {
            for (i, notice) in notices.iter().enumerate() {
                *out += &format!("{}. **{}** {}\n", i + 1, escape(&notice.label), line(&notice.text));
            }
            out.push('\n');
        }
    }
}

fn table(out: &mut String, table: &Table) {
    if let Some(caption) = &table.caption {
        *out += &format!("*{}*\n\n", escape(caption));
    }
    let titles: Vec<String> = table.columns.iter().map(|c| if table.titled { escape(&c.title) } else { String::new() }).collect();
    let rules: Vec<&str> = table.columns.iter().map(|c| if c.kind.is_number() { "---:" } else { "---" }).collect();
    *out += &format!("| {} |\n| {} |\n", titles.join(" | "), rules.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|cell| match line(&cell.text) {
                text if row.main && !text.is_empty() => format!("**{text}**"),
                text => text,
            })
            .collect();
        *out += &format!("| {} |\n", cells.join(" | "));
    }
    out.push('\n');
}

/// A text on one line.
fn line(text: &Text) -> String {
    let line: String = text
        .iter()
        .map(|span| match span {
            Span::Plain(t) | Span::Foreign(t) => escape(t),
            Span::Emphasis(t) => format!("*{}*", escape(t)),
            Span::Code(t) => code(t),
            Span::Mark(t) => stressed("**", t),
            Span::Label(t) => format!(" {}", stressed("*", t)),
        })
        .collect();
    // leading spaces would make it code
    line.trim().to_string()
}

/// Foreign text between `marks`, which only act beside what is no space.
fn stressed(marks: &str, text: &str) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        return escape(text);
    }
    let (before, after) = text.split_once(inner).unwrap_or_default();
    format!("{before}{marks}{}{marks}{after}", escape(inner))
}

/// Code inside a line. A bar would end the cell of a table even in code, so code with one is written as text.
fn code(text: &str) -> String {
    if text.trim().is_empty() || text.contains('|') {
        return escape(text);
    }
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// The longest run of backticks in a text.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text of which nothing acts as markup, on one line.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let acts = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' | '@' | '#' => true,
            // names_like_this are common, and safe
            '_' => !(word(before) && word(after)),
            // lists, rules and numbered points begin a line
            '-' | '+' | '=' => before.is_none(),
            '.' | ')' => {
                let point = !out.is_empty() && out.chars().all(|c| c.is_ascii_digit()) && after.is_none_or(char::is_whitespace);
                point || ends_with_www(&out)
            }
            // GitHub makes links of bare addresses
            ':' => after == Some('/'),
            '!' => after == Some('['),
            _ => false,
        };
        if c == '\n' || c == '\r' {
            out.push(' ');
        } else {
            if acts {
                out.push('\\');
            }
            out.push(c);
        }
        before = Some(c);
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    text.len() >= 3 && text.is_char_boundary(text.len() - 3) && text[text.len() - 3..].eq_ignore_ascii_case("www")
}
