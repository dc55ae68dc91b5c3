//! One file into training, validation and test.
//!
//! Texts that are nearly the same stay in one part, so that the test does not ask what training has
//! already answered. Each label gets its share of every part, as near as whole groups allow, and at
//! least one of its groups stays for training. What a label is to an intent, the types of its entities are to a text, to a
//! query the features of SQL that it uses, to a post the commonest of its hashtags; custom completions have nothing in
//! common. The same seed gives the same parts.

use crate::describe::queries;
use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::near;
use crate::part::Split;
use crate::watch::Steps;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use say::{EXAMPLE, say};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Which share of the examples goes where; the rest is for training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// For validation, between 0 and 1.
    pub validation: f64,
    /// For the test, between 0 and 1.
    pub test: f64,
}

impl Shares {
    /// Shares that leave something for training.
    ///
    /// # Errors
    /// With a sentence, if they do not.
    pub fn new(validation: f64, test: f64) -> std::result::Result<Self, String> {
        let sound = |share: f64| (0.0..1.0).contains(&share);
        if sound(validation) && sound(test) && validation + test < 1.0 && validation + test > 0.0 {
            return Ok(Self { validation, test });
        }
        Err(say!(
            "the shares of validation ({validation}) and test ({test}) must lie between 0 and 1 and leave something for training, such as 0.1 and 0.2",
            "le quote di validazione ({validation}) e prova ({test}) devono stare fra 0 e 1 e lasciare qualcosa all’addestramento, per esempio 0.1 e 0.2"
        ))
    }
}

/// What [`divide`] counts of so many examples: texts are compared, and then it is told what they are alike in.
pub fn work(examples: usize) -> u64 {
    near::work(examples) + examples as u64
}

