//! Texts that are the same, or nearly.
//!
//! Two texts are the same if their [`normalized`] forms are; they are nearly the same if they share
//! at least [`NEAR`] of their character 4-grams (Jaccard index). [`groups`] finds both among a
//! million rows: MinHash signatures (Broder 1997) put likely pairs into the same bucket (banding,
//! Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3), and only a pair whose
//! index was then computed on the texts themselves is believed. The signatures are gaoya's; its index
//! is not used because it keeps every signature in hash sets, several gigabytes for a million rows.

use crate::error::Result;
use crate::watch::{PIECE, Steps};
use gaoya::minhash::{MinHasher, MinHasher32};
use rayon::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use unicode_normalization::UnicodeNormalization;

/// Share of common 4-grams from which two texts are nearly the same: a typing slip, or one word of
/// about ten.
pub const NEAR: f64 = 0.7;

/// Rows of a signature that must agree for two texts to meet in a bucket, and how many such chances
/// they have. A pair at 0.7 is missed once in 250, at 0.75 once in 3 000, at 0.8 once in 100 000.
const BAND: usize = 5;
const BANDS: usize = 30;
/// What a text counts in the [`work`] of comparing it: to sign it takes as long as several looks at a band.
const SIGNING: u64 = 8;
const PAIRING: u64 = SIGNING + BANDS as u64;
/// Estimates below this are not worth a look at the texts: at 0.7 they are two deviations away.
const LIKELY: usize = BANDS * BAND * 62 / 100;
/// Texts that resemble many others without being near one would be looked at for ever.
const PATIENCE: u8 = 8;

