//! Energy that the processor used, where the system counts it: Linux's RAPL counters under `/sys/class/powercap`.
//!
//! They count the whole processor, other programs on it included, and often only an administrator may read them;
//! then nothing is said rather than guessed.

use std::path::{Path, PathBuf};

/// A counter of microjoules that begins anew at `range`.
struct Counter {
    file: PathBuf,
    range: u64,
    last: u64,
}

/// Counts the energy of all processor packages and their memory since it was started.
pub struct Meter {
    counters: Vec<Counter>,
    microjoules: u64,
    whole: bool,
}

impl Meter {
    /// Starts to count; `None` where nothing counts, or what counts may not be read.
    pub fn start() -> Option<Self> {
        Self::of(Path::new("/sys/class/powercap"))
    }

    fn of(root: &Path) -> Option<Self> {
        let mut counters = Vec::new();
        for zone in std::fs::read_dir(root).ok()?.flatten() {
            // `intel-rapl:0` is a package, also of AMD; `intel-rapl:0:2` a part of one; `intel-rapl-mmio:0` the same again
            let name = zone.file_name().to_string_lossy().into_owned();
            let kind = std::fs::read_to_string(zone.path().join("name")).unwrap_or_default();
            let counted = kind.starts_with("package") || kind.trim() == "dram";
            if !name.starts_with("intel-rapl:") || !counted {
                continue;
            }
            let file = zone.path().join("energy_uj");
            let range = number(&zone.path().join("max_energy_range_uj"))?;
            counters.push(Counter { last: number(&file)?, file, range });
        }
        (!counters.is_empty()).then_some(Self { counters, microjoules: 0, whole: true })
    }

    /// Reads the counters. They begin anew after minutes to hours, so call it at every step.
    pub fn sample(&mut self) {
        for counter in &mut self.counters {
            let Some(now) = number(&counter.file) else {
                self.whole = false;
                continue;
            };
            let used = if now >= counter.last { now - counter.last } else { counter.range.saturating_sub(counter.last).saturating_add(now) };
            self.microjoules = self.microjoules.saturating_add(used);
            counter.last = now;
        }
    }

    /// Joules since the start; `None` if a counter could not be read at some time.
    pub fn joules(&mut self) -> Option<f64> {
        self.sample();
        self.whole.then_some(self.microjoules as f64 * 1e-6)
    }
}

fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(root: &Path, name: &str, kind: &str, energy: u64) {
        std::fs::create_dir_all(root.join(name)).expect("a folder");
        for (file, text) in [("name", kind.to_string()), ("energy_uj", format!("{energy}\n")), ("max_energy_range_uj", "1000000".into())] {
            std::fs::write(root.join(name).join(file), text).expect("a file");
        }
    }

    #[test]
    fn packages_and_memory_are_counted_once_and_across_a_new_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        assert!(Meter::of(&root.join("missing")).is_none() && Meter::of(root).is_none());
        zone(root, "intel-rapl", "", 0);
        zone(root, "intel-rapl:0", "package-0\n", 900_000);
        zone(root, "intel-rapl:0:0", "core\n", 5);
        zone(root, "intel-rapl:0:2", "dram\n", 10);
        zone(root, "intel-rapl-mmio:0", "package-0\n", 900_000);
        let mut meter = Meter::of(root).expect("two counters");
        zone(root, "intel-rapl:0", "package-0\n", 950_000);
        meter.sample();
        zone(root, "intel-rapl:0", "package-0\n", 20_000);
        zone(root, "intel-rapl:0:2", "dram\n", 30_010);
        zone(root, "intel-rapl:0:0", "core\n", 900_000);
        assert_eq!(meter.joules(), Some(0.15));
        assert_eq!(meter.joules(), Some(0.15));
        std::fs::write(root.join("intel-rapl:0/energy_uj"), "not a number").expect("a file");
        meter.sample();
        zone(root, "intel-rapl:0", "package-0\n", 30_000);
        assert_eq!(meter.joules(), None, "what was not counted is not known");
    }
}