/// The part of every example. Of `steps` it takes what [`work`] says.
///
/// # Errors
/// If there is nothing to divide (fewer than three examples, or only one group of nearly equal texts), or it was ended.
pub fn divide(path: &Path, examples: &[Example], shares: Shares, seed: u64, steps: &mut Steps<'_>) -> Result<Vec<Split>> {
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (i, root) in near::groups(&texts, steps)?.near.into_iter().enumerate() {
        groups.entry(root).or_default().push(i);
    }
    if groups.len() < 3 {
        let (n, different) = (say::count(examples.len(), EXAMPLE), say::count(groups.len(), ["different text", "different texts", "testo", "testi diversi"]));
        let what = say!(
            "holds {n} of {different}, too few to be divided into three parts; add more",
            "contiene {n} di {different}, troppo pochi per dividerli in tre parti; aggiungine altri"
        );
        return Err(Error::file(path, what));
    }
    let uses = uses(examples);
    let alike = common(examples, steps.each(examples, |example| Some(stratum(example, &uses)))?);
    let mut strata: BTreeMap<Option<&str>, Vec<Vec<usize>>> = BTreeMap::new();
    for group in groups.into_values() {
        strata.entry(alike[group[0]].as_deref()).or_default().push(group);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut parts = vec![Split::Train; examples.len()];
    // what rounding left over from one label to the next, so that many small ones still add up
    let mut owed = [(Split::Test, shares.test, 0.0), (Split::Validation, shares.validation, 0.0)];
    for groups in strata.values_mut() {
        groups.shuffle(&mut rng);
        let count = groups.iter().map(Vec::len).sum::<usize>() as f64;
        // the first stays for training, whatever is owed
        let mut rest: Vec<&Vec<usize>> = groups.iter().skip(1).collect();
        for (split, share, over) in &mut owed {
            *over += *share * count;
            // what other labels could not give is not taken from one alone
            let mut most = (*share * count * 1.5).ceil();
            rest.retain(|group| {
                let size = group.len() as f64;
                let fits = *over >= size / 2.0 && *over > 0.0 && size <= most;
                if fits {
                    *over -= size;
                    most -= size;
                    group.iter().for_each(|i| parts[*i] = *split);
                }
                !fits
            });
        }
    }
    Ok(parts)
}

/// `count` of the positions below `of`, drawn by seed, in their order: each is as likely as any other, so what is measured on
/// them is an estimate of what would be measured on all.
pub fn draw(of: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..of).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// Positions of `count` of the examples, drawn by seed, in their order: each label keeps its share, and none is left out as
/// long as there is room. A larger count keeps what a smaller one has, so a curve over sizes grows by rows alone.
pub fn sample(examples: &[Example], count: usize, seed: u64) -> Vec<usize> {
    let uses = uses(examples);
    let alike = common(examples, examples.iter().map(|example| stratum(example, &uses)).collect());
    let mut strata: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (i, stratum) in alike.iter().enumerate() {
        strata.entry(stratum.as_deref()).or_default().push(i);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // each example's rank is how much of its label comes before it
    let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(examples.len());
    for own in strata.values_mut() {
        own.shuffle(&mut rng);
        let size = own.len() as f64;
        ranked.extend(own.iter().enumerate().map(|(rank, &i)| (rank as f64 / size, i)));
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<usize> = ranked.into_iter().take(count).map(|(_, i)| i).collect();
    out.sort_unstable();
    out
}

/// Queries and posts of which fewer are alike than this are like no other: where nobody gave a name, the only example of
/// its sort need not stay for training.
const FEW: usize = 5;

/// A hashtag as it is counted.
fn bare(tag: &str) -> String {
    tag.trim_start_matches('#').to_lowercase()
}

/// How often each hashtag is used.
fn uses(examples: &[Example]) -> HashMap<String, usize> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for example in examples {
        if let Target::Tags(tags) = &example.target {
            tags.iter().for_each(|tag| *uses.entry(bare(tag)).or_default() += 1);
        }
    }
    uses
}

/// What an example may be alike in with others, for the parts to have the same share of it.
fn stratum(example: &Example, uses: &HashMap<String, usize>) -> Option<String> {
    match &example.target {
        Target::Label(label) => Some(label.clone()),
        Target::Entities(spans) => Some(spans.iter().map(|s| s.kind.as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")),
        Target::Sql(sql) => Some(queries::features(sql).join(" ")),
        // of equally common ones the first
        Target::Tags(tags) => tags.iter().rev().map(|tag| bare(tag)).max_by_key(|tag| uses.get(tag).copied()),
        Target::Completion(_) => None,
    }
}

/// Of each example's stratum what it does share with others; `None` of one that is like no other.
fn common(examples: &[Example], mut strata: Vec<Option<String>>) -> Vec<Option<String>> {
    let mut sizes: HashMap<String, usize> = HashMap::new();
    strata.iter().flatten().for_each(|stratum| *sizes.entry(stratum.clone()).or_default() += 1);
    for (example, stratum) in examples.iter().zip(&mut strata) {
        if matches!(example.target, Target::Sql(_) | Target::Tags(_)) && stratum.as_ref().is_some_and(|s| sizes[s] < FEW) {
            *stratum = None;
        }
    }
    strata
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Origin, Span};
    use std::path::PathBuf;
    use std::sync::Arc;

    fn example(text: String, label: &str, line: usize) -> Example {
        answered(text, Target::Label(label.into()), line)
    }

    fn answered(text: String, target: Target, line: usize) -> Example {
        Example { text, target, origin: Origin { file: Arc::new(PathBuf::from("x.jsonl")), line } }
    }

    /// 40 texts of each of three labels and 4 of a rare one; every fifth is followed by its near-duplicate.
    fn examples() -> Vec<Example> {
        let mut out = Vec::new();
        for (label, count) in [("a", 40), ("b", 40), ("c", 40), ("rare", 4)] {
            for i in 0..count {
                let text = format!(
                    "{label} {} {} nel messaggio {}",
                    ["uno", "due", "tre", "quattro"][i % 4].repeat(i / 4 + 1),
                    i * 7919 + usize::from(label.as_bytes()[0]) * 1_000_003,
                    i * i * 104_729
                );
                out.push(example(text.clone(), label, out.len() + 1));
                if i % 5 == 0 {
                    out.push(example(format!("{text} sì"), label, out.len() + 1));
                }
            }
        }
        out
    }

    fn parts(seed: u64) -> Vec<Split> {
        divide(Path::new("x.jsonl"), &examples(), Shares::new(0.1, 0.2).expect("sound"), seed, &mut Steps::default()).expect("divides")
    }

    #[test]
    fn positions_are_drawn_without_favour_and_stay_where_they_are() {
        let drawn = draw(600, 100, 1);
        assert!(drawn.len() == 100 && drawn.windows(2).all(|pair| pair[0] < pair[1]) && drawn[99] < 600);
        assert_eq!(drawn, draw(600, 100, 1));
        assert_ne!(drawn, draw(600, 100, 2));
        // from all over the set, not from its beginning
        assert!((0..6).all(|part| drawn.iter().filter(|&&i| i / 100 == part).count() > 3), "{drawn:?}");
        assert_eq!((draw(3, 100, 1), draw(0, 100, 1)), (vec![0, 1, 2], Vec::new()));
    }

    #[test]
    fn a_sample_keeps_the_shares_of_labels_and_grows_by_rows() {
        let examples = examples();
        let small = sample(&examples, 40, 1);
        let count = |label: &str| small.iter().filter(|&&i| examples[i].label() == label).count();
        assert_eq!(small.len(), 40);
        assert!(["a", "b", "c"].iter().all(|l| (11..=15).contains(&count(l))) && count("rare") >= 1, "{small:?}");
        let larger = sample(&examples, 80, 1);
        assert!(small.iter().all(|i| larger.contains(i)) && larger.is_sorted());
        assert_eq!(small, sample(&examples, 40, 1));
        assert_ne!(small, sample(&examples, 40, 2));
        assert_eq!(sample(&examples, usize::MAX, 1), (0..examples.len()).collect::<Vec<_>>());
    }

    #[test]
    fn every_label_gets_its_share_and_some_training() {
        let (examples, parts) = (examples(), parts(1));
        let count = |label: &str, split: Split| examples.iter().zip(&parts).filter(|(e, p)| e.label() == label && **p == split).count();
        for label in ["a", "b", "c"] {
            let all = Split::ALL.map(|s| count(label, s));
            assert!((8..=12).contains(&all[2]) && (3..=7).contains(&all[1]), "{label}: {all:?}");
        }
        assert!(count("rare", Split::Train) >= 2);
        let test = parts.iter().filter(|p| **p == Split::Test).count() as f64 / parts.len() as f64;
        assert!((0.17..0.23).contains(&test), "{test}");
    }

    /// Of three sorts of answers, of which one is common, one less so, and one stands for itself in every example, each part
    /// and each sample has its share.
    #[test]
    fn answers_of_every_kind_have_their_share_of_each_part() {
        let span = |kind: &str| Span { start: 0, end: 1, kind: kind.into() };
        let tags = |tags: &[&str]| Target::Tags(tags.iter().map(|t| (*t).to_string()).collect());
        type Sort<'a> = &'a dyn Fn(usize, usize) -> Target;
        let entities: Sort = &|sort, _| Target::Entities([vec![], vec![span("places")], vec![span("people"), span("places"), span("people")]][sort].clone());
        let sql: Sort = &|sort, i| {
            let alone = ["LIMIT 1", "ORDER BY a LIMIT 1", "GROUP BY a", "WHERE a IN (1)"][i % 4];
            let query = ["SELECT a FROM t".to_string(), format!("SELECT count(*) FROM t WHERE b = {i}"), format!("SELECT DISTINCT a FROM t {alone}")];
            Target::Sql(query[sort].clone())
        };
        let hashtags: Sort = &|sort, i| {
            let own = format!("#unico{sort}x{i}");
            match sort {
                0 => tags(&[own.as_str(), "#Calcio", "#calcio"]),
                1 => tags(&["#mare", own.as_str()]),
                _ => tags(&[own.as_str()]),
            }
        };
        for (name, sorted) in [("entities", entities), ("sql", sql), ("hashtags", hashtags)] {
            let (mut examples, mut sorts) = (Vec::new(), Vec::new());
            for (sort, count) in [(0, 60), (1, 30), (2, 10)] {
                for i in 0..count {
                    let text = format!("{} {} {sort}", i * 7919 + sort * 1_000_003, i * i * 104_729 + sort);
                    examples.push(answered(text, sorted(sort, i), examples.len() + 1));
                    sorts.push(sort);
                }
            }
            let parts = divide(Path::new("x.jsonl"), &examples, Shares::new(0.1, 0.2).expect("sound"), 5, &mut Steps::default()).expect("divides");
            let of = |sort: usize, split: Split| sorts.iter().zip(&parts).filter(|(s, p)| **s == sort && **p == split).count();
            for (sort, count) in [(0, 60), (1, 30), (2, 10)] {
                let (validation, test) = (of(sort, Split::Validation), of(sort, Split::Test));
                let near = |n: usize, share: f64| (n as f64 - share * f64::from(count)).abs() <= 2.0;
                assert!(near(validation, 0.1) && near(test, 0.2), "{name} {sort}: {validation} and {test} of {count}");
            }
            let drawn = sample(&examples, 50, 2);
            let drawn = [0, 1, 2].map(|sort| drawn.iter().filter(|&&i| sorts[i] == sort).count());
            assert!(drawn[0].abs_diff(30) <= 1 && drawn[1].abs_diff(15) <= 1 && drawn[2].abs_diff(5) <= 1, "{name}: {drawn:?}");
        }
        let custom: Vec<Example> = (0..40).map(|i| answered(format!("{} {}", i * 7919, i * i * 104_729), Target::Completion(format!("x{i}")), i + 1)).collect();
        let parts = divide(Path::new("x.jsonl"), &custom, Shares::new(0.1, 0.2).expect("sound"), 5, &mut Steps::default()).expect("divides");
        assert_eq!(Split::ALL.map(|s| parts.iter().filter(|p| **p == s).count()), [28, 4, 8], "what has nothing in common is divided all the same");
    }

    #[test]
    fn near_duplicates_stay_together() {
        let (examples, parts) = (examples(), parts(3));
        let mut twins = 0;
        for (i, pair) in examples.windows(2).enumerate() {
            if pair[1].text == format!("{} sì", pair[0].text) {
                assert_eq!(parts[i], parts[i + 1], "{}", pair[0].text);
                twins += 1;
            }
        }
        assert_eq!(twins, 25);
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        assert!(Shares::new(0.5, 0.5).is_err() && Shares::new(0.0, 0.0).is_err() && Shares::new(-0.1, 0.2).is_err() && Shares::new(f64::NAN, 0.2).is_err());
        let same: Vec<Example> = (1..10).map(|i| example("sempre lo stesso testo".into(), "a", i)).collect();
        let refused = divide(Path::new("x.jsonl"), &same, Shares::new(0.1, 0.1).expect("sound"), 0, &mut Steps::default()).expect_err("one text");
        assert!(refused.to_string().contains("x.jsonl: holds 9 examples of 1 different text, too few"), "{refused}");
    }
}