/// Lower-case letters and digits with single spaces between words, in Unicode NFKC.
pub fn normalized(text: &str) -> String {
    // most texts of Europe's languages hold nothing that NFKC changes, and finding that out takes a tenth of the time
    let mut out = plainly(text).unwrap_or_else(|| {
        let mut out = String::with_capacity(text.len());
        text.nfkc().flat_map(char::to_lowercase).for_each(|c| push(&mut out, c));
        out
    });
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

fn push(out: &mut String, c: char) {
    if c.is_alphanumeric() {
        out.push(c);
    } else if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// The lower case of ASCII's letters and digits; zero for what stands between words.
const LOWER: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128u8 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// A text of [`plain`] characters with spaces between words; `None` if there are others.
fn plainly(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    // read byte by byte, because nearly all are letters of ASCII
    while let Some(&byte) = text.as_bytes().get(at) {
        match LOWER.get(usize::from(byte)) {
            Some(0) => push(&mut out, ' '),
            Some(&letter) => out.push(char::from(letter)),
            None => {
                let c = text[at..].chars().next().filter(|c| plain(*c))?;
                push(&mut out, lower(c));
                at += c.len_utf8() - 1;
            }
        }
        at += 1;
    }
    Some(out)
}

/// Whether a character is ASCII, a letter of Latin-1, or a typographic mark: NFKC leaves these as they are, or makes
/// of them other marks, which are spaces here anyway.
fn plain(c: char) -> bool {
    c.is_ascii() || matches!(c, '\u{c0}'..='\u{ff}' | '\u{2010}'..='\u{2027}' | '€')
}

/// The lower case of a [`plain`] character.
fn lower(c: char) -> char {
    match c {
        '\u{c0}'..='\u{de}' if c != '×' => char::from_u32(u32::from(c) + 0x20).unwrap_or(c),
        c => c.to_ascii_lowercase(),
    }
}

/// The set of character 4-grams of a normalized text as sorted hashes; a shorter text is one gram.
pub fn grams(normalized: &str) -> Vec<u32> {
    let mut out = all_grams(normalized);
    out.sort_unstable();
    out.dedup();
    out
}

/// The grams in the order of the text, repeated where it repeats itself.
fn all_grams(normalized: &str) -> Vec<u32> {
    let mix = |h: u64, c: u32| (h.rotate_left(21) ^ u64::from(c)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = |c: &[u32]| (c.iter().fold(0, |h, &c| mix(h, c)) >> 32) as u32;
    let mut out = Vec::with_capacity(normalized.len());
    let mut window = [0; 4];
    let mut seen = 0;
    for c in normalized.chars() {
        window = [window[1], window[2], window[3], u32::from(c)];
        seen += 1;
        if seen >= 4 {
            out.push(hash(&window));
        }
    }
    if out.is_empty() {
        out.push(hash(&window[4 - seen..]));
    }
    out
}

/// Size of the intersection over size of the union of two sorted sets; 0 when both are empty.
pub fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let order = a[i].cmp(&b[j]);
        both += usize::from(order.is_eq());
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    let union = a.len() + b.len() - both;
    if union == 0 { 0.0 } else { both as f64 / union as f64 }
}

/// Which texts belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// For each text the first one that is the same as it when normalized (itself, if none before is).
    pub same: Vec<u32>,
    /// For each text the first one of its group of nearly equal texts; equal texts are in one group.
    pub near: Vec<u32>,
}

/// What [`groups`] counts of so many texts.
pub fn work(texts: usize) -> u64 {
    texts as u64 * (1 + PAIRING)
}

/// Groups up to 2³² texts. Texts without letters and digits are the same only if written alike. Of `steps` it takes what [`work`]
/// says.
///
/// # Errors
/// If it was ended.
pub fn groups(texts: &[&str], steps: &mut Steps<'_>) -> Result<Groups> {
    let same = same(texts, steps)?;
    let mut near: Vec<u32> = (0..).take(texts.len()).collect();
    let words = |i: &u32| texts[*i as usize].chars().any(char::is_alphanumeric);
    let distinct: Vec<u32> = near.iter().copied().filter(|&i| same[i as usize] == i).filter(words).collect();
    // a text that is another one is not compared again
    steps.after((texts.len() - distinct.len()) as u64 * PAIRING)?;
    for (a, b) in pairs(texts, &distinct, steps)? {
        let (a, b) = (root(&mut near, a), root(&mut near, b));
        near[a.max(b) as usize] = a.min(b);
    }
    let near = (0..texts.len()).map(|i| root(&mut near, same[i])).collect();
    Ok(Groups { same, near })
}

fn root(parents: &mut [u32], mut of: u32) -> u32 {
    while parents[of as usize] != of {
        let above = parents[parents[of as usize] as usize];
        parents[of as usize] = above;
        of = above;
    }
    of
}

fn same(texts: &[&str], steps: &mut Steps<'_>) -> Result<Vec<u32>> {
    let key = |text: &&str| {
        let mut hasher = DefaultHasher::new();
        match normalized(text) {
            n if n.is_empty() => (1, text.trim()).hash(&mut hasher),
            n => (0, n).hash(&mut hasher),
        }
        hasher.finish()
    };
    let mut keys: Vec<(u64, u32)> = steps.each(texts, |text| Some(key(text)))?.into_iter().zip(0..).collect();
    keys.par_sort_unstable();
    let mut out = vec![0; texts.len()];
    for group in keys.chunk_by(|a, b| a.0 == b.0) {
        for &(_, i) in group {
            out[i as usize] = group[0].1;
        }
    }
    Ok(out)
}

/// Pairs of nearly equal texts, enough of them to join each group.
fn pairs(texts: &[&str], of: &[u32], steps: &mut Steps<'_>) -> Result<Vec<(u32, u32)>> {
    let hasher = MinHasher32::new(BANDS * BAND);
    // a byte of each of the signature's values estimates the index; a hash of each band finds who meets
    let (mut bytes, mut keys) = (vec![0u8; of.len() * BANDS * BAND], vec![0u32; of.len() * BANDS]);
    let sign = |((bytes, keys), &i): ((&mut [u8], &mut [u32]), &u32)| {
        let signature = hasher.create_signature(all_grams(&normalized(texts[i as usize])).iter());
        for (byte, value) in bytes.iter_mut().zip(&signature) {
            *byte = (value.wrapping_mul(0x9e37_79b1) >> 24) as u8;
        }
        for (key, band) in keys.iter_mut().zip(signature.chunks(BAND)) {
            let mixed = band.iter().fold(0u64, |h, &v| (h.rotate_left(23) ^ u64::from(v)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            *key = (mixed >> 32) as u32;
        }
    };
    for ((bytes, keys), of) in bytes.chunks_mut(PIECE * BANDS * BAND).zip(keys.chunks_mut(PIECE * BANDS)).zip(of.chunks(PIECE)) {
        bytes.par_chunks_mut(BANDS * BAND).zip(keys.par_chunks_mut(BANDS)).zip(of).for_each(sign);
        steps.after(of.len() as u64 * SIGNING)?;
    }
    let signature = |i: usize| &bytes[i * BANDS * BAND..][..BANDS * BAND];
    let mut parents: Vec<u32> = (0..).take(of.len()).collect();
    let mut failures = vec![0u8; of.len()];
    let mut found = Vec::new();
    for band in 0..BANDS {
        let mut order: Vec<(u32, u32)> = (0..of.len()).map(|i| keys[i * BANDS + band]).zip(0..).collect();
        order.par_sort_unstable();
        let buckets: Vec<&[(u32, u32)]> = order.chunk_by(|a, b| a.0 == b.0).filter(|b| b.len() > 1).collect();
        let groups: Vec<u32> = (0..).take(of.len()).map(|i| root(&mut parents, i)).collect();
        let mut looks: Vec<Vec<Look>> = Vec::with_capacity(buckets.len());
        for buckets in buckets.chunks(PIECE) {
            looks.par_extend(buckets.par_iter().map(|bucket| look(bucket, &groups, &failures, signature, |i| grams(&normalized(texts[of[i] as usize])))));
            steps.after(0)?;
        }
        for (a, b, near) in looks.into_iter().flatten() {
            if near {
                let (x, y) = (root(&mut parents, a), root(&mut parents, b));
                parents[x.max(y) as usize] = x.min(y);
                found.push((of[a as usize], of[b as usize]));
            } else {
                failures[b as usize] = failures[b as usize].saturating_add(1);
            }
        }
        steps.after(of.len() as u64)?;
    }
    Ok(found)
}

/// Two rows whose texts were compared, and whether they are near.
type Look = (u32, u32, bool);

/// How many bytes two signatures have in common.
fn agree(a: &[u8], b: &[u8]) -> usize {
    // a byte holds the count, and sixteen are counted at a time if none of them has to be checked for overflow
    const { assert!(BANDS * BAND <= u8::MAX as usize) };
    usize::from(a.iter().zip(b).fold(0u8, |n, (x, y)| n.wrapping_add(u8::from(x == y))))
}

/// The rows of a bucket that are near none before them. What is looked at of each for every row after it
/// lies together: read from where all rows have theirs, most of the time would go into waiting for memory.
#[derive(Default)]
struct Leaders {
    rows: Vec<u32>,
    groups: Vec<u32>,
    signatures: Vec<u8>,
    grams: Vec<Option<Vec<u32>>>,
}

impl Leaders {
    fn push(&mut self, row: u32, group: u32, signature: &[u8], grams: Option<Vec<u32>>) {
        self.rows.push(row);
        self.groups.push(group);
        self.signatures.extend_from_slice(signature);
        self.grams.push(grams);
    }
}

/// Compares the rows of a bucket: each with those before it that are near none themselves, likeliest
/// first, until one is near.
fn look<'a>(bucket: &[(u32, u32)], groups: &[u32], failures: &[u8], signature: impl Fn(usize) -> &'a [u8], grams: impl Fn(usize) -> Vec<u32>) -> Vec<Look> {
    // everyone with everyone would be the square of a large bucket
    let most = ((1 << 22) / bucket.len()).clamp(16, 512);
    let mut out = Vec::new();
    let mut leaders = Leaders::default();
    let mut likely: Vec<(usize, usize)> = Vec::new();
    for &(_, row) in bucket {
        let (group, own) = (groups[row as usize], signature(row as usize));
        let from = leaders.rows.len().saturating_sub(most);
        if leaders.groups[from..].contains(&group) {
            continue;
        }
        likely.clear();
        if failures[row as usize] < PATIENCE {
            let theirs = leaders.signatures[from * BANDS * BAND..].chunks_exact(BANDS * BAND);
            likely.extend(theirs.map(|theirs| agree(theirs, own)).zip(from..).filter(|(n, _)| *n >= LIKELY));
            likely.sort_unstable_by_key(|&(n, l)| (std::cmp::Reverse(n), l));
            likely.truncate(PATIENCE as usize / 2);
        }
        let mut ours: Option<Vec<u32>> = None;
        let mut joined = false;
        for &(_, l) in &likely {
            let ours = ours.get_or_insert_with(|| grams(row as usize));
            let leader = leaders.rows[l];
            let theirs = leaders.grams[l].get_or_insert_with(|| grams(leader as usize));
            joined = jaccard(ours, theirs) >= NEAR;
            out.push((leader, row, joined));
            if joined {
                break;
            }
        }
        if !joined {
            leaders.push(row, group, own, ours);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn normalized_texts_keep_letters_and_digits() {
        assert_eq!(normalized("  Perché NO?\n(2 €) "), "perché no 2");
        assert_eq!(normalized("Uno -- due!"), "uno due");
        assert_eq!(normalized("ﬁne\u{301}"), "finé");
        assert_eq!(normalized("?!"), "");
    }

    #[test]
    fn plain_characters_are_normalized_as_all_others_are() {
        for c in (0..0x3000).filter_map(char::from_u32).filter(|c| plain(*c)) {
            let whole: String = c.to_string().nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect();
            let own: String = Some(lower(c)).into_iter().filter(|c| c.is_alphanumeric()).collect();
            assert_eq!(own, whole, "{c:?}");
        }
        // a mark that is put onto the letter before it
        assert_eq!(normalized("perche\u{301} così"), "perché così");
    }

    #[test]
    fn case_and_punctuation_do_not_tell_texts_apart() {
        let g = groups(&["Ciao, a tutti!", "altro", "ciao a tutti", "😀", "🚀", "😀"], &mut Steps::default()).expect("nobody ends it");
        assert_eq!(g.same, [0, 1, 0, 3, 4, 3]);
        assert_eq!(g.near, [0, 1, 0, 3, 4, 3]);
    }

    /// Random sentences, each followed by itself with one word changed.
    #[test]
    fn all_pairs_that_are_near_and_no_others_are_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut word = || (0..rng.random_range(3..9)).map(|_| char::from(b'a' + rng.random_range(0..26u8))).collect::<String>();
        let mut texts = Vec::new();
        for i in 0..600 {
            let mut words: Vec<String> = (0..14).map(|_| word()).collect();
            texts.push(words.join(" "));
            words[i % 14] = word();
            texts.push(words.join(" "));
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = groups(&texts, &mut Steps::default()).expect("nobody ends it");
        let sets: Vec<Vec<u32>> = texts.iter().map(|t| grams(&normalized(t))).collect();
        let mut near = 0;
        for a in 0..texts.len() {
            for b in a + 1..texts.len() {
                let index = jaccard(&sets[a], &sets[b]);
                near += usize::from(index >= NEAR);
                assert_eq!(found.near[a] == found.near[b], index >= NEAR, "{index}: {} / {}", texts[a], texts[b]);
            }
        }
        assert!(near > 550, "the test compares too few near pairs: {near}");
    }

    #[test]
    fn a_pile_of_texts_alike_is_one_group_and_takes_no_square_of_time() {
        let texts: Vec<String> = (0..20_000).map(|i| format!("la fattura numero {i} non è ancora arrivata al mio indirizzo di casa")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut told = Vec::new();
        let mut watch = |done: u64, _: Option<u64>| {
            told.push(done);
            true
        };
        let whole = work(texts.len());
        let first = groups(&texts, &mut Steps::new(whole, &mut watch)).expect("nobody ends it").near;
        assert!(first.iter().filter(|&&g| g == 0).count() > 19_900);
        assert!(told.is_sorted() && told.last() == Some(&whole) && told.len() > 40, "{told:?}");
        // wherever it is ended, it goes no further
        for last in [1, 7, 20] {
            let mut asked = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                asked += 1;
                asked < last
            };
            assert!(groups(&texts, &mut Steps::new(whole, &mut watch)).is_err());
            assert_eq!(asked, last);
        }
    }
}
