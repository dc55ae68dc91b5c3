//! Files that nobody here wrote open without a flag or with one `--columns`. They lie beside the
//! repository, where the project is developed, and are read in place.

use acceptance::root;
use data::read::{self, Columns};
use data::set::{DataSet, Source, Split};
use data::{Kind, Target};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn shared(name: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not here; real data sets are kept beside the repository", path.display());
    None
}

fn labels(set: &DataSet) -> usize {
    Split::ALL.into_iter().flat_map(|s| set.examples(s)).map(|e| e.label()).collect::<BTreeSet<_>>().len()
}

fn open(folder: PathBuf) -> DataSet {
    DataSet::open(&Source { folder: Some(folder), kind: Some(Kind::Intent), ..Source::default() }).expect("opens")
}

#[test]
fn seventy_seven_intents_in_two_csv_files() {
    let Some(folder) = shared("banking77") else { return };
    let set = open(folder);
    assert_eq!(Split::ALL.map(|s| set.examples(s).len()), [10_003, 0, 3_080]);
    assert_eq!(labels(&set), 77);
    assert_eq!(set.examples(Split::Train)[0].text, "I am still waiting on my card?");
}

#[test]
fn a_hundred_and_fifty_intents_in_one_json_file_of_six_lists() {
    let Some(folder) = shared("clinc150") else { return };
    let set = open(folder);
    assert_eq!(labels(&set), 151, "150 and out of scope");
    let sizes = Split::ALL.map(|s| set.examples(s).len());
    assert_eq!(sizes, [7_600, 3_100, 5_500], "the small set: 50, 20 and 30 of each, and those out of scope");
}

#[test]
fn italian_tweets_in_universal_dependencies() {
    let Some(folder) = shared("twittiro") else { return };
    let file = folder.join("it_twittiro-ud-test.conllu");
    let columns = Columns::parse("label=twittiro").expect("columns");
    let tweets = read::examples(&file, Kind::Intent, &columns).expect("opens");
    let sentences = std::fs::read_to_string(&file).expect("UTF-8").lines().filter(|l| l.starts_with("# text = ")).count();
    assert_eq!(tweets.len(), sentences);
    assert_eq!(tweets[0].text, "SI A MONTE MARIO ..... NO A MARIO MONTI http://t.co/XVaaX1X9");
    assert_eq!(tweets[0].target, Target::Label("EXPLICIT ANALOGY".into()));
    assert_eq!(tweets[0].origin.line, 1);
}
