//! How alike two texts are: the measures that the cards of the shipped data sets promise.

use std::collections::HashSet;
use std::hash::Hash;

/// The cards' `normalise`: lower case, accents folded, everything but letters and digits a space.
pub fn normalise(text: &str) -> String {
    let fold = |c: char| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => ' ',
    };
    let folded: String = text.to_lowercase().chars().map(fold).collect();
    folded.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The set of character 4-grams of the normalised text; a shorter text is one gram.
pub fn grams(text: &str) -> HashSet<[u8; 4]> {
    let text = normalise(text);
    let mut short = [0; 4];
    match text.as_bytes() {
        bytes if bytes.len() < 4 => {
            short[..bytes.len()].copy_from_slice(bytes);
            HashSet::from([short])
        }
        bytes => bytes.windows(4).map(|w| [w[0], w[1], w[2], w[3]]).collect(),
    }
}

/// Size of the intersection over size of the union; 0 when both are empty.
pub fn jaccard<T: Eq + Hash>(a: &HashSet<T>, b: &HashSet<T>) -> f64 {
    let both = a.intersection(b).count();
    let union = a.len() + b.len() - both;
    if union == 0 { 0.0 } else { both as f64 / union as f64 }
}

/// Panics if two of the texts are the same when normalised, or share this much of their character
/// 4-grams. Each text comes with where it stands.
pub fn assert_apart(texts: &[(String, String)], most: f64) {
    let prepared: Vec<_> = texts.iter().map(|(_, t)| (normalise(t), grams(t))).collect();
    for (i, (a, ag)) in prepared.iter().enumerate() {
        for (j, (b, bg)) in prepared.iter().enumerate().skip(i + 1) {
            let rows = format!("{} and {}", texts[i].0, texts[j].0);
            assert_ne!(a, b, "{rows}");
            assert!(jaccard(ag, bg) < most, "{rows}: characters {:.2}", jaccard(ag, bg));
        }
    }
}
