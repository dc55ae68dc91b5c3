//! The PDF: set without a warning, nothing outside the page, no heading alone at its end, in bounds.

use crate::common::{hostile_run, run};
use crate::figures::smallest_text;
use report::document::Document;
use report::text::Lang;
use report::{Run, content, pdf};
use typst::layout::{Abs, Frame, FrameItem, Point, Transform};

/// Keeps a PDF where a person can look at it, see `common::keep`.
pub fn keep(name: &str, bytes: &[u8]) {
    if let Ok(folder) = std::env::var("REPORT_EXAMPLES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

/// A run of text, or a picture, on a page: where it begins and ends, its size, and what it says.
struct Line {
    from: Point,
    to: Point,
    size: Abs,
    text: String,
}

fn lines(frame: &Frame, transform: Transform, out: &mut Vec<Line>) {
    for (at, item) in frame.items() {
        match item {
            FrameItem::Group(group) => lines(&group.frame, transform.pre_concat(Transform::translate(at.x, at.y)).pre_concat(group.transform), out),
            FrameItem::Text(text) => {
                let end = Point::new(at.x + text.width(), at.y);
                out.push(Line { from: at.transform(transform), to: end.transform(transform), size: text.size, text: text.text.to_string() });
            }
            FrameItem::Image(_, size, _) => {
                let end = Point::new(at.x + size.x, at.y + size.y);
                out.push(Line { from: at.transform(transform), to: end.transform(transform), size: Abs::zero(), text: "a picture".into() });
            }
            _ => {}
        }
    }
}

/// Checks every page; how many there are.
pub fn checked(document: &Document) -> usize {
    let laid_out = pdf::lay_out(document).unwrap();
    for (number, page) in laid_out.pages().iter().enumerate() {
        let mut all = Vec::new();
        lines(&page.frame, Transform::identity(), &mut all);
        assert!(!all.is_empty(), "page {} is empty", number + 1);
        let (width, height) = (page.frame.width(), page.frame.height());
        let margin = Abs::mm(19.0);
        for line in &all {
            let inside =
                line.from.x >= margin && line.to.x <= width - margin + Abs::pt(1.0) && line.from.y >= Abs::mm(10.0) && line.to.y <= height - Abs::mm(5.0);
            let above_foot = line.size != Abs::zero() || line.to.y <= height - margin;
            assert!(inside && above_foot, "page {}: `{}` at {:?}…{:?} of {width:?} × {height:?}", number + 1, line.text, line.from, line.to);
        }
        // headings are the only text of 13 points
        for heading in all.iter().filter(|l| (l.size - Abs::pt(13.0)).abs() < Abs::pt(0.1)) {
            let below = all.iter().filter(|l| l.from.y > heading.from.y + Abs::pt(5.0) && l.from.y < height - Abs::mm(20.0)).count();
            assert!(below > 0 && heading.from.y < height - Abs::mm(32.0), "page {}: `{}` stands alone at the end", number + 1, heading.text);
        }
    }
    laid_out.pages().len()
}

/// How far to the right, in millimetres, pieces of these names reach that begin a row of a table, whose text has 8.5 points.
pub fn reach(document: &Document, names: &[String]) -> f64 {
    let laid_out = pdf::lay_out(document).unwrap();
    let mut all = Vec::new();
    laid_out.pages().iter().for_each(|page| lines(&page.frame, Transform::identity(), &mut all));
    let begins = |line: &&Line| line.from.x < Abs::mm(21.0) && (line.size - Abs::pt(8.5)).abs() < Abs::pt(0.1);
    let piece = |line: &&Line| {
        let text = line.text.replace('\u{200b}', "");
        !text.trim().is_empty() && names.iter().any(|name| name.contains(text.trim()))
    };
    all.iter().filter(begins).filter(piece).map(|line| line.to.x.to_mm()).fold(0.0, f64::max)
}

#[test]
fn a_usual_report_fits_its_pages_in_both_languages() {
    for lang in [Lang::English, Lang::Italian] {
        let document = content::run(&run(12, 600), lang);
        let pages = checked(&document);
        assert!((4..=12).contains(&pages), "{pages} pages");
        let started = std::time::Instant::now();
        let bytes = pdf::render(&document).unwrap();
        eprintln!("PDF of {} bytes in {:?}", bytes.len(), started.elapsed());
        keep(&format!("report-{}.pdf", lang.code()), &bytes);
        assert!(bytes.starts_with(b"%PDF-1.7") && bytes.len() < 1_000_000, "{} bytes", bytes.len());
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
        assert!(has(b"StructTreeRoot") && has(b"/MarkInfo"), "tagged");
        assert!(has(format!("/Lang({})", lang.code()).as_bytes()) || has(format!("/Lang ({})", lang.code()).as_bytes()), "language");
        assert!(has(b"pdfuaid:part"), "says that it conforms to PDF/UA");
        assert!(has(b"/FontFile"), "brings its fonts");
    }
}

#[test]
fn seventy_seven_labels_and_ten_thousand_mistakes_stay_bounded() {
    let mut run = run(77, 10_000);
    for p in &mut run.predictions {
        p.answer = None;
        p.score = 0.0;
        p.input = "parola ".repeat(2_000) + &"x".repeat(90_000);
    }
    let document = content::run(&run, Lang::Italian);
    let pages = checked(&document);
    assert!(pages <= 40, "{pages} pages");
    // both matrices have pages of their own size, so that each number of 77 rows, three digits long, has at least 5 points
    let counts = document.figure("confusion").unwrap().data["counts"].as_array().unwrap();
    assert!(counts.iter().flat_map(|row| row.as_array().unwrap()).any(|count| count.as_u64() >= Some(100)));
    let laid_out = pdf::lay_out(&document).unwrap();
    let wide: Vec<_> = laid_out.pages().iter().filter(|p| p.frame.width() > Abs::mm(215.0)).collect();
    assert_eq!(wide.len(), 2);
    for (page, name) in wide.into_iter().zip(["confusion", "confusion_shares"]) {
        let mut all = Vec::new();
        lines(&page.frame, Transform::identity(), &mut all);
        let picture = all.iter().find(|l| l.size == Abs::zero()).expect("a picture");
        let figure = document.figure(name).unwrap();
        let size = (picture.to.x - picture.from.x).to_pt() / figure.width * smallest_text(figure);
        assert!(size >= 5.0, "{name}: a text of {size} points");
    }
    let bytes = pdf::render(&document).unwrap();
    keep("report-77.pdf", &bytes);
    assert!(bytes.len() < 4_000_000, "{} bytes", bytes.len());
}

#[test]
fn hundreds_of_labels_stay_on_their_pages() {
    let pages = checked(&content::run(&run(400, 1200), Lang::English));
    assert!(pages <= 60, "{pages} pages");
}

#[test]
fn hostile_text_is_set_as_text() {
    let document = content::run(&hostile_run(), Lang::English);
    checked(&document);
    let laid_out = pdf::lay_out(&document).unwrap();
    let mut all = Vec::new();
    laid_out.pages().iter().for_each(|p| lines(&p.frame, Transform::identity(), &mut all));
    let text: String = all.iter().map(|l| l.text.as_str()).collect::<String>().replace('\u{200b}', "");
    for wanted in ["<script>alert(1)</script>", "#image(\"/etc/passwd\")", "‹U+202E›", "*strong*"] {
        assert!(text.contains(wanted), "{wanted}");
    }
    keep("hostile.pdf", &pdf::render(&document).unwrap());
}

#[test]
fn what_stands_for_a_character_without_a_picture_is_told() {
    let mut run = run(12, 60);
    let said = |run: &Run, lang| {
        let laid_out = pdf::lay_out(&content::run(run, lang)).unwrap();
        let mut all = Vec::new();
        laid_out.pages().iter().for_each(|page| lines(&page.frame, Transform::identity(), &mut all));
        all.iter().map(|line| line.text.as_str()).collect::<String>()
    };
    let usual = said(&run, Lang::English);
    assert!(!usual.contains('□') && !usual.contains("stands for a character"), "{usual}");
    let p = &mut run.predictions[0];
    (p.input, p.answer, p.score) = ("漢字".into(), None, 0.0);
    for (lang, told) in [(Lang::English, "stands for a character that the fonts of this file lack"), (Lang::Italian, "sta per un carattere")] {
        let text = said(&run, lang);
        assert!(text.contains('□') && text.contains(told), "{text}");
        checked(&content::run(&run, lang));
    }
}

#[test]
fn a_failed_run_and_a_bare_one_are_set_too() {
    let mut failed = run(12, 600);
    failed.result.status = "failed".into();
    failed.result.error = Some("The loss was not a number at step 41.\nLower the learning rate.".into());
    failed.result.metrics = None;
    failed.result.metrics_free = None;
    failed.result.baselines.clear();
    failed.predictions.clear();
    checked(&content::run(&failed, Lang::Italian));
    keep("failed.pdf", &pdf::render(&content::run(&failed, Lang::Italian)).unwrap());
    failed.events.clear();
    failed.run.settings.clear();
    failed.run.data = Default::default();
    checked(&content::run(&failed, Lang::English));
}
