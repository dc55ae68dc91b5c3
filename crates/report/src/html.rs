//! A report as one HTML file: no script, nothing from outside, light, dark and on paper.
//!
//! Escaping is maud's. A policy in the head is a second lock: whatever a label holds, nothing runs, nothing is
//! fetched, and nothing has a style but by the one sheet of all reports, which the policy knows by its hash.

use crate::document::{Banner, Block, Cell, Document, Kind, Notice, Role, Section, Span, Table, Text};
use crate::{figure, font};
use base64::Engine;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The style sheet.
static SHEET: LazyLock<String> = LazyLock::new(style);

static SHEET_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SHEET.as_bytes()))));

/// What a content security policy calls the style sheet of every report, among the sources of `style-src`. A page that shows a
/// report in a frame by its text needs it in its own policy, which the frame inherits.
pub fn style_source() -> &'static str {
    &SHEET_SOURCE
}

/// The report as one HTML file.
pub fn render(document: &Document) -> String {
    let words = document.lang.words();
    html! {
        (DOCTYPE)
        html lang=(document.lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content={ "default-src 'none'; style-src " (style_source()) "; font-src data:" };
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(document.generator);
                title { (document.title) }
                style { (PreEscaped(SHEET.as_str())) }
            }
            body {
                main {
                    header {
                        p.kicker { (document.kicker) }
                        h1 { (text(&document.heading)) }
                        p.subtitle { (text(&document.subtitle)) }
                    }
                    @for notice in &document.banners { (banner(notice)) }
                    nav aria-label=(words.contents) { ul { @for s in &document.sections { li { a href={ "#" (s.id) } { (s.heading) } } } } }
                    @for s in &document.sections { (section(document, s)) }
                    footer { p { (document.footer) } }
                }
            }
        }
    }
    .into_string()
}

fn text(text: &Text) -> Markup {
    html! {
        @for span in text {
            @match span {
                Span::Plain(t) => (t),
                Span::Foreign(t) => bdi { (t) },
                Span::Code(t) => code { (t) },
                Span::Emphasis(t) => em { (t) },
                Span::Mark(t) => mark { bdi { (t) } },
                Span::Label(t) => small { bdi { (t) } },
            }
        }
    }
}

fn banner(banner: &Banner) -> Markup {
    let (class, role) = if banner.failed { ("banner failed", "alert") } else { ("banner stopped", "note") };
    html! {
        div class=(class) role=(role) {
            p.banner-title { (banner.title) }
            @if let Some(message) = &banner.message { pre.message { (message) } }
            @if let Some(text) = &banner.text { p { (text) } }
        }
    }
}

fn section(document: &Document, section: &Section) -> Markup {
    html! {
        section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
            h2 id={ (section.id) "-heading" } { (section.heading) }
            @for block in &section.blocks { (self::block(document, block)) }
        }
    }
}

fn block(document: &Document, block: &Block) -> Markup {
    // a picture carries role="img" and its text alternative itself
    let picture = |name: &str| document.figure(name).map(|figure| PreEscaped(figure.svg.as_str()));
    match block {
        Block::Hero { number, label, interval, figure } => html! {
            div.hero {
                p.number { strong { (number) } span { (label) } span.interval { (interval) } }
                @if let Some(svg) = figure.as_deref().and_then(picture) { div.beside { (svg) } }
            }
        },
        Block::Paragraph { text, role } => {
            let class = match role {
                Role::Lead => Some("lead"),
                Role::Body => None,
                Role::Note => Some("note"),
            };
            html! { p class=[class] { (self::text(text)) } }
        }
        Block::List { items } => html! { ul { @for item in items { li { (text(item)) } } } },
        Block::Figure { name, caption } => html! {
            @if let Some(figure) = document.figure(name) {
                figure.wide[figure.width > 700.0] { div.scroll { (PreEscaped(&figure.svg)) } figcaption { (caption) } }
            }
        },
        Block::Gallery { names, caption } => html! {
            figure { div.gallery { @for name in names { @if let Some(svg) = picture(name) { div { (svg) } } } } figcaption { (caption) } }
        },
        Block::Table(table) => self::table(table),
        Block::Code { text } => html! { pre { code { (text) } } },
        Block::Notices { notices } => html! {
            ol.notices { @for Notice { kind, label, text } in notices { li class=(kind) { span.kind { (label) } " " (self::text(text)) } } }
        },
    }
}

