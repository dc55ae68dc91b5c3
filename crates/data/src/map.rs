//! A data set as a map: examples as vectors, their neighbours, and their places on a plane.
//!
//! The vectors come from outside (the model's mean hidden states; nothing here touches tensors).
//! [`Vectors`] centres and scales their components and brings them to length one: hidden states all point
//! roughly the same way, a few components are many times as large as the others, and only what differs
//! tells texts apart. [`Vectors::layout`] is PCA to at most fifty
//! dimensions, then t-SNE (van der Maaten 2014), begun from the first two components and without
//! chance, so that the same vectors give the same map. [`Vectors::suspects`] are examples that
//! resemble those of another label. [`write`] puts the places into a file.

use crate::error::{Error, Result};
use crate::set::Split;
use crate::watch::{Watch, aside};
use bhtsne::Neighbor;
use gemma::file::write_atomically_with;
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_reduction::Pca;
use ndarray::Array2;
use rayon::prelude::*;
use say::say;
use serde::Serialize;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Dimensions that t-SNE sees.
const COMPONENTS: usize = 50;
/// Examples of each label that judge a row, and how few of them are still a jury.
const JURY: usize = 5;
const QUORUM: usize = 3;
/// How much more similar those of another label must be. Of ten wrong labels planted in the training messages of
/// intents-it this finds eight, with one right one (see BENCHMARKS.md for what other margins and rules gave).
const MARGIN: f32 = 0.12;
/// Steps of t-SNE, and how many neighbours each point heeds.
const STEPS: usize = 600;
const PERPLEXITY: usize = 30;
/// Accuracy of t-SNE's far field; 0.5 is what its author proposes.
const THETA: f32 = 0.5;
/// Points whose neighbours are sought between two questions whether to go on.
const SOUGHT: usize = 256;

/// Vectors of examples, ready to be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// Row by row, each of length one.
    flat: Vec<f32>,
    width: usize,
}

/// An example near another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// Which example.
    pub row: usize,
    /// Cosine of the angle between the two, between -1 and 1.
    pub similarity: f32,
}

/// An example that resembles those of another label more than those of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// Which example.
    pub row: usize,
    /// The label that it resembles most.
    pub label: String,
    /// Mean similarity to the nearest examples of its own label, between -1 and 1.
    pub own: f32,
    /// As `own`, of the other label.
    pub theirs: f32,
    /// The nearest example with that label.
    pub witness: usize,
}

