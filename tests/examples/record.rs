//! Records a finished run for the double of the window (`ui/src/backend/double.ts`): what the page asks of the engine about it, by the
//! functions that the window's commands call, in both languages, and without the paths of this machine. Run it where the run was
//! trained, in the repository's folder: so its data is found.
//!
//!     cargo run --release --example record -p acceptance -p lapidary -- RUN OUT.json [--ask N] [--home DIR]
//!
//! Both models are asked N texts of the test (8 where nothing is said, as many as Try offers), which takes the weights in the library.
//!
//! What is the same in both languages stands once, the rest as `{"spoken": {"en": …, "it": …}}`, and a text that is the same in part as
//! `{"pieces": […]}`; steps that follow each other are one event of lists; and a figure of the report's page is a comment with its name.
//! `ui/src/backend/recorded.ts` reads it.

use acceptance::root;
use lab::ask::Asked;
use lab::desk::Desk;
use lab::report::figure::{self, Figure};
use lab::report::html::style_source;
use lab::report::text::Lang;
use lab::report::{Run, content, record};
use lab::sheet::{RowFilter, RowQuery, Sort, SortBy, Target};
use lab::view::{self, PredictionFilter, RunView};
use lab::{Event, Home, look};
use serde_json::{Map, Value, json, to_value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Figures that the window shows of a run.
const FIGURES: [&str; 11] =
    ["loss", "learning_rate", "gradient_norm", "speed", "memory", "confusion", "reliability", "coverage", "errors", "map", "comparison"];
/// What the window reads of the values of a figure with a data area.
const PLOTTED: [&str; 10] = ["kind", "training", "smoothed", "validation", "name", "unit", "points", "labels", "counts", "order"];
/// And of any other.
const POINTED: [&str; 2] = ["kind", "pointer"];
/// Eighths of the steps after which the loss is recorded as it was drawn then.
const STAGES: [usize; 4] = [1, 2, 4, 6];
/// Rows of what a query finds: more would make the file large, and show nothing else.
const SEEN: usize = 6;
/// Texts that Try offers.
const OFFERED: usize = 8;
/// What a run keeps for itself, and where.
const OWN: [(&str, &[&str]); 3] =
    [("/run", &["request"]), ("/run/data", &["description", "how_it_was_made"]), ("/result/data", &["description", "how_it_was_made"])];
/// The font in each page, which is half of it.
const FONT: &str = include_str!("../../assets/fonts/inter/web.css");

fn main() -> Result<ExitCode> {
    // to be asked, a model may need a device that has to be tried first
    if let Some(code) = lab::child::as_child(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()) {
        return Ok(code);
    }
    let (mut places, mut home, mut ask) = (Vec::new(), None, OFFERED);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--home" => home = Some(PathBuf::from(words.next().ok_or("--home: name the folder of the library")?)),
            "--ask" => ask = words.next().ok_or("--ask: say how many texts")?.parse()?,
            _ => places.push(PathBuf::from(word)),
        }
    }
    let [folder, out] = places.as_slice() else { return Err("name the folder of a run, and the file to write".into()) };
    let (desk, folder) = (Desk::new(Home::open(home.as_deref())?), folder.canonicalize()?);
    let view = desk.run(&folder)?;
    if view.result.as_ref().is_none_or(|r| r.status != "completed" || r.metrics.is_none()) {
        return Err(format!("{}: did not end, or was not measured; record one that did", folder.display()).into());
    }
    let asked = asked(&desk, &folder, ask)?;
    let queries = queries(&desk, &view, &folder, &asked)?;
    let [en, it] = [Lang::English, Lang::Italian].map(|lang| recorded(&desk, &folder, &asked, &queries, lang));
    let names = names(&desk, &folder, &view.row.name)?;
    let Value::Object(whole) = neutral(spoken(en?, it?), &names) else { return Err("a run is no object".into()) };
    let lines: Vec<String> = whole.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    for (key, line) in whole.keys().zip(&lines) {
        println!("{:7} {key}", line.len());
    }
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    record::write_atomically(out, text.as_bytes())?;
    println!("{:7} {}", text.len(), out.display());
    Ok(ExitCode::SUCCESS)
}

/// What both models answer to the first texts of the test.
fn asked(desk: &Desk, folder: &Path, most: usize) -> Result<Vec<Asked>> {
    let texts = record::predictions(folder)?.into_iter().take(most).map(|p| p.input);
    texts.map(|text| Ok(desk.ask(folder, &text, &AtomicBool::new(false), &mut |_| true)?)).collect()
}