fn table(table: &Table) -> Markup {
    // the name chooses widths in the style sheet
    let facts = table.columns.len() == 2 && !table.columns.iter().any(|c| c.kind.is_number());
    let class = if facts { format!("facts {}", table.name) } else { table.name.to_string() };
    html! {
        div.scroll {
            table class=(class) {
                @if let Some(caption) = &table.caption { caption { (caption) } }
                @if table.titled {
                    thead { tr { @for column in &table.columns { th.num[column.kind.is_number()] scope="col" { (column.title) } } } }
                }
                tbody {
                    @for row in &table.rows {
                        tr.main[row.main] { @for (column, cell) in table.columns.iter().zip(&row.cells) { (self::cell(column.kind, cell)) } }
                    }
                }
            }
        }
    }
}

fn cell(kind: Kind, cell: &Cell) -> Markup {
    match kind {
        Kind::Name => html! { th scope="row" { (text(&cell.text)) } },
        Kind::Text => html! { td { (text(&cell.text)) } },
        Kind::Quote => html! { td.quote { (text(&cell.text)) } },
        Kind::Number => html! { td.num { (text(&cell.text)) } },
        Kind::Interval => html! { td.num.faint { (text(&cell.text)) } },
        // a bar says nothing that the number does not, so it is only a background, as long as its class says: the policy allows no
        // element a style of its own
        Kind::Share => {
            let percent = (cell.value.as_f64().unwrap_or(0.0).clamp(0.0, 1.0) * 100.0).round() as u8;
            html! { td class=(format!("num bar share-{percent}")) { (text(&cell.text)) } }
        }
    }
}

/// The style sheet. Series colours of the figures are set for a light page; on a dark one attribute
/// selectors lighten them, so the same SVG serves both.
fn style() -> String {
    let lighter = |(from, to): &(_, _)| {
        let (from, to) = (figure::hex(*from), figure::hex(*to));
        format!("svg [stroke=\"{from}\"]{{stroke:{to}}}svg [fill=\"{from}\"]{{fill:{to}}}")
    };
    let recolour: String = figure::LIGHTER.iter().map(lighter).collect();
    let shares: String = (0..=100_u8).map(|percent| format!(".share-{percent}{{--share:{}}}", f64::from(percent) / 100.0)).collect();
    format!("{}{}{shares}@media screen and (prefers-color-scheme:dark){{{recolour}}}", font::WEB, STYLE.replace("FAMILY", figure::FAMILIES))
}

