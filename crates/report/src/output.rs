//! A document as files in a folder.

use crate::document::Document;
use crate::figure::Variant;
use crate::record::{self, Error};
use crate::{html, markdown, pdf, tables};
use data::watch::{Watch, aside};
use say::say;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `report.html`, one file that needs nothing else.
    Html,
    /// `report.pdf`.
    Pdf,
    /// `report.md`, which shows the pictures of `figures/`.
    Markdown,
    /// `tables/*.csv`.
    Csv,
    /// `report.json`.
    Json,
    /// `figures/*.svg`, which come along with every other kind.
    Svg,
    /// `figures/*.png`.
    Png,
}

/// The looks that every figure is drawn in, each by the ending of its file.
const LOOKS: [(&str, Variant); 3] = [("svg", Variant::Light), ("dark.svg", Variant::Dark), ("print.svg", Variant::Print)];

impl Format {
    /// What a user may ask for.
    pub const NAMES: [&str; 7] = ["html", "pdf", "md", "csv", "json", "svg", "png"];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "html" => Ok(Self::Html),
            "pdf" => Ok(Self::Pdf),
            "md" => Ok(Self::Markdown),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "svg" => Ok(Self::Svg),
            "png" => Ok(Self::Png),
            _ => Err(say!(
                "no report format `{}`; choose among {}",
                "nessun formato di rapporto `{}`; scegli fra {}",
                crate::text::clean(name, 20),
                Self::NAMES.join(", ")
            )),
        }
    }
}

/// Writes a document into `folder`: each of `formats`, and always `figures/` (each figure as SVG for light pages,
/// for dark ones and for paper, its values as JSON beside it). The paths of what was asked for, in that order.
///
/// Each file appears whole or not at all. `watch` is told how many are there, and of how many; `false` ends it before the next.
///
/// # Errors
/// If the disk refuses, or it was ended.
pub fn write(document: &Document, formats: &[Format], folder: &Path, watch: Watch<'_>) -> Result<Vec<PathBuf>, Error> {
    let files = |format: &Format| match format {
        Format::Html | Format::Pdf | Format::Markdown | Format::Json => 1,
        Format::Csv => document.tables().count(),
        // they are counted with the figures
        Format::Svg => 0,
        Format::Png => document.figures.len(),
    };
    // of each figure there is a file for each look, and one of its values
    let total = ((LOOKS.len() + 1) * document.figures.len() + formats.iter().map(files).sum::<usize>()) as u64;
    let mut saving = Saving { done: 0, total, watch };
    let figures = made(folder.join("figures"))?;
    for (name, figure) in &document.figures {
        let file = |ending: &str| figures.join(format!("{name}.{ending}"));
        for (ending, look) in LOOKS {
            saving.save(&file(ending), figure.svg_for(look).as_bytes())?;
        }
        saving.save(&file("json"), figure.data.to_string().as_bytes())?;
    }
    let mut written = Vec::new();
    for format in formats {
        let pages = match format {
            Format::Pdf => {
                let own = document.clone();
                saving.aside(&folder.join(PDF), move || pdf::render(&own))??
            }
            _ => Vec::new(),
        };
        let mut put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            written.push(path.clone());
            saving.save(&path, bytes)
        };
        match format {
            Format::Html => put("report.html", html::render(document).as_bytes())?,
            Format::Pdf => put(PDF, &pages)?,
            Format::Markdown => put("report.md", markdown::render(document).as_bytes())?,
            Format::Json => put("report.json", format!("{:#}\n", tables::json(document)).as_bytes())?,
            Format::Csv => {
                made(folder.join("tables"))?;
                for table in document.tables() {
                    put(&format!("tables/{}.csv", table.name), &tables::csv(table)?)?;
                }
            }
            Format::Svg => written.extend(document.figures.iter().map(|(name, _)| figures.join(format!("{name}.svg")))),
            Format::Png => {
                for (name, figure) in &document.figures {
                    put(&format!("figures/{name}.png"), &figure.png(Variant::Light)?)?;
                }
            }
        }
    }
    Ok(written)
}

const PDF: &str = "report.pdf";

/// Files that are written one after another, and who is told how many there are.
struct Saving<'a> {
    done: u64,
    total: u64,
    watch: Watch<'a>,
}

impl Saving<'_> {
    fn save(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        record::write_atomically(path, bytes)?;
        self.done += 1;
        if (self.watch)(self.done, Some(self.total)) { Ok(()) } else { Err(Error::ended(path)) }
    }

    /// Lets something be made for a file that takes long and cannot be ended within.
    fn aside<T: Send + 'static>(&mut self, path: &Path, make: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (done, total) = (self.done, self.total);
        aside(&mut |_, _| (self.watch)(done, Some(total)), make).map_err(|_| Error::ended(path))
    }
}

fn made(folder: PathBuf) -> Result<PathBuf, Error> {
    std::fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
    Ok(folder)
}
