//! Entities: their types and the strings that stand for them.

use super::{Counted, LISTED, commonest};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::set::Split;
use crate::watch::{PIECE, Steps};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The entities of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entities {
    /// Examples without any.
    pub without: usize,
    /// Each type, commonest first.
    pub types: Vec<Type>,
}

/// A type of entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Type {
    /// Its name.
    pub name: String,
    /// Entities of the type in each part.
    pub entities: BTreeMap<Split, usize>,
    /// Different strings.
    pub distinct: usize,
    /// The commonest strings.
    pub commonest: Vec<Counted>,
}

/// The entities of a set; each row counts one of `steps`.
pub(super) fn of(all: &[(Split, &Example)], steps: &mut Steps<'_>) -> Result<Entities> {
    type Found<'a> = (BTreeMap<Split, usize>, HashMap<&'a str, usize>);
    let mut types: BTreeMap<&str, Found<'_>> = BTreeMap::new();
    let mut without = 0;
    for piece in all.chunks(PIECE) {
        for (split, e) in piece {
            let Target::Entities(spans) = &e.target else { continue };
            without += usize::from(spans.is_empty());
            for span in spans {
                let (entities, strings) = types.entry(&span.kind).or_default();
                *entities.entry(*split).or_default() += 1;
                // a span outside its text is the check's business
                if let Some(string) = span.of(&e.text) {
                    *strings.entry(string).or_default() += 1;
                }
            }
        }
        steps.after(piece.len() as u64)?;
    }
    let describe =
        |(name, (entities, strings)): (&str, Found<'_>)| Type { name: name.into(), entities, distinct: strings.len(), commonest: commonest(strings, LISTED) };
    let mut types: Vec<Type> = types.into_iter().map(describe).collect();
    types.sort_by_key(|t| std::cmp::Reverse(t.entities.values().sum::<usize>()));
    Ok(Entities { without, types })
}

#[cfg(test)]
mod tests {
    use super::super::tests::described;
    use super::*;
    use crate::Kind;

    #[test]
    fn types_are_counted_with_their_strings() {
        let row = |text: &str, spans: &[(usize, usize, &str)]| {
            let spans: Vec<_> = spans.iter().map(|(start, end, kind)| serde_json::json!({"start": start, "end": end, "type": kind})).collect();
            serde_json::json!({"text": text, "entities": spans}).to_string() + "\n"
        };
        let train = [row("Ada va a Bari", &[(0, 3, "people"), (9, 13, "places")]), row("È a Bari", &[(4, 8, "places")]), row("Piove", &[])].concat();
        let e = described(Kind::Entities, &[("train.jsonl", &train), ("test.jsonl", &row("A Lodi", &[(2, 6, "places")]))]).entities.expect("entities");
        assert_eq!(e.without, 1);
        let places = &e.types[0];
        assert_eq!((places.name.as_str(), places.distinct), ("places", 2));
        assert_eq!(places.entities, BTreeMap::from([(Split::Train, 2), (Split::Test, 1)]));
        assert_eq!(places.commonest, [("Bari", 2), ("Lodi", 1)].map(|(name, count)| Counted { name: name.into(), count }));
        assert_eq!(e.types[1].name, "people");
    }
}
