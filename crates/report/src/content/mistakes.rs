//! Mistakes worth reading, in a form that fits each task.

use super::{MISTAKES, NAME_CHARS, Page, TEXT_CHARS};
use crate::document::{Block, Cell, Column, Kind, Role, Row, Span, Table, Text, foreign, plain};
use crate::figure::Placed;
use crate::record::{Prediction, Run};
use crate::text::{Words, clean, fill};
use data::Target;
use data::example::Span as Entity;
use std::collections::BTreeSet;
use tasks::score::entities::{self, Mistake};
use tasks::score::tags::normal;
use tasks::{Metrics, answer};

/// Entities and what is wrong with them that a cell lists.
const IN_A_CELL: usize = 10;
/// Characters of an answer, or of a text, that are told of a point of the map.
const TOLD_CHARS: usize = 80;

/// The scored examples that have a place on the map.
pub(super) fn placed(run: &Run, words: &Words) -> Vec<Placed> {
    let (labelled, spanned) = match run.result.metrics {
        Some(Metrics::Classes(_)) => (true, false),
        Some(Metrics::Entities(_)) => (false, true),
        _ => (false, false),
    };
    let none = if labelled { words.no_label } else { words.no_answer };
    let point = |(i, p): (usize, &Prediction)| {
        let [x, y] = p.place?;
        let listed = |found: &[Entity]| match found {
            [] => words.nothing.to_string(),
            _ => found.iter().map(|e| format!("{} ({})", e.of(&p.input).unwrap_or(words.not_in_text), e.kind)).collect::<Vec<_>>().join(", "),
        };
        let (label, expected, answered) = match spanned.then(|| p.entities()).flatten() {
            Some((want, got)) => {
                let kinds: BTreeSet<&str> = want.iter().map(|e| e.kind.as_str()).collect();
                (Vec::from_iter(kinds).join(" "), listed(&want), p.answer.as_ref().map(|_| listed(&got)))
            }
            None => (if labelled { p.expected.clone() } else { String::new() }, p.expected.clone(), p.answer.clone()),
        };
        let [expected, answered, text] = [expected.as_str(), answered.as_deref().unwrap_or(none), p.input.as_str()].map(|part| clean(part, TOLD_CHARS));
        let text = format!("{expected} → {answered}: {text}");
        Some(Placed { x: x.into(), y: y.into(), label: clean(&label, NAME_CHARS), right: Some(p.right()), text, answer: Some(i) })
    };
    run.predictions.iter().enumerate().filter_map(point).collect()
}

