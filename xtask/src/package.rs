//! `cargo xtask package`: a Debian package and an AppImage of the window, which is the command, too, with everything a
//! desktop wants to know.
//!
//! For .msi and .dmg, `src-tauri/tauri.conf.json` holds the configuration that Tauri's own bundler reads
//! (`cargo install tauri-cli`, then `cargo tauri build`).

use say::say;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::interface;
use crate::place::{Place, as_typed, expect};
use crate::run::SELECTION;
use crate::setup::{self, Need};

/// The most that may be installed, in bytes.
const MOST: u64 = 120_000_000;

/// What the desktop shows and which files it opens with the window.
const DESKTOP: &str = "[Desktop Entry]
Type=Application
Name=Lapidary
GenericName=Language model trainer
GenericName[it]=Addestramento di modelli linguistici
Comment=Fine-tunes Gemma 3 on the machine in front of you
Comment[it]=Specializza Gemma 3 sul computer che hai davanti
Exec=lapidary-window %F
Icon=lapidary
Terminal=false
Categories=Development;Science;
MimeType=application/vnd.lapidary.run;
StartupWMClass=lapidary-window
";

const MIME: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<mime-info xmlns=\"http://www.freedesktop.org/standards/shared-mime-info\">
  <mime-type type=\"application/vnd.lapidary.run\">
    <comment>Lapidary run</comment>
    <comment xml:lang=\"it\">Esecuzione di Lapidary</comment>
    <sub-class-of type=\"application/zip\"/>
    <icon name=\"lapidary\"/>
    <glob pattern=\"*.lapidary\"/>
  </mime-type>
</mime-info>
";

/// The name of the desktop entry, which the window's identifier gives.
const ENTRY: &str = "org.lapidary.desktop.desktop";

/// Builds the user interface and the window, and packs them. Each package's path is a line on standard output.
pub fn command(place: &Place, fast: bool) -> Result<(), Failure> {
    setup::ensure(&[Need::CCompiler, Need::WebView, Need::Node, Need::DpkgDeb, Need::Squashfs], &[], place)?;
    interface::build(place)?;
    let profile = if fast { "dev" } else { "release" };
    let mut build = place.cargo();
    build.args(["build", "--profile", profile, "--bin", "lapidary-window"]).args(SELECTION);
    expect(&mut build, &say!("Building Lapidary failed", "La costruzione di Lapidary non è riuscita"))?;

    let target = place.target_folder();
    let version = env!("CARGO_PKG_VERSION");
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let root = target.join("package").join(format!("lapidary_{version}_{architecture}"));
    if root.exists() {
        fs::remove_dir_all(&root).map_err(|e| disk(&root, &e))?;
    }
    let bin = root.join("usr/bin");
    let program = bin.join("lapidary-window");
    copy(&target.join(if fast { "debug" } else { "release" }).join("lapidary-window"), &program)?;
    // the release profile has left them out already
    expect(Command::new("strip").arg(&program), &say!("Leaving out symbols failed", "Togliere i simboli non è riuscito"))?;
    // the window is the command, too, when it is called by its name: a second program would be as large again
    #[cfg(unix)]
    std::os::unix::fs::symlink("lapidary-window", bin.join("lapidary")).map_err(|e| disk(&bin, &e))?;
    tree(&place.root.join("datasets"), &root.join("usr/share/lapidary/datasets"))?;
    let icons = root.join("usr/share/icons/hicolor");
    for (file, size) in [("32x32.png", "32x32"), ("128x128.png", "128x128"), ("128x128@2x.png", "256x256"), ("icon.png", "512x512")] {
        copy(&place.root.join("src-tauri/icons").join(file), &icons.join(size).join("apps/lapidary.png"))?;
    }
    copy(&place.root.join("assets/icon.svg"), &icons.join("scalable/apps/lapidary.svg"))?;
    write(&root.join("usr/share/applications").join(ENTRY), DESKTOP)?;
    write(&root.join("usr/share/mime/packages/lapidary.xml"), MIME)?;
    let doc = root.join("usr/share/doc/lapidary");
    write(&doc.join("copyright"), "Lapidary is licensed under the MIT licence or the Apache License 2.0, at your option; both texts are beside this file.\n")?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&place.root.join(license), &doc.join(license))?;
    }

    let installed = size(&root)?;
    write(&root.join("DEBIAN/control"), &control(version, &architecture, installed))?;
    let package = beside(&root, "deb");
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "--build"]).arg(&root).arg(&package).stdout(std::io::stderr());
    expect(&mut pack, &say!("Packing failed", "La creazione del pacchetto non è riuscita"))?;
    eprintln!("{}", say!("{:.1} MB installed", "{:.1} MB installati", installed as f64 / 1e6));
    // what is only tried out may be larger
    if installed > MOST && !fast {
        return Err(Failure::new(
            say!(
                "The package installs {installed} bytes, more than the {MOST} that Lapidary allows itself.",
                "Il pacchetto installa {installed} byte, più dei {MOST} che Lapidary si concede."
            ),
            say!("look for what grew: du -ah {}", "guarda che cosa è cresciuto: du -ah {}", root.display()),
        ));
    }
    println!("{}", package.display());
    if cfg!(target_arch = "x86_64") {
        println!("{}", image(place, &root)?.display());
    } else {
        eprintln!("{}", say!("No AppImage: the runtime at hand is for x86-64 only.", "Nessun AppImage: il runtime disponibile è solo per x86-64."));
    }
    Ok(())
}

