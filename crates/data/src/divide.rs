//! One file into training, validation and test.
//!
//! Texts that are nearly the same stay in one part, so that the test does not ask what training has
//! already answered. Each label gets its share of every part, as near as whole groups allow, and at
//! least one of its groups stays for training. The same seed gives the same parts.

use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::near;
use crate::part::Split;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use say::{EXAMPLE, say};
use std::collections::{BTreeMap, BTreeSet};
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

/// The part of every example.
///
/// # Errors
/// If there is nothing to divide: fewer than three examples, or only one group of nearly equal texts.
pub fn divide(path: &Path, examples: &[Example], shares: Shares, seed: u64) -> Result<Vec<Split>> {
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (i, root) in near::groups(&texts).near.into_iter().enumerate() {
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
    let mut strata: BTreeMap<String, Vec<Vec<usize>>> = BTreeMap::new();
    for group in groups.into_values() {
        strata.entry(stratum(&examples[group[0]].target)).or_default().push(group);
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

/// Positions of `count` of the examples, drawn by seed, in their order: each label keeps its share, and none is left out as
/// long as there is room. A larger count keeps what a smaller one has, so a curve over sizes grows by rows alone.
pub fn sample(examples: &[Example], count: usize, seed: u64) -> Vec<usize> {
    let mut strata: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, example) in examples.iter().enumerate() {
        strata.entry(stratum(&example.target)).or_default().push(i);
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

/// What examples are alike in, for the parts to have the same share of it.
fn stratum(target: &Target) -> String {
    match target {
        Target::Label(label) => label.clone(),
        Target::Entities(spans) => spans.iter().map(|s| s.kind.as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" "),
        Target::Sql(_) | Target::Tags(_) | Target::Completion(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Origin;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn example(text: String, label: &str, line: usize) -> Example {
        Example { text, target: Target::Label(label.into()), origin: Origin { file: Arc::new(PathBuf::from("x.jsonl")), line } }
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
        divide(Path::new("x.jsonl"), &examples(), Shares::new(0.1, 0.2).expect("sound"), seed).expect("divides")
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
        let refused = divide(Path::new("x.jsonl"), &same, Shares::new(0.1, 0.1).expect("sound"), 0).expect_err("one text");
        assert!(refused.to_string().contains("x.jsonl: holds 9 examples of 1 different text, too few"), "{refused}");
    }
}