impl Page<'_> {
    pub(super) fn mistakes(&self) -> Option<Vec<Block>> {
        let (words, all) = (self.words, &self.run.predictions);
        if all.is_empty() {
            return None;
        }
        // answers that are right in part are told apart by their score
        let partly = matches!(self.run.result.metrics, Some(Metrics::Entities(_) | Metrics::Tags(_) | Metrics::Text(_)));
        let mut wrong: Vec<&Prediction> = all.iter().filter(|p| !p.right()).collect();
        // a probability that is not a number is nobody's certainty
        let sure = |p: &Prediction| if p.probability.is_nan() { -1.0 } else { p.probability };
        let score = |p: &Prediction| if partly { p.score } else { 0.0 };
        wrong.sort_by(|a, b| score(a).total_cmp(&score(b)).then(sure(b).total_cmp(&sure(a))));
        let (total, whole, shown) = (self.n(wrong.len()), self.n(all.len()), self.n(wrong.len().min(MISTAKES)));
        let [some, every] = match (partly, self.run.has_probabilities()) {
            (false, true) => [words.mistakes_some, words.mistakes_all],
            (false, false) => [words.mistakes_unsure_some, words.mistakes_unsure_all],
            (true, true) => [words.partly_some, words.partly_all],
            (true, false) => [words.partly_unsure_some, words.partly_unsure_all],
        };
        let template = match wrong.len() {
            0 if partly => words.partly_none,
            0 => words.mistakes_none,
            n if n > MISTAKES => some,
            _ => every,
        };
        let text = plain(fill(template, &[("total", &total), ("all", &whole), ("shown", &shown)]));
        let mut blocks = vec![Block::Paragraph { text, role: Role::Body }];
        let placed = self.n(all.iter().filter(|p| p.place.is_some()).count());
        blocks.extend(self.figure("map", fill(words.mistakes_map_caption, &[("shown", &placed), ("total", &whole)])));
        wrong.truncate(MISTAKES);
        if !wrong.is_empty() {
            blocks.push(Block::Table(match self.run.result.metrics {
                Some(Metrics::Entities(_)) => self.entity_mistakes(&wrong),
                Some(Metrics::Sql(_)) => self.query_mistakes(&wrong),
                Some(Metrics::Tags(_)) => self.tag_mistakes(&wrong),
                Some(Metrics::Text(_)) => self.text_mistakes(&wrong),
                Some(Metrics::Classes(_)) | None => self.label_mistakes(&wrong),
            }));
        }
        Some(blocks)
    }

    /// A table of mistakes; its caption says at how many characters texts are cut.
    fn table(name: &'static str, caption: &str, columns: Vec<Column>, rows: impl Iterator<Item = Row>) -> Table {
        let caption = fill(caption, &[("limit", &TEXT_CHARS.to_string())]);
        Table { name, caption: Some(caption), columns, titled: true, rows: rows.collect() }
    }

    /// The caption of a table whose mistakes are in the order of their probabilities, if they have any.
    fn caption(&self) -> &'static str {
        if self.run.has_probabilities() { self.words.mistakes_caption } else { self.words.mistakes_unsure_caption }
    }

    /// What stands where an answer should: that there is none, why, and what was written instead.
    fn no_answer(&self, p: &Prediction, none: &str) -> Cell {
        let mut text = vec![Span::Emphasis(none.into())];
        if let Some(reason) = &p.reason {
            text.push(Span::Plain(" (".into()));
            text.extend(foreign(&self.lang.reason(reason), NAME_CHARS));
            text.push(Span::Plain(")".into()));
        }
        if !p.output.trim().is_empty() {
            text.push(Span::Plain(format!(", {} ", self.words.wrote)));
            text.extend(foreign(&p.output, NAME_CHARS));
        }
        Cell::spans(text)
    }

    /// An answer, and what is the matter with it where that is known.
    fn answer(&self, answer: &str, reason: Option<&str>, limit: usize) -> Cell {
        let Some(reason) = reason else { return Cell::foreign(answer, limit) };
        let mut text = foreign(answer, limit);
        text.extend(self.because(reason));
        Cell::spans(text)
    }

    /// A reason behind an answer.
    fn because(&self, reason: &str) -> Text {
        vec![Span::Plain(" ".into()), Span::Emphasis(format!("({})", clean(&self.lang.reason(reason), NAME_CHARS)))]
    }

    /// How sure the model was of an answer; nothing where it does not say.
    fn probability(&self, p: &Prediction) -> Cell {
        if self.run.has_probabilities() { self.percent(p.probability) } else { Cell::empty() }
    }

    fn label_mistakes(&self, wrong: &[&Prediction]) -> Table {
        let words = self.words;
        let rows = wrong.iter().map(|p| {
            let answer = p.answer.as_ref().map_or_else(|| self.no_answer(p, words.no_label), |a| self.answer(a, p.reason.as_deref(), NAME_CHARS));
            Row::new(vec![Cell::foreign(&p.input, TEXT_CHARS), Cell::foreign(&p.expected, NAME_CHARS), answer, self.probability(p)])
        });
        let columns = vec![
            Column::new("text", words.text, Kind::Quote),
            Column::new("expected", words.expected, Kind::Text),
            Column::new("answered", words.answered, Kind::Text),
            Column::new("probability", words.probability, Kind::Number),
        ];
        Self::table("mistakes", self.caption(), columns, rows)
    }

    fn query_mistakes(&self, wrong: &[&Prediction]) -> Table {
        let words = self.words;
        let rows = wrong.iter().map(|p| {
            let answer = p.answer.as_ref().map_or_else(|| self.no_answer(p, words.no_answer), |a| Cell::code(a, TEXT_CHARS));
            let why = match (&p.reason, &p.answer) {
                (Some(reason), Some(_)) => Cell::foreign(&self.lang.reason(reason), NAME_CHARS),
                _ => Cell::empty(),
            };
            Row::new(vec![Cell::foreign(&p.input, TEXT_CHARS), Cell::code(&p.expected, TEXT_CHARS), answer, why, self.probability(p)])
        });
        let columns = vec![
            Column::new("question", words.question, Kind::Quote),
            Column::new("expected", words.expected, Kind::Quote),
            Column::new("answered", words.answered, Kind::Quote),
            Column::new("reason", words.why, Kind::Text),
            Column::new("probability", words.probability, Kind::Number),
        ];
        Self::table("query_mistakes", self.caption(), columns, rows)
    }

    fn text_mistakes(&self, wrong: &[&Prediction]) -> Table {
        let words = self.words;
        let rows = wrong.iter().map(|p| {
            let answer = p.answer.as_ref().map_or_else(|| self.no_answer(p, words.no_answer), |a| self.answer(a, p.reason.as_deref(), TEXT_CHARS));
            Row::new(vec![Cell::foreign(&p.input, TEXT_CHARS), Cell::foreign(&p.expected, TEXT_CHARS), answer, self.percent(p.score)])
        });
        let columns = vec![
            Column::new("prompt", words.prompt, Kind::Quote),
            Column::new("expected", words.expected, Kind::Quote),
            Column::new("answered", words.answered, Kind::Quote),
            Column::new("score", words.chrf, Kind::Number),
        ];
        Self::table("text_mistakes", words.mistakes_partly_caption, columns, rows)
    }

    fn tag_mistakes(&self, wrong: &[&Prediction]) -> Table {
        let words = self.words;
        let read = |text: &str| match answer::read(data::Kind::Hashtags, "", text) {
            Ok(Target::Tags(tags)) => tags,
            _ => Vec::new(),
        };
        let rows = wrong.iter().map(|p| {
            let (want, got) = (read(&p.expected), p.answer.as_deref().map(read).unwrap_or_default());
            let same = |tags: &[String]| tags.iter().map(|t| normal(t, true)).collect::<BTreeSet<_>>();
            let (wanted, said) = (same(&want), same(&got));
            let listed = |tags: &[String], keep: &dyn Fn(&String) -> bool| {
                let kept: Vec<&str> = tags.iter().filter(|t| keep(t)).map(String::as_str).collect();
                if kept.is_empty() { Cell { text: plain("–"), value: "".into() } } else { Cell::foreign(&kept.join(" "), NAME_CHARS) }
            };
            let added = match p.answer {
                Some(_) => {
                    let mut added = listed(&got, &|t| !wanted.contains(&normal(t, true)));
                    added.text.extend(p.reason.iter().flat_map(|reason| self.because(reason)));
                    added
                }
                None => self.no_answer(p, words.no_answer),
            };
            Row::new(vec![
                Cell::foreign(&p.input, TEXT_CHARS),
                listed(&got, &|t| wanted.contains(&normal(t, true))),
                listed(&want, &|t| !said.contains(&normal(t, true))),
                added,
                self.percent(p.score),
            ])
        });
        let columns = vec![
            Column::new("post", words.post, Kind::Quote),
            Column::new("hits", words.hits, Kind::Text),
            Column::new("missed", words.tags_missed, Kind::Text),
            Column::new("added", words.tags_added, Kind::Text),
            Column::new("f1", words.f1, Kind::Number),
        ];
        Self::table("tag_mistakes", words.mistakes_partly_caption, columns, rows)
    }

    fn entity_mistakes(&self, wrong: &[&Prediction]) -> Table {
        let words = self.words;
        let rows = wrong.iter().map(|p| {
            let (want, got) = p.entities().unwrap_or_default();
            let answered = match &p.answer {
                None => self.no_answer(p, words.no_answer),
                Some(_) if got.is_empty() => Cell::spans(vec![Span::Emphasis(words.nothing.into())]),
                Some(_) => self.list(got.iter().map(|e| self.entity(&p.input, e)).collect()),
            };
            let faults = self.list(entities::mistakes(&want, &got).iter().map(|m| self.fault(&p.input, m)).collect());
            let text = Cell { text: marked(&p.input, &want), value: clean(&p.input, TEXT_CHARS).into() };
            Row::new(vec![text, answered, faults, self.percent(p.score)])
        });
        let columns = vec![
            Column::new("text", words.text, Kind::Quote),
            Column::new("answered", words.entities_answered, Kind::Text),
            Column::new("wrong", words.wrong, Kind::Text),
            Column::new("f1", words.f1, Kind::Number),
        ];
        Self::table("entity_mistakes", words.mistakes_entities_caption, columns, rows)
    }

    /// The words of an entity and its type.
    fn entity(&self, input: &str, e: &Entity) -> Text {
        let mut text = match e.of(input) {
            Some(name) => foreign(name, NAME_CHARS),
            None => vec![Span::Emphasis(self.words.not_in_text.into())],
        };
        text.push(Span::Label(clean(&e.kind, 60)));
        text
    }

    fn fault(&self, input: &str, mistake: &Mistake) -> Text {
        let words = self.words;
        let (kind, said, wanted) = match mistake {
            Mistake::Missed(e) => (words.wrong_missed, e, None),
            Mistake::Invented(e) => (words.wrong_invented, e, None),
            Mistake::WrongType { expected, answered } => (words.wrong_type, answered, Some(expected)),
            Mistake::WrongBoundary { expected, answered } => (words.wrong_boundary, answered, Some(expected)),
        };
        let mut text = vec![Span::Emphasis(kind.into()), Span::Plain(" ".into())];
        text.extend(self.entity(input, said));
        match mistake {
            Mistake::WrongType { expected, .. } => {
                text.push(Span::Plain(format!(" {}", words.instead_of)));
                text.push(Span::Label(clean(&expected.kind, 60)));
            }
            _ => {
                if let Some(wanted) = wanted.and_then(|w| w.of(input)) {
                    text.push(Span::Plain(format!(" {} ", words.instead_of)));
                    text.extend(foreign(wanted, NAME_CHARS));
                }
            }
        }
        text
    }

    /// Several texts in one cell, the first few of them.
    fn list(&self, texts: Vec<Text>) -> Cell {
        let more = texts.len().saturating_sub(IN_A_CELL);
        let mut out = Vec::new();
        for (i, text) in texts.into_iter().take(IN_A_CELL).enumerate() {
            if i > 0 {
                out.push(Span::Plain("; ".into()));
            }
            out.extend(text);
        }
        if more > 0 {
            out.extend(plain(fill(self.words.and_more, &[("names", ""), ("count", &self.n(more))])));
        }
        Cell::spans(out)
    }
}

