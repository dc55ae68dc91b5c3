//! How much memory the control groups of Linux, which containers are made of, let a process take.

use std::path::{Component, Path};

/// Files of a control group: its limit, what it uses, and the line of `memory.stat` that says how much of that is a cache of
/// files, which gives way.
type Names = [&'static str; 3];
const SECOND: Names = ["memory.max", "memory.current", "inactive_file "];
const FIRST: Names = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "];

/// What the control groups that a process is in still let it take, the narrowest deciding; none where there is no limit.
/// `groups` lists them, version 1 or 2, and `mount` is where they are.
pub fn allowed(groups: &Path, mount: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(groups).ok()?;
    let found = text.lines().filter_map(|line| {
        let [id, controllers, path]: [&str; 3] = line.splitn(3, ':').collect::<Vec<_>>().try_into().ok()?;
        let (root, names) = match (id, controllers) {
            ("0", "") => (mount.to_path_buf(), SECOND),
            _ if controllers.split(',').any(|c| c == "memory") => (mount.join("memory"), FIRST),
            _ => return None,
        };
        // a group has the limits of those around it; of a path that a container does not show, only its root is there
        let path = Path::new(path.trim_start_matches('/'));
        let shown = path.components().all(|c| matches!(c, Component::Normal(_)));
        let own = if shown { path } else { Path::new("") };
        own.ancestors().filter_map(|group| left(&root.join(group), names)).min()
    });
    found.min()
}

/// What a control group's limit leaves.
fn left(group: &Path, [limit, used, cache]: Names) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    // without a limit it is the word `max`
    let limit: u64 = read(limit)?.trim().parse().ok()?;
    let used: u64 = read(used)?.trim().parse().ok()?;
    let cache = read("memory.stat").and_then(|stat| stat.lines().find_map(|l| l.strip_prefix(cache))?.trim().parse().ok());
    Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_containers_are_heeded() {
        let dir = tempfile::tempdir().expect("a folder");
        let of = |groups: &str, files: &[(&str, &str)]| {
            let mount = dir.path().join("mount");
            // what an earlier case wrote, if any
            let _ = std::fs::remove_dir_all(&mount);
            for (name, text) in files {
                let path = mount.join(name);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                std::fs::write(path, text).expect("written");
            }
            std::fs::write(dir.path().join("groups"), groups).expect("written");
            allowed(&dir.path().join("groups"), &mount)
        };
        let limited = [("memory.max", "1000\n"), ("memory.current", "700\n"), ("memory.stat", "anon 500\ninactive_file 100\nactive_file 50\n")];
        assert_eq!(of("0::/\n", &limited), Some(400), "the cache of files gives way");
        // the narrower of a group and the one around it
        let nested = |outer: &'static str, inner: &'static str| {
            [("a/memory.max", outer), ("a/memory.current", "300"), ("a/b/memory.max", inner), ("a/b/memory.current", "300")]
        };
        assert_eq!(of("0::/a/b\n", &nested("900", "max")), Some(600));
        assert_eq!(of("0::/a/b\n", &nested("900", "500")), Some(200));
        assert_eq!(of("0::/a/b\n", &nested("max", "max")), None);
        // version 1, beside an empty version 2; a container shows its own group as the root
        let first = [("memory/memory.limit_in_bytes", "1000"), ("memory/memory.usage_in_bytes", "900"), ("memory/memory.stat", "total_inactive_file 50\n")];
        for groups in ["4:cpu,memory:/\n0::/\n", "4:memory:/docker/abc\n0::/\n", "4:memory:/../abc\n"] {
            assert_eq!(of(groups, &first), Some(150), "{groups}");
        }
        // over its limit already, no limit at all, and nonsense
        assert_eq!(of("0::/\n", &[("memory.max", "10"), ("memory.current", "20")]), Some(0));
        for groups in ["", "x", "0::/\n", "4:cpu:/\n"] {
            assert_eq!(of(groups, &[("memory.max", "a lot"), ("memory.current", "1")]), None, "{groups}");
        }
        assert_eq!(allowed(&dir.path().join("nowhere"), dir.path()), None);
    }
}