/// What does not depend on the palette.
const STYLE: &str = "
:root{--page:#ffffff;--ink:#1f2429;--faint:#5b646e;--line:#dfe3e8;--wash:#f5f7f9;--tint:#d5e6f2;--blue:#0072b2;--red:#b54200;--red-wash:#fdf1ea;
--amber:#8a5a00;--amber-wash:#fdf6e6;--green:#00755a}
@media screen and (prefers-color-scheme:dark){:root{--page:#16191d;--ink:#e4e7eb;--faint:#9ba5b0;--line:#31373f;--wash:#1e2329;--tint:#1d3e54;
--blue:#56b4e9;--red:#ff8a3d;--red-wash:#2d1f17;--amber:#f0b93a;--amber-wash:#2a2416;--green:#35c9a0}}
*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);font:16px/1.55 FAMILY;-webkit-text-size-adjust:100%;font-variant-numeric:tabular-nums}
body{margin:0}
main{max-width:58rem;margin:0 auto;padding:3rem 1.5rem 4rem}
h1,h2,p,table,figure,pre,ol,ul{margin:0 0 1rem}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.015em;font-weight:680;overflow-wrap:anywhere}
h2{font-size:1.35rem;line-height:1.25;letter-spacing:-.01em;font-weight:650;margin-top:3.25rem;padding-top:1.25rem;border-top:1px solid var(--line)}
p,li{max-width:44rem;overflow-wrap:anywhere}
.kicker{color:var(--faint);font-size:.875rem;margin-bottom:.5rem}
.subtitle{color:var(--faint);margin-bottom:1.5rem}
.lead{font-size:1.1rem}
.note,figcaption,caption{color:var(--faint);font-size:.875rem;line-height:1.45}
a{color:var(--blue);text-underline-offset:.15em;text-decoration-thickness:1px}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.35rem 1.25rem;font-size:.9rem}
section:first-of-type h2{margin-top:2rem}
.hero{display:flex;flex-wrap:wrap;align-items:center;gap:1.5rem 3.5rem;margin:1.5rem 0}
.number{display:flex;flex-direction:column;margin:0}
.number strong{font-size:4rem;line-height:1;letter-spacing:-.035em;font-weight:700;color:var(--blue);margin-bottom:.5rem;white-space:nowrap}
.interval{color:var(--faint);font-size:.9rem}
.beside{flex:1 1 24rem;min-width:0}
.banner{border-left:4px solid;padding:1rem 1.25rem;margin:0 0 1.5rem;border-radius:0 6px 6px 0}
.banner :last-child{margin-bottom:0}
.banner-title{font-weight:650;font-size:1.2rem;margin-bottom:.4rem}
.failed{border-color:var(--red);background:var(--red-wash)}
.failed .banner-title{color:var(--red)}
.stopped{border-color:var(--amber);background:var(--amber-wash)}
.stopped .banner-title{color:var(--amber)}
pre{background:var(--wash);border-radius:6px;padding:.85rem 1rem;
font:.82rem/1.5 ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'Liberation Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.banner pre{background:none;padding:0;font:inherit;margin-bottom:.75rem}
code{font-family:ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'Liberation Mono',monospace;font-size:.86em}
pre code{font-size:1em}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;line-height:1.4;min-width:min(100%,30rem)}
caption{text-align:left;padding-bottom:.5rem}
th,td{text-align:left;vertical-align:baseline;padding:.4rem 1.2rem .4rem 0;border-bottom:1px solid var(--line);font-weight:400}
thead th{font-weight:600;font-size:.82rem;border-bottom-color:var(--faint);vertical-align:bottom}
th:last-child,td:last-child{padding-right:.25rem}
.num{text-align:right;white-space:nowrap}
.num.faint{color:var(--faint);font-size:.82rem}
.main th,.main td:not(.faint){font-weight:650}
tbody th bdi,td bdi{overflow-wrap:anywhere}
.bar{background:linear-gradient(var(--tint),var(--tint)) no-repeat left center/calc((100% - 5rem)*var(--share)) 60%;min-width:13rem;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.facts th{color:var(--faint);padding-right:2rem;width:14rem}
.facts td{overflow-wrap:anywhere}
.facts thead th{color:inherit}
.files code,.model_files code,.trained_files code{overflow-wrap:anywhere;font-size:.78rem}
.files td:nth-child(2),.model_files td:nth-child(2),.trained_files td:nth-child(2){min-width:11rem}
.files td:last-child,.model_files td:last-child,.trained_files td:last-child{min-width:17rem}
.gallery{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem 1.5rem}
mark{background:var(--tint);color:inherit;padding:.05em .2em;border-radius:3px}
td small{color:var(--faint);font-size:.78em;margin-left:.25em}
.mistakes,.entity_mistakes,.query_mistakes,.tag_mistakes,.text_mistakes{width:100%}
.query_mistakes .quote,.text_mistakes .quote,.tag_mistakes .quote{min-width:11rem}
.query_mistakes td:nth-child(4){min-width:9rem}
.tag_mistakes td:not(.quote):not(.num){min-width:9.5rem}
.results tbody th,.further tbody th,.runs tbody th{min-width:10.5rem}
.classes tbody th{min-width:9rem}
.results td,.results th,.further td,.further th,.runs td,.runs th{padding-right:.8rem}
thead th.num{white-space:normal}
.mistakes td:not(.quote):not(.num){max-width:14rem}
.mistakes td:not(.quote) bdi{overflow-wrap:break-word}
.quote{min-width:16rem;overflow-wrap:anywhere}
figure{margin:1.25rem 0 1.75rem}
figure svg,.beside svg{display:block;max-width:100%;height:auto;color:var(--ink);print-color-adjust:exact;-webkit-print-color-adjust:exact}
figcaption{max-width:44rem;margin-top:.6rem}
.notices{padding-left:1.6rem}
.notices li{margin-bottom:.5rem}
.kind{font-weight:650}
.unhealthy .kind{color:var(--red)}.warning .kind{color:var(--amber)}.recovered .kind{color:var(--green)}
footer{margin-top:4rem;color:var(--faint);font-size:.85rem}
@media (max-width:40rem){main{padding:1.5rem 1rem 3rem}h1{font-size:1.7rem}.number strong{font-size:3.2rem}.wide svg{max-width:none}}
@page{size:A4;margin:18mm 16mm}
@media print{html{font-size:10pt}main{max-width:none;padding:0}nav{display:none}.scroll{overflow:visible}h2{break-after:avoid;margin-top:1.6rem}
tr,figure,.hero,.banner,li{break-inside:avoid}caption{break-after:avoid}thead{display:table-header-group;break-after:avoid}tbody tr:first-child{
break-before:avoid}p{orphans:3;widows:3}a{color:inherit;text-decoration:none}.mistakes{table-layout:fixed}.mistakes th:nth-child(n+2){width:22%}
.mistakes th:last-child{width:12%}.mistakes td:not(.quote):not(.num){max-width:none}.mistakes td:not(.quote) bdi{overflow-wrap:anywhere}
.quote,.query_mistakes .quote,.text_mistakes .quote,.tag_mistakes .quote,.query_mistakes td:nth-child(4),
.tag_mistakes td:not(.quote):not(.num),.results tbody th,.further tbody th,.runs tbody th,.files td:last-child,.model_files td:last-child,
.trained_files td:last-child{min-width:0}
mark{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";