/// Makes an AppImage of the tree of the Debian package. WebKitGTK is the system's, as it is for that package: with it inside, the
/// file would be three times as large.
fn image(place: &Place, root: &Path) -> Result<PathBuf, Failure> {
    let folder = beside(root, "image");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| disk(&folder, &e))?;
    }
    fs::create_dir_all(&folder).map_err(|e| disk(&folder, &e))?;
    expect(Command::new("cp").arg("-a").arg(root.join("usr")).arg(&folder), &say!("Copying the programs failed", "La copia dei programmi non è riuscita"))?;
    copy(&root.join("usr/share/applications").join(ENTRY), &folder.join(ENTRY))?;
    copy(&root.join("usr/share/icons/hicolor/256x256/apps/lapidary.png"), &folder.join("lapidary.png"))?;
    #[cfg(unix)]
    for (link, to) in [("AppRun", "usr/bin/lapidary-window"), (".DirIcon", "lapidary.png")] {
        std::os::unix::fs::symlink(to, folder.join(link)).map_err(|e| disk(&folder, &e))?;
    }
    let file = beside(root, "AppImage");
    let mut join = place.cargo();
    join.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(place.root.join("xtask/appimage/Cargo.toml"));
    join.arg("--").arg(&folder).arg("lapidary").arg(&file).stdout(std::io::stderr());
    expect(&mut join, &say!("Joining the AppImage failed", "La creazione dell’AppImage non è riuscita"))?;
    Ok(file)
}

/// What lies beside the tree under its name with an ending (`with_extension` would cut the version, which holds points).
fn beside(root: &Path, ending: &str) -> PathBuf {
    root.with_file_name(format!("{}.{ending}", root.file_name().unwrap_or_default().to_string_lossy()))
}

fn control(version: &str, architecture: &str, installed: u64) -> String {
    format!(
        "Package: lapidary
Version: {version}
Architecture: {architecture}
Maintainer: The Lapidary authors <lapidary@localhost>
Section: science
Priority: optional
Installed-Size: {}
Depends: libc6 (>= 2.36), libgcc-s1, libgtk-3-0 | libgtk-3-0t64, libwebkit2gtk-4.1-0
Recommends: libvulkan1, mesa-vulkan-drivers, xdg-utils
Description: fine-tunes Gemma 3 on the machine in front of you
 Pick a task and a data set, press Start, watch the loss fall, read the
 mistakes, and leave with a report and a model that other tools open.
 No Python, no account, no cloud.
",
        installed.div_ceil(1024)
    )
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let typed = as_typed(command);
    let output = command.output().map_err(|e| {
        Failure::new(
            say!("{typed} could not be started: {e}.", "{typed} non si è potuto avviare: {e}."),
            say!("check that it is installed.", "controlla che sia installato."),
        )
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn disk(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{}: {error}.", path.display()),
        say!(
            "check that the build folder can be written to and that the disk is not full.",
            "controlla che si possa scrivere nella cartella di costruzione e che il disco non sia pieno."
        ),
    )
}

fn make_way(path: &Path) -> Result<(), Failure> {
    path.parent().map_or(Ok(()), |folder| fs::create_dir_all(folder).map_err(|e| disk(folder, &e)))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    make_way(path)?;
    fs::write(path, text).map_err(|e| disk(path, &e))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    make_way(to)?;
    fs::copy(from, to).map(|_| ()).map_err(|e| disk(from, &e))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = || fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
    read().map_err(|e| disk(folder, &e))
}

fn tree(from: &Path, to: &Path) -> Result<(), Failure> {
    for path in entries(from)? {
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { tree(&path, &to)? } else { copy(&path, &to)? }
    }
    Ok(())
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    entries(folder)?.iter().try_fold(0, |sum, path| {
        // a link takes no room of what it leads to
        let own = if path.is_dir() { size(path)? } else { path.symlink_metadata().map_err(|e| disk(path, &e))?.len() };
        Ok(sum + own)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_the_package_is_well_formed() {
        let text = control("0.1.0", "amd64", 1025);
        assert!(text.contains("\nInstalled-Size: 2\n"));
        // every line is a field, or continues one
        assert!(text.lines().all(|l| l.starts_with(' ') || l.split_once(": ").is_some()));
        assert!(text.ends_with('\n') && !text.contains("\n\n"));
    }

    #[test]
    fn a_tree_is_copied_whole_and_measured() {
        let dir = tempfile::tempdir().expect("a folder");
        write(&dir.path().join("a/b/c"), "12345").expect("written");
        write(&dir.path().join("a/d"), "678").expect("written");
        tree(&dir.path().join("a"), &dir.path().join("e")).expect("copied");
        assert_eq!(fs::read_to_string(dir.path().join("e/b/c")).expect("there"), "12345");
        assert_eq!(size(&dir.path().join("e")).expect("measured"), 8);
    }
}
