//! Intent: one label for a text.
//!
//! By *completion*, the model reads a prompt and spells the label's words; by *head*, a linear
//! layer on the pooled hidden state of the same prompt answers, and nothing is spelled.

use crate::constraint::Trie;
use data::example::Example;
use unicode_segmentation::UnicodeSegmentation;

/// Fewest words of a sentence that can say what a text is about.
const WORDS: usize = 3;

/// The sentences of a text (Unicode Standard Annex 29) that have at least three words; the whole text if none has.
pub fn sentences(text: &str) -> Vec<&str> {
    let long: Vec<&str> = text.split_sentence_bounds().map(str::trim).filter(|s| s.split_whitespace().count() >= WORDS).collect();
    if long.is_empty() { vec![text] } else { long }
}

/// The labels of a task and the words that stand for them in a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    names: Vec<String>,
    words: Vec<String>,
}

impl Labels {
    /// The labels of the training examples, in alphabetical order.
    pub fn of(examples: &[Example]) -> Self {
        let mut names: Vec<String> = examples.iter().map(|e| e.label().to_string()).collect();
        names.sort();
        names.dedup();
        Self::new(names)
    }

    /// These labels, in this order.
    pub fn new(names: Vec<String>) -> Self {
        // `order_tracking` is spelled "order tracking": words the model has seen before
        let mut words: Vec<String> = names.iter().map(|n| n.replace(['_', '-'], " ").trim().to_string()).collect();
        let mut distinct = words.clone();
        distinct.sort();
        distinct.dedup();
        if distinct.len() < words.len() || words.iter().any(String::is_empty) {
            words.clone_from(&names);
        }
        Self { names, words }
    }

    /// Names in class order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Index of a label.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// What the model writes for a label, with the space that sets it off from the prompt.
    pub fn completion(&self, label: usize) -> String {
        format!(" {}", self.words[label])
    }

    /// The label that freely generated text names: its first line, whatever its case and spacing.
    pub fn parse(&self, output: &str) -> Option<usize> {
        let said = output.trim().lines().next()?.trim().to_lowercase();
        self.words.iter().zip(&self.names).position(|(w, n)| said == w.to_lowercase() || said == n.to_lowercase())
    }

    /// The constraint under which only labels can be answered. `encode` turns a completion into tokens.
    ///
    /// # Errors
    /// If `encode` fails.
    pub fn trie<E>(&self, encode: impl Fn(&str) -> Result<Vec<u32>, E>, stop: u32) -> Result<Trie, E> {
        let answers: Vec<Vec<u32>> = (0..self.names.len()).map(|i| encode(&self.completion(i))).collect::<Result<_, E>>()?;
        Ok(Trie::new(answers.iter().map(Vec::as_slice), stop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_its_sentences_and_is_never_lost() {
        assert_eq!(sentences("Dov'è il pacco? Aspetto da ieri!  Boh. Non arriva più…"), ["Dov'è il pacco?", "Aspetto da ieri!", "Non arriva più…"]);
        assert_eq!(sentences("pacco perso"), ["pacco perso"]);
        assert_eq!(sentences(""), [""]);
    }

    #[test]
    fn labels_are_spelled_and_read_back() {
        let labels = Labels::new(vec!["order_tracking".into(), "Return-Refund".into()]);
        assert_eq!(labels.completion(0), " order tracking");
        assert_eq!(labels.parse("  Order Tracking \nMessaggio: altro"), Some(0));
        assert_eq!(labels.parse("return refund"), Some(1));
        assert_eq!(labels.parse("return-refund"), Some(1));
        assert_eq!(labels.parse("order"), None);
        assert_eq!(labels.parse(""), None);
    }

    #[test]
    fn labels_that_would_be_spelled_alike_keep_their_names() {
        let labels = Labels::new(vec!["a_b".into(), "a b".into()]);
        assert_eq!((labels.completion(0), labels.completion(1)), (" a_b".into(), " a b".into()));
    }
}
