//! One table written in several files, as Hugging Face does: `train-00000-of-00002.parquet` and the rest of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All files of the table whose first one this is, in order; of any other file, or where one of them is missing, it alone.
pub fn shards(path: &Path) -> Vec<PathBuf> {
    let alone = || vec![path.to_path_buf()];
    let Some((name, 0, of)) = parse(path) else { return alone() };
    let real = |p: &Path| Some(p.canonicalize().ok()?.parent()?.to_path_buf());
    // where a link leads elsewhere than the first one does, it is none of them
    let (folder, place) = (path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")), real(path));
    let mut found: BTreeMap<usize, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = path.with_file_name(entry.file_name());
        if let Some((same, number, all)) = parse(&other)
            && (same, all, other.extension()) == (name, of, path.extension())
            && real(&other) == place
        {
            found.insert(number, other);
        }
    }
    if found.keys().copied().eq(0..of) { found.into_values().collect() } else { alone() }
}

/// Which file of its table's a file's name says that it is, from 0, and of how many; none where it is all of it.
pub fn part(path: &Path) -> Option<(usize, usize)> {
    parse(path).map(|(_, number, of)| (number, of)).filter(|(_, of)| *of > 1)
}

/// Which table a file's name says it is a part of, which part, and of how many; a hash may stand behind.
fn parse(path: &Path) -> Option<(&str, usize, usize)> {
    let (before, behind) = path.file_stem()?.to_str()?.split_once("-of-")?;
    let (name, number) = before.rsplit_once('-')?;
    let of = behind.split('-').next()?;
    let count = |digits: &str| if digits.len() == 5 { digits.parse::<usize>().ok() } else { None };
    Some((name, count(number)?, count(of)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_which_part_of_which_table_a_file_is() {
        let parsed = |name: &'static str| parse(Path::new(name));
        assert_eq!(parsed("data/train-00000-of-00002.parquet"), Some(("train", 0, 2)));
        assert_eq!(parsed("my-test-00001-of-00010-a09b74b3ef9c3b56.parquet"), Some(("my-test", 1, 10)));
        for other in ["train.parquet", "train-1-of-2.parquet", "one-of-00002.csv", "train-0000a-of-00002.csv", "best-of-all.csv"] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
