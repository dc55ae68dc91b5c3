//! Files that the page may name: those that a person chose in a dialog, dropped on the window or gave on the command
//! line, what lies below them, the library, and the data sets that came with the program. The page is our own, but it
//! shows foreign text; whatever that text might make it do, it cannot make it read another file.

use crate::shell::{Failure, lock};
use say::say;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The files that the page may name.
pub struct Grants(Mutex<BTreeSet<PathBuf>>);

/// A path without links and `..`; of a file that is yet to be made, its folder's.
fn whole(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?)))
}

impl Grants {
    /// These and what lies below them, from the start. What does not exist yet counts when it does.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let grants = Self(Mutex::default());
        grants.add(&paths.into_iter().collect::<Vec<_>>());
        grants
    }

    /// These too, and what lies below them.
    pub fn add<P: AsRef<Path>>(&self, paths: &[P]) {
        lock(&self.0).extend(paths.iter().filter_map(|p| whole(p.as_ref())));
    }

    /// Refuses a path that nobody granted.
    pub fn check(&self, path: &Path) -> Result<(), Failure> {
        let granted = path.is_absolute() && whole(path).is_some_and(|p| p.ancestors().any(|a| lock(&self.0).contains(a)));
        let refusal = || Failure {
            message: say!(
                "{}: choose this file in the dialog, or drop it on the window",
                "{}: scegli questo file nella finestra di dialogo, o trascinalo sulla finestra",
                path.display()
            ),
        };
        if granted { Ok(()) } else { Err(refusal()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_granted_and_what_lies_below_it_passes() {
        let dir = tempfile::tempdir().expect("a folder");
        let (own, other) = (dir.path().join("own"), dir.path().join("other"));
        std::fs::create_dir_all(own.join("in")).expect("made");
        std::fs::write(&other, "x").expect("written");
        let grants = Grants::new([own.clone()]);
        assert!(grants.check(&own.join("in")).is_ok());
        assert!(grants.check(&own.join("new")).is_ok());
        assert!(grants.check(&own.join("in/../../other")).is_err());
        assert!(grants.check(&other).is_err_and(|e| e.message.contains("other")));
        assert!(grants.check(Path::new("own")).is_err());
        grants.add(&[&other]);
        assert!(grants.check(&other).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_grants_nothing_but_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = dir.path().join("own");
        std::fs::create_dir(&own).expect("made");
        std::fs::write(dir.path().join("secret"), "x").expect("written");
        std::os::unix::fs::symlink(dir.path().join("secret"), own.join("link")).expect("linked");
        assert!(Grants::new([own.clone()]).check(&own.join("link")).is_err());
    }
}
