//! What simple methods answer, in seconds: a result means something only beside them.
//!
//! Each learns from the training examples alone.

use crate::answer;
use crate::score::tags::normal;
use crate::score::text::words;
use data::Kind;
use data::example::{Example, Span, Target};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An answer with the probability that the method gave to it; 1 where it knows none.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The answer.
    pub answer: Target,
    /// Its probability.
    pub probability: f64,
}

impl Guess {
    fn sure(answer: Target) -> Self {
        Self { answer, probability: 1.0 }
    }
}

/// Most features of a text; the commonest are kept.
const FEATURES: usize = 3_000;
/// Words of the longest name that a gazetteer looks up.
const NAME: usize = 8;

/// Answers of each method that fits the task, by the method's name. A method that cannot be fitted
/// to these examples is left out.
pub fn all(kind: Kind, train: &[Example], texts: &[&str]) -> Vec<(&'static str, Vec<Guess>)> {
    match kind {
        Kind::Intent => {
            let mut out = vec![("majority", majority(train, texts.len()))];
            out.extend(logistic(train, texts).map(|answers| ("tf_idf_logistic", answers)));
            out
        }
        Kind::Entities => vec![("majority", no_entities(texts.len())), ("gazetteer", gazetteer(train, texts))],
        Kind::Hashtags => vec![("majority", commonest_tags(train, texts.len())), ("nearest", nearest(train, texts))],
        Kind::Sql | Kind::Custom => vec![("majority", majority(train, texts.len())), ("nearest", nearest(train, texts))],
    }
}

/// The commonest answer: a label, a query, a text; of equally common ones the first in alphabetical order.
fn majority(train: &[Example], count: usize) -> Vec<Guess> {
    let mut counts: BTreeMap<String, (usize, &Target)> = BTreeMap::new();
    train.iter().for_each(|e| counts.entry(answer::show(&e.target)).or_insert((0, &e.target)).0 += 1);
    let Some((n, answer)) = counts.into_values().rev().max_by_key(|(n, _)| *n) else { return Vec::new() };
    vec![Guess { answer: answer.clone(), probability: n as f64 / train.len() as f64 }; count]
}

/// No entity in any text: most words are part of none, so that is what always saying the same of each word comes to.
fn no_entities(count: usize) -> Vec<Guess> {
    vec![Guess::sure(Target::Entities(Vec::new())); count]
}

/// The tags that occur most often, as many as a post has on average.
fn commonest_tags(train: &[Example], count: usize) -> Vec<Guess> {
    let tags = |e: &Example| if let Target::Tags(t) = &e.target { t.clone() } else { Vec::new() };
    let mut counts: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut total = 0;
    for tag in train.iter().flat_map(tags) {
        total += 1;
        counts.entry(normal(&tag, true)).or_insert((0, tag)).0 += 1;
    }
    let mut by_count: Vec<(usize, String)> = counts.into_values().collect();
    by_count.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let each = (total as f64 / train.len().max(1) as f64).round().max(1.0) as usize;
    vec![Guess::sure(Target::Tags(by_count.into_iter().take(each).map(|(_, t)| t).collect())); count]
}

/// Texts as vectors: words and character 4-grams inside words, weighted by how rare they are, length 1.
struct Vectors {
    index: HashMap<String, usize>,
    weight: Vec<f64>,
}

fn features(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in words(text) {
        let padded: Vec<char> = format!("<{word}>").chars().collect();
        out.extend(padded.windows(4).map(|w| w.iter().collect()));
        out.push(word);
    }
    out
}

impl Vectors {
    fn fit(texts: &[&str]) -> Self {
        let mut documents: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            for feature in features(text).into_iter().collect::<BTreeSet<_>>() {
                *documents.entry(feature).or_default() += 1;
            }
        }
        let mut common: Vec<(String, usize)> = documents.into_iter().collect();
        common.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        common.truncate(FEATURES);
        let weight = common.iter().map(|(_, n)| ((1 + texts.len()) as f64 / (1 + n) as f64).ln() + 1.0).collect();
        Self { index: common.into_iter().enumerate().map(|(i, (f, _))| (f, i)).collect(), weight }
    }

    /// The vector of a text, as index and value of what is not zero.
    fn of(&self, text: &str) -> BTreeMap<usize, f64> {
        let mut out: BTreeMap<usize, f64> = BTreeMap::new();
        for i in features(text).iter().filter_map(|f| self.index.get(f)) {
            *out.entry(*i).or_default() += self.weight[*i];
        }
        let norm = out.values().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 {
            out.values_mut().for_each(|v| *v /= norm);
        }
        out
    }

    fn matrix(&self, texts: &[&str]) -> Array2<f64> {
        let mut out = Array2::zeros((texts.len(), self.weight.len()));
        for (row, text) in texts.iter().enumerate() {
            for (column, value) in self.of(text) {
                out[[row, column]] = value;
            }
        }
        out
    }
}