impl Vectors {
    /// Centres and scales vectors, given row by row. `None` if they are not whole rows, or not finite.
    pub fn new(mut flat: Vec<f32>, width: usize) -> Option<Self> {
        if width == 0 || !flat.len().is_multiple_of(width) || flat.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let rows = (flat.len() / width).max(1) as f64;
        let (mut mean, mut deviation) = (vec![0.0f64; width], vec![0.0f64; width]);
        for row in flat.chunks(width) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x) / rows);
        }
        for row in flat.chunks(width) {
            deviation.iter_mut().zip(&mean).zip(row).for_each(|((d, m), x)| *d += (f64::from(*x) - m).powi(2) / rows);
        }
        // a component that never changes tells nothing
        let scale: Vec<f64> = deviation.iter().map(|d| if *d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect();
        flat.par_chunks_mut(width).for_each(|row| {
            row.iter_mut().zip(&mean).zip(&scale).for_each(|((x, m), s)| *x = ((f64::from(*x) - m) * s) as f32);
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            if length > 0.0 {
                row.iter_mut().for_each(|x| *x /= length);
            }
        });
        Some(Self { flat, width })
    }

    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.flat.len() / self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.flat[row * self.width..][..self.width]
    }

    /// The nearest other examples, nearest first; none if there is no such row.
    pub fn nearest(&self, row: usize, most: usize) -> Vec<Neighbour> {
        if row >= self.rows() {
            return Vec::new();
        }
        let own = self.row(row);
        let similarity = |other: usize| own.iter().zip(self.row(other)).map(|(a, b)| a * b).sum();
        let mut all: Vec<Neighbour> = (0..self.rows()).filter(|&other| other != row).map(|row| Neighbour { row, similarity: similarity(row) }).collect();
        all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.row.cmp(&b.row)));
        all.truncate(most);
        all
    }

    /// Examples that resemble those of another label more than those of their own, likeliest first: for
    /// each label the five most similar count. `labels` has one for each row. Takes the square of the
    /// number of rows.
    ///
    /// Comparing label by label, and not who is in the majority around a row, works with ten examples of a
    /// label as with a thousand, and a common label does not outvote a rare one.
    pub fn suspects(&self, labels: &[&str]) -> Vec<Suspect> {
        let mut names: Vec<&str> = labels.to_vec();
        names.sort_unstable();
        names.dedup();
        let rows = self.rows().min(labels.len());
        let of: Vec<usize> = labels.iter().map(|l| names.partition_point(|n| n < l)).collect();
        let judge = |row: usize| {
            let own_vector = self.row(row);
            // the most similar rows of each label, most similar first
            let mut best: Vec<Vec<(f32, usize)>> = vec![Vec::with_capacity(JURY + 1); names.len()];
            for other in (0..rows).filter(|other| *other != row) {
                let similarity: f32 = own_vector.iter().zip(self.row(other)).map(|(a, b)| a * b).sum();
                let jury = &mut best[of[other]];
                if jury.len() < JURY || jury.last().is_some_and(|(least, _)| similarity > *least) {
                    let at = jury.partition_point(|(s, _)| *s >= similarity);
                    jury.insert(at, (similarity, other));
                    jury.truncate(JURY);
                }
            }
            let mean = |jury: &[(f32, usize)]| jury.iter().map(|(s, _)| s).sum::<f32>() / jury.len() as f32;
            let own = Some(&best[of[row]]).filter(|jury| jury.len() >= QUORUM).map(|jury| mean(jury))?;
            let others = best.iter().enumerate().filter(|(label, jury)| *label != of[row] && jury.len() >= QUORUM);
            let (theirs, label) = others.map(|(label, jury)| (mean(jury), label)).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
            let witness = best[label].first()?.1;
            (theirs - own > MARGIN).then(|| Suspect { row, label: names[label].into(), own, theirs, witness })
        };
        let mut found: Vec<Suspect> = (0..rows).into_par_iter().filter_map(judge).collect();
        found.sort_by(|a, b| (b.theirs - b.own).total_cmp(&(a.theirs - a.own)).then(a.row.cmp(&b.row)));
        found
    }

    /// Places of the examples on a plane, in no unit; only nearness means something. `watch` is told how many of the steps are done in
    /// which they find their places, and before these only asked.
    ///
    /// # Errors
    /// If it was ended.
    pub fn layout(&self, watch: Watch<'_>) -> Result<Vec<[f32; 2]>> {
        let (rows, components) = (self.rows(), self.components(watch)?);
        let at = |row: usize, i: usize| components.get(row * components.len() / rows.max(1) + i).copied().unwrap_or(0.0);
        let width = components.len() / rows.max(1);
        let begin: Vec<f32> = (0..rows).flat_map(|row| [at(row, 0), if width > 1 { at(row, 1) } else { 0.0 }]).collect();
        let perplexity = PERPLEXITY.min(rows.saturating_sub(1) / 3);
        if perplexity == 0 || width == 0 {
            return Ok(begin.chunks(2).map(|p| [p[0], p[1]]).collect());
        }
        // t-SNE's first steps expect points close together
        let spread = (begin.iter().step_by(2).map(|x| x * x).sum::<f32>() / rows as f32).sqrt().max(f32::MIN_POSITIVE);
        let begin: Vec<f32> = begin.iter().map(|x| x / spread * 1e-4).collect();
        let points: Vec<&[f32]> = components.chunks(width).collect();
        // its own search for neighbours draws by chance, and its threads add up in no fixed order
        let mut neighbours: Vec<Vec<Neighbor<f32>>> = Vec::with_capacity(rows);
        while neighbours.len() < rows {
            if !watch(0, None) {
                return Err(Error::Ended);
            }
            let piece = neighbours.len()..rows.min(neighbours.len() + SOUGHT);
            neighbours.par_extend(piece.into_par_iter().map(|row| closest(&points, row, 3 * perplexity)));
        }
        let places = embedded(&points, begin, perplexity, &neighbours, watch)?;
        Ok(places.chunks(2).map(|p| [p[0], p[1]]).collect())
    }

    /// The principal components of each row, row by row; the vectors themselves if they are too few for that.
    fn components(&self, watch: Watch<'_>) -> Result<Vec<f32>> {
        let wanted = COMPONENTS.min(self.width).min(self.rows().saturating_sub(1));
        let records = Array2::from_shape_vec((self.rows(), self.width), self.flat.iter().map(|x| f64::from(*x)).collect());
        let reduce = move || {
            let set = DatasetBase::from(records.ok().filter(|_| wanted > 0)?);
            let pca = Pca::params(wanted).fit(&set).ok()?;
            let reduced: Array2<f64> = pca.predict(set.records());
            Some(reduced)
        };
        Ok(match aside(watch, reduce)? {
            Some(reduced) if reduced.iter().all(|x| x.is_finite()) => reduced.iter().map(|x| *x as f32).collect(),
            _ => self.flat.clone(),
        })
    }
}

