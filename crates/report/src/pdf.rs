//! A report as PDF: tagged, in its language, fonts embedded, figures as vectors.
//!
//! Typst sets the page. The layout is `report.typ`, which is fixed; what is said reaches it as a JSON file of
//! strings, so no text from anywhere can act as markup. Typst asks its [`World`] for files and fonts and gets
//! only those in memory: a report reads nothing from the disk and nothing from a network.

use crate::document::Document;
use crate::figure::Variant;
use crate::font::{self, Fonts};
use crate::record::Error;
use say::say;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

/// The layout.
const LAYOUT: &str = include_str!("report.typ");

/// The report as PDF.
///
/// It conforms to PDF/UA-1, the standard for readers who cannot see the page.
///
/// # Errors
/// If the layout cannot be set, which is a defect of this program; the message says where.
pub fn render(document: &Document) -> Result<Vec<u8>, Error> {
    let pages = lay_out(document)?;
    let standards = PdfStandards::new(&[PdfStandard::Ua_1]).map_err(|e| defect(e.message()))?;
    let options = PdfOptions { standards, ..PdfOptions::default() };
    let bytes = typst_pdf::pdf(&pages, &options).map_err(|e| diagnosed(&e));
    // a window writes reports for days on end; what Typst remembered of this one is of no use to the next
    typst::comemo::evict(0);
    bytes
}

/// Sets the pages, which a test looks through.
///
/// # Errors
/// As [`render`].
pub fn lay_out(document: &Document) -> Result<PagedDocument, Error> {
    let files = Files::new(document)?;
    typst::compile(&files).output.map_err(|e| diagnosed(&e))
}

fn diagnosed(errors: &[SourceDiagnostic]) -> Error {
    defect(errors.first().map_or(say::pick("nothing was said", "non è stato detto nulla"), |e| e.message.as_str()))
}

fn defect(what: &str) -> Error {
    Error::Format {
        path: "report.pdf".into(),
        what: say!(
            "cannot be set ({what}); this is a defect of Lapidary: please report it with the run folder",
            "non si può comporre ({what}); è un difetto di Lapidary: segnalalo con la cartella di esecuzione"
        ),
    }
}

/// Fonts and library, made once.
struct Shared {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let fonts: Vec<Font> = font::FACES.iter().map(|face| face.bytes).chain([font::EMOJI]).flat_map(|bytes| Font::iter(Bytes::new(bytes))).collect();
    Shared { library: LazyHash::new(Library::default()), book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts }
});

/// All that Typst may read.
struct Files {
    main: Source,
    files: BTreeMap<String, Bytes>,
}

impl Files {
    fn new(document: &Document) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        let mut figures = serde_json::Map::new();
        let mut lacking = false;
        // markup of JSON and SVG is ASCII, which the font has: only texts change
        let mut printed = |text: &str| {
            let out = font::printable(text, Fonts::WithEmoji);
            lacking |= out.matches(font::LACKING).count() > text.matches(font::LACKING).count();
            Bytes::from_string(out)
        };
        for (name, figure) in &document.figures {
            let size = serde_json::json!({"width": figure.width, "height": figure.height, "alt": figure.alt});
            figures.insert(name.clone(), size);
            files.insert(format!("{name}.svg"), printed(&figure.svg_for(Variant::Print)));
        }
        let mut report = serde_json::json!({"document": document, "figures": figures, "lacking": null});
        let written = |report: &serde_json::Value| serde_json::to_string(report).map_err(|e| defect(&e.to_string()));
        let mut text = printed(&written(&report)?);
        if lacking {
            report["lacking"] = document.lang.words().lacking.into();
            text = Bytes::from_string(font::printable(&written(&report)?, Fonts::WithEmoji));
        }
        files.insert("report.json".into(), text);
        Ok(Self {
            main: Source::new(
                file_id("report.typ").ok_or_else(|| defect(say::pick("its layout has no name", "la sua impaginazione non ha nome")))?,
                LAYOUT.into(),
            ),
            files,
        })
    }
}

fn file_id(name: &str) -> Option<FileId> {
    VirtualPath::new(name).ok().map(|path| RootedPath::new(VirtualRoot::Project, path).intern())
}

impl World for Files {
    fn library(&self) -> &LazyHash<Library> {
        &SHARED.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &SHARED.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let name = id.get().vpath().get_without_slash();
        self.files.get(name).cloned().ok_or_else(|| FileError::NotFound(name.into()))
    }

    fn font(&self, index: usize) -> Option<Font> {
        SHARED.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