/// Logistic regression on the vectors of the texts; `None` if there are not two labels.
fn logistic(train: &[Example], texts: &[&str]) -> Option<Vec<Guess>> {
    let read: Vec<&str> = train.iter().map(|e| e.text.as_str()).collect();
    let labels: Vec<&str> = train.iter().map(Example::label).collect::<BTreeSet<_>>().into_iter().collect();
    if labels.len() < 2 {
        return None;
    }
    let vectors = Vectors::fit(&read);
    let classes: Array1<usize> = train.iter().map(|e| labels.iter().position(|l| *l == e.label()).unwrap_or(0)).collect();
    let data = Dataset::new(vectors.matrix(&read), classes);
    let model = MultiLogisticRegression::default().alpha(0.1).max_iterations(200).fit(&data).ok()?;
    let probabilities = model.predict_probabilities(&vectors.matrix(texts));
    let best = |row: ndarray::ArrayView1<'_, f64>| {
        let (class, p) = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
        Some(Guess { answer: Target::Label(labels[*model.classes().get(class)?].into()), probability: *p })
    };
    probabilities.rows().into_iter().map(best).collect()
}

/// The answer to the training text that is nearest by the angle between vectors.
fn nearest(train: &[Example], texts: &[&str]) -> Vec<Guess> {
    let read: Vec<&str> = train.iter().map(|e| e.text.as_str()).collect();
    let vectors = Vectors::fit(&read);
    let known: Vec<BTreeMap<usize, f64>> = read.iter().map(|t| vectors.of(t)).collect();
    let answer = |text: &&str| {
        let own = vectors.of(text);
        let near = |v: &BTreeMap<usize, f64>| own.iter().filter_map(|(i, x)| Some(x * v.get(i)?)).sum::<f64>();
        let best = known.iter().map(near).enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        best.map(|(i, similarity)| Guess { answer: train[i].target.clone(), probability: similarity.clamp(0.0, 1.0) })
    };
    texts.iter().filter_map(answer).collect()
}