/// A thread whose work is not wanted any more unwinds with this: the library that places points cannot be told to stop.
struct Left;

/// Where t-SNE places points, coordinate by coordinate.
fn embedded(points: &[&[f32]], begin: Vec<f32>, perplexity: usize, neighbours: &[Vec<Neighbor<f32>>], watch: Watch<'_>) -> Result<Vec<f32>> {
    // after each step it tells of it, and waits for the word to go on
    let (tells, told) = sync_channel::<usize>(0);
    let (answers, answered) = sync_channel::<bool>(0);
    let embed = move || {
        let mut tsne = bhtsne::tSNE::<f32, &[f32], 2>::new(points);
        tsne.perplexity(perplexity as f32).epochs(STEPS).initial_embedding(begin).epoch_callback(move |step, _| {
            if tells.send(step + 1).is_err() || answered.recv() != Ok(true) {
                resume_unwind(Box::new(Left));
            }
        });
        tsne.barnes_hut_with_neighbors(THETA, neighbours);
        tsne.embedding()
    };
    let alone = move || match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(one) => one.install(embed),
        // a system that refuses a thread still gets its map
        Err(_) => embed(),
    };
    thread::scope(|scope| {
        let placing = scope.spawn(alone);
        while let Ok(step) = told.recv() {
            let goes_on = watch(step as u64, Some(STEPS as u64));
            if answers.send(goes_on).is_err() || !goes_on {
                break;
            }
        }
        match placing.join() {
            Ok(places) => Ok(places),
            Err(why) if why.is::<Left>() => Err(Error::Ended),
            Err(crash) => resume_unwind(crash),
        }
    })
}

/// The nearest other points, nearest first.
fn closest(points: &[&[f32]], row: usize, most: usize) -> Vec<Neighbor<f32>> {
    let distance = |other: &[f32]| points[row].iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let mut all: Vec<(f32, usize)> = points.iter().enumerate().filter(|(i, _)| *i != row).map(|(i, p)| (distance(p), i)).collect();
    let order = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if most < all.len() {
        all.select_nth_unstable_by(most, order);
        all.truncate(most);
    }
    all.sort_unstable_by(order);
    all.into_iter().map(|(square, index)| Neighbor { index, distance: square.sqrt() }).collect()
}

/// An example on the plane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Place from left to right.
    pub x: f32,
    /// Place from bottom to top.
    pub y: f32,
    /// What it should be answered with, in short; what points are coloured by.
    pub label: String,
    /// Its part.
    pub split: Split,
    /// Which of the part's examples, from 0.
    pub index: usize,
    /// `file:line`.
    pub row: String,
    /// Its text.
    pub text: String,
}