/// A text with its entities marked, each followed by its type, cut after [`TEXT_CHARS`] of its characters.
/// An entity that begins inside another is not marked.
fn marked(input: &str, entities: &[Entity]) -> Text {
    let chars: Vec<char> = input.chars().collect();
    let mut entities: Vec<&Entity> = entities.iter().filter(|e| e.start < e.end && e.end <= chars.len()).collect();
    entities.sort();
    let end = chars.len().min(TEXT_CHARS);
    let piece = |from: usize, to: usize| clean(&chars[from..to].iter().collect::<String>(), usize::MAX);
    let (mut out, mut at) = (Vec::new(), 0);
    for e in entities {
        if e.start < at || e.start >= end {
            continue;
        }
        if e.start > at {
            out.push(Span::Foreign(piece(at, e.start)));
        }
        at = e.end.min(end);
        out.push(Span::Mark(piece(e.start, at)));
        out.push(Span::Label(clean(&e.kind, 60)));
    }
    if at < end {
        out.push(Span::Foreign(piece(at, end)));
    }
    if end < chars.len() {
        out.push(Span::Plain("…".into()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_marked_where_they_are_and_long_texts_are_cut() {
        let entity = |start, end| Entity { start, end, kind: "places".into() };
        let text = marked("è a Roma e\u{202e} a Pisa.", &[entity(14, 18), entity(4, 8), entity(5, 7), entity(30, 40)]);
        let said: Vec<&str> = text.iter().map(Span::text).collect();
        assert_eq!(said, ["è a ", "Roma", "places", " e⟨U+202E⟩ a ", "Pisa", "places", "."]);
        assert!(matches!(text[1], Span::Mark(_)) && matches!(text[2], Span::Label(_)));
        let long = marked(&"x".repeat(100_000), &[entity(398, 99_000), entity(99_500, 99_600)]);
        let length: usize = long.iter().map(|s| s.text().chars().count()).sum();
        assert_eq!(length, TEXT_CHARS + "places…".chars().count());
        assert!(marked("", &[]).is_empty());
    }
}