/// The queries that the page has run: those of the data, of the answers, of the examples at each evaluation, and of what was asked.
fn queries(desk: &Desk, view: &RunView, folder: &Path, asked: &[Asked]) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    if view.run.task != "sql" {
        return Ok(all);
    }
    let source = view.source.clone().ok_or("the run does not say where its data lies; record one that was trained here")?;
    let data = desk.open_data(source, &mut |_, _| true)?;
    let sort = Sort { by: SortBy::Row, descending: false };
    let limit: usize = data.splits.values().sum();
    let query = RowQuery { data: data.id, offset: 0, limit, filter: RowFilter::default(), search: String::new(), sort };
    for row in desk.rows(&query, &mut |_, _| true)?.rows {
        if let Target::Sql { sql } = row.target {
            all.insert(sql);
        }
    }
    for p in record::predictions(folder)? {
        all.extend([p.expected, p.answer.unwrap_or(p.output)]);
    }
    for event in record::events(folder)? {
        if let Event::Evaluation { samples, .. } = event {
            all.extend(samples.into_iter().flat_map(|s| [s.expected, s.answer.unwrap_or(s.output)]));
        }
    }
    all.extend(asked.iter().flat_map(|a| [&a.tuned, &a.base]).filter_map(|answer| answer.label.clone()));
    Ok(all)
}

/// All that the page is told of a run in a language.
fn recorded(desk: &Desk, folder: &Path, asked: &[Asked], queries: &BTreeSet<String>, lang: Lang) -> Result<Value> {
    say::speak(lang.into());
    let view = desk.run(folder)?.told(lang)?;
    let task = view::tasks()?.into_iter().find(|task| task.name == view.run.task).ok_or("the task of the run is not known")?;
    let mut told = to_value(&view)?;
    for (place, own) in OWN {
        if let Some(of) = told.pointer_mut(place).and_then(Value::as_object_mut) {
            of.retain(|key, _| !own.contains(&key.as_str()));
        }
    }
    if let Some(result) = told.get_mut("result") {
        cut_curves(result);
    }
    let Value::Object(mut told) = told else { return Err("a run is no object".into()) };
    let mut tell = |key: &str, value: Value| drop(told.insert(key.into(), value));
    tell("settings", to_value(&task.settings)?);
    let (batch, _) = desk.events(folder, 0, Duration::ZERO, lang)?;
    let events = batch.events.iter().map(to_value).collect::<std::result::Result<Vec<Value>, _>>()?;
    tell("events", gathered(events.into_iter().map(short)));
    let answers = view::predictions(folder, &PredictionFilter::default(), 0, usize::MAX, lang, &mut |_, _| true)?.rows;
    let mut predictions = answers.iter().map(to_value).collect::<std::result::Result<Vec<Value>, _>>()?;
    for row in predictions.iter_mut().filter_map(Value::as_object_mut) {
        // a number is its place, and the map has its own
        row.retain(|key, _| key != "index" && key != "place");
    }
    tell("predictions", Value::Array(predictions));
    tell("asked", to_value(asked)?);
    let mut found = Map::new();
    for sql in queries {
        let answer = match look::run_query(folder, sql, &mut |_, _| true) {
            Ok(mut table) => {
                table.rows.truncate(SEEN);
                to_value(table)?
            }
            Err(e) => json!({"message": e.to_string()}),
        };
        found.insert(sql.clone(), answer);
    }
    tell("queries", Value::Object(found));
    let run = Run::open(folder)?;
    let mut drawn: Vec<(String, Figure)> = content::figures(&run, lang);
    drawn.retain(|(name, _)| FIGURES.contains(&name.as_str()));
    let figures = drawn.iter().map(|(name, figure)| Ok((name.clone(), read(figure)?))).collect::<Result<Map<String, Value>>>()?;
    tell("figures", Value::Object(figures));
    let steps = run.events.iter().rev().find_map(|e| if let Event::Step { step, .. } = e { Some(*step) } else { None }).unwrap_or(0);
    let stage = |eighths: usize| -> Result<Value> {
        let step = (steps * eighths).div_ceil(8);
        let later = |e: &Event| matches!(e, Event::Step { step: at, .. } if *at > step);
        let end = run.events.iter().position(later).unwrap_or(run.events.len());
        Ok(json!({"step": step, "figure": read(&figure::loss_curve(&run.events[..end], lang))?}))
    };
    tell("stages", Value::Array(STAGES.into_iter().map(stage).collect::<Result<Vec<Value>>>()?));
    // without the font the style sheet is another than the one that the page's policy knows by its hash
    let whole = view::report_page(folder, lang, &[], &mut |_, _| true)?.html;
    let mut page = whole.replace(FONT, "").replace(style_source(), "'unsafe-inline'");
    for (name, figure) in &drawn {
        page = page.replace(&figure.svg, &format!("<!--{name}-->"));
    }
    tell("page", Value::String(page));
    Ok(Value::Object(told))
}

/// Takes the curves out of scores, as the figure of them has all that the page reads.
fn cut_curves(scores: &mut Value) {
    let Some(scores) = scores.as_object_mut() else { return };
    for (key, value) in scores.iter_mut() {
        match value {
            Value::Array(curve) if key == "coverage" => curve.clear(),
            other => cut_curves(other),
        }
    }
}

/// A figure with what the window reads of its values.
fn read(figure: &Figure) -> Result<Value> {
    let mut value = to_value(figure)?;
    let kept: &[&str] = if figure.plot.is_some() { &PLOTTED } else { &POINTED };
    if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
        data.retain(|key, _| kept.contains(&key.as_str()));
        // what a point opens is chosen by all digits
        for key in ["training", "smoothed", "validation", "points"] {
            if let Some(values) = data.get_mut(key) {
                *values = short(values.take());
            }
        }
    }
    Ok(value)
}