/// The names of the training texts wherever they stand as whole words, longest first, each with the
/// type that it had most often; a name that was mostly no entity is left alone.
fn gazetteer(train: &[Example], texts: &[&str]) -> Vec<Guess> {
    let mut names: HashMap<String, BTreeMap<&str, usize>> = HashMap::new();
    for e in train {
        let Target::Entities(spans) = &e.target else { continue };
        for (span, name) in spans.iter().filter_map(|s| Some((s, s.of(&e.text)?))) {
            *names.entry(name.to_string()).or_default().entry(&span.kind).or_default() += 1;
        }
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for e in train {
        for (_, _, name) in phrases(&e.text).into_iter().filter(|p| names.contains_key(p.2)) {
            *seen.entry(name).or_default() += 1;
        }
    }
    let kind_of = |name: &str| {
        let kinds = names.get(name)?;
        let marked: usize = kinds.values().sum();
        let (kind, _) = kinds.iter().rev().max_by_key(|(_, n)| **n)?;
        (2 * marked >= seen.get(name).copied().unwrap_or(0)).then(|| (*kind).to_string())
    };
    let answer = |text: &&str| {
        let mut found = phrases(text);
        found.sort_by_key(|(start, end, _)| (std::cmp::Reverse(end - start), *start));
        let mut out: Vec<Span> = Vec::new();
        for (start, end, name) in found {
            if out.iter().all(|s| end <= s.start || start >= s.end)
                && let Some(kind) = kind_of(name)
            {
                out.push(Span { start, end, kind });
            }
        }
        out.sort();
        Guess::sure(Target::Entities(out))
    };
    texts.iter().map(answer).collect()
}

/// Every run of up to [`NAME`] words, with its first and last character.
fn phrases(text: &str) -> Vec<(usize, usize, &str)> {
    // words with their characters and bytes
    let mut tokens: Vec<[usize; 4]> = Vec::new();
    let mut open = None;
    for (at, (byte, c)) in text.char_indices().chain([(text.len(), ' ')]).enumerate() {
        match (c.is_alphanumeric(), open) {
            (true, None) => open = Some((at, byte)),
            (false, Some((start, from))) => {
                tokens.push([start, at, from, byte]);
                open = None;
            }
            _ => {}
        }
    }
    let run = |i: usize| tokens[i..].iter().take(NAME).map(move |last| (i, last));
    (0..tokens.len()).flat_map(run).map(|(i, last)| (tokens[i][0], last[1], &text[tokens[i][2]..last[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::example::Origin;

    fn example(text: &str, target: Target) -> Example {
        Example { text: text.into(), target, origin: Origin { file: std::sync::Arc::new("x.jsonl".into()), line: 1 } }
    }

    fn method(kind: Kind, train: &[Example], texts: &[&str], name: &str) -> Vec<Target> {
        let all = all(kind, train, texts);
        let found = all.iter().find(|m| m.0 == name).unwrap_or_else(|| panic!("no {name}"));
        found.1.iter().map(|g| g.answer.clone()).collect()
    }

    #[test]
    fn labels_are_learnt_from_words() {
        let label = |l: &str| Target::Label(l.into());
        let mut train: Vec<Example> = ["dove il pacco", "il pacco tarda", "pacco in viaggio"].map(|t| example(t, label("pacco"))).to_vec();
        train.extend(["voglio il rimborso", "rimborso della maglia"].map(|t| example(t, label("soldi"))));
        let texts = ["il pacco dov'è", "un rimborso subito"];
        assert_eq!(method(Kind::Intent, &train, &texts, "majority"), [label("pacco"), label("pacco")]);
        assert_eq!(method(Kind::Intent, &train, &texts, "tf_idf_logistic"), [label("pacco"), label("soldi")]);
        let all = all(Kind::Intent, &train, &texts);
        assert!((all[0].1[0].probability - 0.6).abs() < 1e-12);
        assert!(all[1].1.iter().all(|g| g.probability > 0.5 && g.probability < 1.0));
        // one label leaves nothing to regress on
        assert_eq!(super::all(Kind::Intent, &train[..3], &texts).len(), 1);
    }

    #[test]
    fn names_are_found_again_unless_they_are_mostly_words() {
        let span = |start, end, kind: &str| Span { start, end, kind: kind.into() };
        let train = [
            example("Anna Rossi è a Roma.", Target::Entities(vec![span(0, 10, "people"), span(15, 19, "places")])),
            example("Marzo a Roma", Target::Entities(vec![span(0, 5, "dates"), span(8, 12, "places")])),
            example("Rosa, rosa di Rosa", Target::Entities(vec![span(14, 18, "people")])),
            example("Rosa e Rosa", Target::Entities(vec![])),
        ];
        let found = method(Kind::Entities, &train, &["È «Anna Rossi»: Roma, Romano, Rosa", ""], "gazetteer");
        assert_eq!(found, [Target::Entities(vec![span(3, 13, "people"), span(16, 20, "places")]), Target::Entities(vec![])]);
        assert_eq!(method(Kind::Entities, &train, &["Roma", ""], "majority"), [Target::Entities(vec![]), Target::Entities(vec![])]);
    }

    #[test]
    fn the_commonest_query_or_text_is_given_whatever_is_asked() {
        type Make = fn(String) -> Target;
        for (kind, target) in [(Kind::Sql, Target::Sql as Make), (Kind::Custom, Target::Completion as Make)] {
            let of = |answers: [&str; 3]| answers.map(|a| example("x", target(a.into())));
            assert_eq!(method(kind, &of(["c", "b", "b"]), &["y", "z"], "majority"), [target("b".into()), target("b".into())]);
            let all = all(kind, &of(["c", "b", "a"]), &["y"]);
            // of equally common ones the first
            assert_eq!(all[0], ("majority", vec![Guess { answer: target("a".into()), probability: 1.0 / 3.0 }]));
        }
    }

    #[test]
    fn the_nearest_text_gives_its_answer() {
        let train = [example("Quanti clienti a Roma?", Target::Sql("A".into())), example("Prezzo medio dei prodotti", Target::Sql("B".into()))];
        assert_eq!(method(Kind::Sql, &train, &["prezzi dei prodotti", "clienti"], "nearest"), [Target::Sql("B".into()), Target::Sql("A".into())]);
        let tags = |t: &str| Target::Tags(t.split(' ').map(String::from).collect());
        let posts = [example("pasta al forno", tags("#cibo #pasta")), example("sole e mare", tags("#mare #Cibo"))];
        assert_eq!(method(Kind::Hashtags, &posts, &["mare"], "majority"), [tags("#cibo #mare")]);
        assert_eq!(method(Kind::Hashtags, &posts, &["il mare"], "nearest"), [tags("#mare #Cibo")]);
        assert!(method(Kind::Sql, &[], &["x"], "nearest").is_empty());
    }
}
