//! `appimage-of FOLDER NAME FILE`: makes one file of a folder that holds an application, with the runtime that the crate
//! `appimage` carries, so that nothing needs to be downloaded. The folder is used up. See `xtask/src/package.rs`.

use anyhow::{Context, Result};
use appimage::AppImage;
use std::path::PathBuf;

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let mut next = |what| words.next().with_context(|| format!("the {what} is missing: appimage-of FOLDER NAME FILE"));
    let (folder, name, file) = (PathBuf::from(next("folder")?), next("name")?, PathBuf::from(next("file")?));
    let beside = folder.parent().with_context(|| format!("{} stands in no folder", folder.display()))?;
    let name = name.into_string().ok().context("the name is no text")?;

    let image = AppImage::new(beside, name)?;
    // the crate writes a desktop entry of its own; ours says more, so the whole folder takes the place of its empty one
    let place = image.appdir();
    std::fs::remove_dir(place).with_context(|| place.display().to_string())?;
    std::fs::rename(&folder, place).with_context(|| folder.display().to_string())?;
    let unfinished = file.with_extension("unfinished");
    image.build(&unfinished, None).context("mksquashfs, of the package squashfs-tools")?;
    std::fs::rename(&unfinished, &file).with_context(|| file.display().to_string())
}