/// The same with five digits of each number that is not whole.
fn short(value: Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().and_then(|x| format!("{x:.4e}").parse::<f64>().ok()).map_or(Value::Null, |x| json!(x)),
        Value::Array(all) => Value::Array(all.into_iter().map(short).collect()),
        Value::Object(all) => Value::Object(all.into_iter().map(|(key, value)| (key, short(value))).collect()),
        other => other,
    }
}

/// Steps that follow each other and tell the same as one event, with a list in place of each value.
fn gathered(events: impl Iterator<Item = Value>) -> Value {
    let mut out: Vec<Map<String, Value>> = Vec::new();
    for event in events {
        let Value::Object(mut event) = event else { continue };
        if event.get("type").is_none_or(|kind| kind != "step") {
            out.push(event);
            continue;
        }
        event.shift_remove("type");
        match out.last_mut().filter(|last| last.get("type").is_some_and(|kind| kind == "steps") && last.keys().skip(1).eq(event.keys())) {
            Some(last) => {
                for (key, value) in event {
                    if let Some(Value::Array(list)) = last.get_mut(&key) {
                        list.push(value);
                    }
                }
            }
            None => {
                let kind = ("type".to_string(), json!("steps"));
                out.push(std::iter::once(kind).chain(event.into_iter().map(|(key, value)| (key, json!([value])))).collect());
            }
        }
    }
    Value::Array(out.into_iter().map(Value::Object).collect())
}

/// Both languages in one: what is the same once, what is not under `spoken`.
fn spoken(en: Value, it: Value) -> Value {
    match (en, it) {
        (en, it) if en == it => en,
        (Value::Object(en), Value::Object(mut it)) if en.keys().eq(it.keys()) => Value::Object(
            en.into_iter()
                .map(|(key, value)| {
                    let other = it.get_mut(&key).map(Value::take).unwrap_or_default();
                    (key, spoken(value, other))
                })
                .collect(),
        ),
        (Value::Array(en), Value::Array(it)) if en.len() == it.len() => Value::Array(en.into_iter().zip(it).map(|(en, it)| spoken(en, it)).collect()),
        (Value::String(en), Value::String(it)) => pieces(&en, &it),
        (en, it) => json!({"spoken": {"en": en, "it": it}}),
    }
}

/// As [`spoken`], of texts: those of as many tags are put together from the pieces that they share and those that they do not, where that
/// is shorter.
fn pieces(en: &str, it: &str) -> Value {
    let whole = json!({"spoken": {"en": en, "it": it}});
    if en.split_inclusive('>').count() != it.split_inclusive('>').count() {
        return whole;
    }
    let mut pieces: Vec<(bool, String, String)> = Vec::new();
    for (en, it) in en.split_inclusive('>').zip(it.split_inclusive('>')) {
        match pieces.last_mut() {
            Some((same, one, other)) if *same == (en == it) => {
                one.push_str(en);
                other.push_str(it);
            }
            _ => pieces.push((en == it, en.into(), it.into())),
        }
    }
    let told = |(same, en, it): (bool, String, String)| if same { json!(en) } else { json!({"spoken": {"en": en, "it": it}}) };
    let pieced = json!({"pieces": pieces.into_iter().map(told).collect::<Vec<Value>>()});
    if pieced.to_string().len() < whole.to_string().len() { pieced } else { whole }
}

/// What stands for the folders of this machine in a recording, the inner ones first.
fn names(desk: &Desk, folder: &Path, name: &str) -> Result<Vec<(String, String)>> {
    let library = desk.home().path();
    let mut names = vec![(folder.to_path_buf(), format!("runs/{name}"))];
    names.extend([library.to_path_buf(), library.canonicalize()?, root().canonicalize()?, root()].map(|path| (path, ".".to_string())));
    Ok(names.into_iter().map(|(path, name)| (path.display().to_string(), name)).collect())
}

/// The same without paths of this machine: those in a folder that has a name begin with it, any other is its last part.
fn neutral(value: Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => Value::String(nowhere(text, names)),
        Value::Array(all) => Value::Array(all.into_iter().map(|value| neutral(value, names)).collect()),
        Value::Object(all) => Value::Object(all.into_iter().map(|(key, value)| (key, neutral(value, names))).collect()),
        other => other,
    }
}

fn nowhere(mut text: String, names: &[(String, String)]) -> String {
    for (folder, name) in names {
        let inside = if name == "." { String::new() } else { format!("{name}/") };
        text = text.replace(&format!("{folder}/"), &inside).replace(folder, name);
    }
    let ends = |c: char| c.is_whitespace() || "\"'<>=,;:()".contains(c);
    let word = |word: &str| {
        let path = Path::new(word.trim_end_matches(ends));
        match path.file_name() {
            Some(last) if path.is_absolute() && path.components().count() > 2 && path.exists() => {
                format!("{}{}", last.to_string_lossy(), &word[path.as_os_str().len()..])
            }
            _ => word.to_string(),
        }
    };
    text.split_inclusive(ends).map(word).collect()
}
