//! One answer out of many: the tags that sampled answers agree on.
//!
//! Which of two hashtags a person would have put under a post is often a toss-up, and the likeliest list of tags is not the list
//! of the likeliest tags. So a model is asked several times by chance, and a tag counts by the share of the answers that
//! hold it (self-consistency, Wang et al. 2023, arXiv 2203.11171, for sets).

use crate::score::tags::normal;
use std::collections::BTreeMap;

/// All tags of answers with the share of the answers that hold each, most agreed first.
pub fn shares(answers: &[Vec<String>]) -> Vec<(String, f64)> {
    let total = answers.len().max(1) as f64;
    // by what makes tags the same: how often, how early, and under which spelling
    let mut tags: BTreeMap<String, (usize, usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for answer in answers {
        let mut own: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        answer.iter().enumerate().for_each(|(place, tag)| {
            own.entry(normal(tag, true)).or_insert((place, tag));
        });
        for (name, (place, tag)) in own {
            let entry = tags.entry(name).or_default();
            entry.0 += 1;
            entry.1 += place;
            *entry.2.entry(tag).or_default() += 1;
        }
    }
    let mut order: Vec<(usize, f64, &str)> = Vec::new();
    for (times, places, spellings) in tags.values() {
        // of equals the one with its accents, in small letters: they come last in the order of characters
        let spelling = spellings.iter().max_by_key(|(tag, times)| (**times, **tag)).map_or("", |(tag, _)| *tag);
        order.push((*times, *places as f64 / *times as f64, spelling));
    }
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(b.2)));
    order.into_iter().map(|(times, _, tag)| (tag.to_string(), times as f64 / total)).collect()
}

/// The tags that answers agree on, most agreed first, and their mean share of the answers; as many as promise the best F1
/// against one more such answer. Empty if every answer is.
///
/// One more answer holds a tag less often than its share of these says, for it would not be considered if none of these held it. So
/// each answer that holds a tag is asked how many of the others do (leave-one-out): a tag of one answer alone promises nothing. Where
/// no two answers share a tag, as many are taken as an answer has on average.
pub fn agreed(answers: &[Vec<String>]) -> (Vec<String>, f64) {
    let order = shares(answers);
    let length = answers.iter().map(Vec::len).sum::<usize>() as f64 / answers.len().max(1) as f64;
    let (total, others) = (answers.len() as f64, answers.len().saturating_sub(1).max(1) as f64);
    let (mut best, mut kept, mut hits) = (0.0, (length.round() as usize).min(order.len()), 0.0);
    for (i, (_, share)) in order.iter().enumerate() {
        hits += if answers.len() > 1 { (share * total - 1.0) / others } else { *share };
        let f1 = 2.0 * hits / (i as f64 + 1.0 + length);
        // what adds nothing is not taken for rounding's sake
        if f1 > best + 1e-9 {
            (best, kept) = (f1, i + 1);
        }
    }
    let share = order.iter().take(kept).map(|(_, share)| share).sum::<f64>() / kept.max(1) as f64;
    (order.into_iter().take(kept).map(|(tag, _)| tag).collect(), share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(all: &[&str]) -> Vec<Vec<String>> {
        all.iter().map(|l| l.split_whitespace().map(String::from).collect()).collect()
    }

    #[test]
    fn what_most_answers_hold_is_answered_most_agreed_first() {
        let (tags, share) = agreed(&lists(&["#mare #sole", "#sole #Città", "#mare #citta #sole", "#sole #città #x"]));
        assert_eq!(tags, ["#sole", "#città"]);
        assert!((share - (1.0 + 0.75) / 2.0).abs() < 1e-12);
        // what is not answered was considered all the same
        let all = shares(&lists(&["#mare #sole", "#sole #Città", "#mare #citta #sole", "#sole #città #x"]));
        assert_eq!(all, [("#sole", 1.0), ("#città", 0.75), ("#mare", 0.5), ("#x", 0.25)].map(|(tag, share)| (tag.to_string(), share)));
    }

    #[test]
    fn a_tag_of_one_answer_alone_promises_nothing_beside_those_of_several() {
        // by their shares all seven would be worth their place
        assert_eq!(agreed(&lists(&["#a #b", "#a #c", "#d #e", "#f #g"])).0, ["#a"]);
        let (tags, _) = agreed(&lists(&["#a #b #x", "#a #b #y", "#a #c #z", "#a #c #w"]));
        assert_eq!(tags, ["#a", "#b", "#c"]);
    }

    #[test]
    fn answers_that_share_nothing_still_give_an_answer_of_their_length() {
        let (tags, share) = agreed(&lists(&["#a #b", "#c #d"]));
        assert_eq!((tags, share), (vec!["#a".into(), "#c".into()], 0.5));
        assert_eq!(agreed(&lists(&["#a #b"])).0, ["#a", "#b"]);
        assert_eq!(agreed(&lists(&["#a", "#a", "#a #b"])).0, ["#a"]);
        assert_eq!(agreed(&lists(&["#a #a"])), (vec!["#a".into()], 1.0));
        for none in [&lists(&["", ""])[..], &[]] {
            assert_eq!(agreed(none), (vec![], 0.0));
        }
    }
}