/// Writes points to a file, in the format that its name says: `.json`, a list of objects, or `.csv`. The
/// file appears at once.
///
/// # Errors
/// If the name says another format, or the disk refuses.
pub fn write(path: &Path, points: &[Point]) -> Result<()> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let written = match ending.as_str() {
        "json" => write_atomically_with(path, |out| Ok(serde_json::to_writer(out, points)?)),
        "csv" => write_atomically_with(path, |out| {
            let mut rows = csv::Writer::from_writer(out);
            points.iter().try_for_each(|p| rows.serialize(p))?;
            rows.flush()
        }),
        _ => {
            return Err(Error::file(
                path,
                say!("is of no format that a map is written in; use .json or .csv", "ha un formato in cui non si scrive una mappa; usa .json o .csv"),
            ));
        }
    };
    written.map_err(|e| Error::io(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Three clouds of forty points far from each other, and the cloud of each point.
    fn clouds() -> (Vectors, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut flat, mut cloud) = (Vec::new(), Vec::new());
        for i in 0..120 {
            cloud.push(i % 3);
            flat.extend((0..64).map(|d| 5.0 + if d % 3 == i % 3 { 2.0 } else { 0.0 } + rng.random_range(-0.5..0.5f32)));
        }
        (Vectors::new(flat, 64).expect("whole rows"), cloud)
    }

    fn layout(vectors: &Vectors) -> Vec<[f32; 2]> {
        vectors.layout(&mut |_, _| true).expect("nobody ends it")
    }

    #[test]
    fn a_map_tells_its_steps_and_is_left_at_any_of_them() {
        let (vectors, _) = clouds();
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            true
        };
        assert_eq!(vectors.layout(&mut watch).expect("nobody ends it"), layout(&vectors));
        let (asked, counted): (Vec<_>, Vec<_>) = told.into_iter().partition(|(_, total)| total.is_none());
        let steps: Vec<(u64, Option<u64>)> = (1..=STEPS as u64).map(|step| (step, Some(STEPS as u64))).collect();
        // once before the components are sought, and once before the neighbours
        assert!(asked.len() >= 2 && asked.iter().all(|(done, _)| *done == 0) && counted == steps, "{asked:?} {counted:?}");
        for last in [0, 1, 300, STEPS as u64] {
            let mut told = Vec::new();
            let mut watch = |done: u64, _: Option<u64>| {
                told.push(done);
                done != last
            };
            assert!(matches!(vectors.layout(&mut watch), Err(Error::Ended)), "{last}");
            assert_eq!((told.last(), told.iter().filter(|done| **done == last).count()), (Some(&last), 1));
        }
    }

    #[test]
    fn neighbours_are_those_of_the_same_cloud() {
        let (vectors, cloud) = clouds();
        for row in 0..vectors.rows() {
            let near = vectors.nearest(row, 20);
            assert_eq!(near.len(), 20);
            assert!(near.iter().all(|n| cloud[n.row] == cloud[row] && n.row != row));
            assert!(near.is_sorted_by(|a, b| a.similarity >= b.similarity));
        }
        assert_eq!(vectors.nearest(120, 3), []);
    }

    #[test]
    fn wrong_labels_are_suspected_and_right_ones_are_not() {
        let (vectors, cloud) = clouds();
        let mut labels: Vec<&str> = cloud.iter().map(|c| ["a", "b", "c"][*c]).collect();
        assert_eq!(vectors.suspects(&labels), []);
        labels[6] = "b";
        labels[70] = "c";
        let mut found: Vec<(usize, String)> = vectors.suspects(&labels).into_iter().map(|s| (s.row, s.label)).collect();
        found.sort();
        assert_eq!(found, [(6, "a".to_string()), (70, "b".to_string())]);
    }

    #[test]
    fn clouds_stay_apart_on_the_plane_and_the_map_repeats() {
        let (vectors, cloud) = clouds();
        let places = layout(&vectors);
        assert_eq!(places.len(), 120);
        let distance = |a: usize, b: usize| (0..2).map(|d| (places[a][d] - places[b][d]).powi(2)).sum::<f32>();
        for a in 0..120 {
            let nearest = (0..120).filter(|&b| b != a).min_by(|&x, &y| distance(a, x).total_cmp(&distance(a, y))).expect("others");
            assert_eq!(cloud[nearest], cloud[a]);
        }
        assert_eq!(places, layout(&vectors));
    }

    #[test]
    fn points_are_written_as_a_list_or_a_table() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let point = |text: &str| Point { x: 1.5, y: -2.0, label: "a".into(), split: Split::Test, index: 3, row: "t.csv:4".into(), text: text.into() };
        let points = [point("uno, due"), point("tre\n\"quattro\"")];
        let file = |name: &str| dir.path().join(name);
        write(&file("x.json"), &points).expect("written");
        let back: serde_json::Value = serde_json::from_slice(&std::fs::read(file("x.json")).expect("there")).expect("JSON");
        assert_eq!((&back[0]["x"], &back[1]["split"], &back[1]["row"]), (&1.5.into(), &"test".into(), &"t.csv:4".into()));
        write(&file("x.csv"), &points).expect("written");
        let table = csv::Reader::from_path(file("x.csv")).expect("there").into_records().collect::<std::result::Result<Vec<_>, _>>().expect("CSV");
        assert_eq!((table.len(), &table[1][1], &table[1][6]), (2, "-2.0", "tre\n\"quattro\""));
        assert!(write(&file("x.svg"), &points).is_err_and(|e| e.to_string().contains("use .json or .csv")));
    }

    #[test]
    fn few_or_odd_vectors_are_no_trouble() {
        assert_eq!(Vectors::new(vec![1.0, 2.0, 3.0], 2), None);
        assert_eq!(Vectors::new(vec![1.0, f32::NAN], 2), None);
        for rows in 0..6 {
            let vectors = Vectors::new((0..rows * 3).map(|x| x as f32).collect(), 3).expect("whole rows");
            let places = layout(&vectors);
            assert_eq!(places.len(), rows);
            assert!(places.iter().flatten().all(|x| x.is_finite()), "{rows}: {places:?}");
            assert_eq!(vectors.suspects(&vec!["a"; rows]), []);
        }
        let same = Vectors::new(vec![1.0; 40], 4).expect("whole rows");
        assert!(layout(&same).iter().flatten().all(|x| x.is_finite()));
    }
}
