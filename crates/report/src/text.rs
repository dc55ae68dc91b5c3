//! Words, numbers and foreign text, made fit for a figure or a report.
//!
//! Three things live here. The catalogue holds every sentence of the reports in both languages, side by
//! side, so that a sentence cannot be added in one language alone. [`Lang`] writes numbers the way its
//! readers write them. [`clean`] makes text from data sets and models harmless to look at: escaping keeps
//! markup inert, but a NUL or a right-to-left override would still break a file or disguise a line.

use say::say;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use tasks::answer::{UNENDED, UNKNOWN};
use tasks::json_schema::MISFIT;
use tasks::score::sql::Failure;
use ts_rs::TS;

/// Space that keeps a number and its unit on one line; also groups digits (unlike a comma or a point,
/// it means the same to an English and an Italian reader).
const NARROW: char = '\u{202f}';

/// Language of a figure or report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(rename = "Language")]
pub enum Lang {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Italian.
    #[serde(rename = "it")]
    Italian,
}

impl FromStr for Lang {
    type Err = String;

    /// Reads `en` or `it`, also with a region (`it-IT`, `en_GB.UTF-8`).
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        match code.split(['-', '_', '.']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Ok(Self::English),
            "it" => Ok(Self::Italian),
            _ => Err(say!("no reports in language `{}`; choose en or it", "nessun rapporto nella lingua `{}`; scegli en o it", clean(code, 20))),
        }
    }
}

impl From<Lang> for say::Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::English => Self::English,
            Lang::Italian => Self::Italian,
        }
    }
}

impl From<say::Language> for Lang {
    fn from(language: say::Language) -> Self {
        match language {
            say::Language::English => Self::English,
            say::Language::Italian => Self::Italian,
        }
    }
}

impl Lang {
    /// The language that the program speaks.
    pub fn spoken() -> Self {
        say::language().into()
    }

    /// Its code: `en` or `it`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Italian => "it",
        }
    }

    /// Why an answer is none, or not the right one, as [`tasks`] says it. What SQLite says of a query stays as it is
    /// where it is rare.
    pub fn reason(self, reason: &str) -> String {
        let numbers: Vec<&str> = reason.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).collect();
        // earlier versions told numbers that are the same as if they were not
        if let ([rows, columns, rows_wanted, columns_wanted], Failure::Different) = (numbers.as_slice(), Failure::of(reason)) {
            let alike = (rows, columns) == (rows_wanted, columns_wanted);
            let template = if alike { self.words().reason_values } else { self.words().reason_shape };
            return fill(template, &[("rows", *rows), ("columns", *columns), ("rows_wanted", *rows_wanted), ("columns_wanted", *columns_wanted)]);
        }
        if self == Self::English {
            return reason.into();
        }
        match (reason, numbers.as_slice()) {
            ("empty", _) => "vuota".into(),
            ("not JSON", _) => "non è JSON".into(),
            ("neither a list nor an object", _) => "né una lista né un oggetto".into(),
            ("an entity is not a string", _) => "un’entità non è una stringa".into(),
            ("a type holds no list", _) => "un tipo non contiene una lista".into(),
            ("an entity has no start, end or type", _) => "a un’entità manca inizio, fine o tipo".into(),
            ("an entity lies outside the text", _) => "un’entità sta fuori dal testo".into(),
            ("an entity is not of the form {\"type\": \"words\"}", _) => "un’entità non ha la forma {\"tipo\": \"parole\"}".into(),
            ("not a list of hashtags", _) => "non è una lista di hashtag".into(),
            ("no hashtag", _) => "nessun hashtag".into(),
            ("no label", _) => "nessuna etichetta".into(),
            ("no answer", _) => "nessuna risposta".into(),
            ("withheld: less sure than the threshold", _) => "trattenuta: meno sicura della soglia".into(),
            ("it holds a NUL character", _) => "contiene un carattere NUL".into(),
            ("it is not a query that reads", _) => "non è una query che legge".into(),
            ("it is more than one statement", _) => "è più di un’istruzione".into(),
            ("it tries to do more than read the data", _) => "prova a fare più che leggere i dati".into(),
            ("incomplete input", _) => "la query non è completa".into(),
            _ if Failure::of(reason) == Failure::Different => self.words().reason_values.into(),
            _ if Failure::of(reason) == Failure::Lucky => "il risultato è giusto solo su questi dati; su una copia con altre righe è diverso".into(),
            (_, [tokens]) if reason.starts_with(UNENDED) => format!("non è finita entro {tokens} token"),
            _ if reason.starts_with(UNKNOWN) => format!("non è una delle etichette: {}", &reason[UNKNOWN.len()..]),
            (_, [kib]) if reason.starts_with("longer than ") => format!("più lunga di {kib} KiB"),
            (_, [seconds]) if reason.starts_with("it was stopped after ") => format!("è stata fermata dopo {seconds} s"),
            (_, [mib]) if reason.starts_with("it was stopped when it had taken ") => format!("è stata fermata quando occupava {mib} MiB"),
            (_, [rows]) if reason.starts_with("its result has more than ") => format!("il risultato ha più di {rows} righe"),
            (_, [mib]) if reason.starts_with("its result is larger than ") => format!("il risultato supera {mib} MiB"),
            _ if reason.starts_with(MISFIT) => format!("non rispetta lo schema in {}", &reason[MISFIT.len()..]),
            _ => match reason.split_once(": ") {
                Some(("no such column", name)) => format!("colonna inesistente: {name}"),
                Some(("no such table", name)) => format!("tabella inesistente: {name}"),
                Some(("no such function", name)) => format!("funzione inesistente: {name}"),
                Some(("ambiguous column name", name)) => format!("nome di colonna ambiguo: {name}"),
                Some((near, "syntax error")) if near.starts_with("near ") => format!("errore di sintassi vicino a {}", &near[5..]),
                _ => reason.into(),
            },
        }
    }

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Italian => &ITALIAN,
        }
    }

    /// A number with a fixed count of decimals and this language's decimal mark.
    pub fn decimal(self, value: f64, places: usize) -> String {
        if value.is_nan() {
            return self.words().not_a_number.into();
        }
        if value.is_infinite() {
            return if value > 0.0 { "∞".into() } else { "−∞".into() };
        }
        let text = format!("{value:.places$}");
        // "-0.0" says less than nothing
        let text = if text.starts_with('-') && text[1..].chars().all(|c| matches!(c, '0' | '.')) { text[1..].to_string() } else { text };
        let text = text.replace('-', "−");
        match self {
            Self::English => text,
            Self::Italian => text.replace('.', ","),
        }
    }

    /// A difference of shares in points of a hundred, with its sign; one that is rounded to nothing has none.
    pub fn points(self, difference: f64) -> String {
        let text = self.decimal(difference * 100.0, 1);
        if difference > 0.0 && text != self.decimal(0.0, 1) { format!("+{text}") } else { text }
    }

    /// A measured value of any size with about three significant digits.
    pub fn significant(self, value: f64) -> String {
        let size = value.abs();
        if !value.is_finite() || value == 0.0 {
            return self.decimal(value, 0);
        }
        if !(1e-4..1e6).contains(&size) {
            let text = format!("{value:.1e}").replace('-', "−");
            return if self == Self::Italian { text.replace('.', ",") } else { text };
        }
        let places = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        self.decimal(value, places)
    }

    /// A count, its digits grouped in threes from five digits up.
    pub fn integer(self, value: u64) -> String {
        let digits = value.to_string();
        if digits.len() < 5 {
            return digits;
        }
        let mut out = String::new();
        for (i, c) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(NARROW);
            }
            out.push(c);
        }
        out
    }

    /// A share between 0 and 1 in percent, with one decimal.
    pub fn percent(self, share: f64) -> String {
        if share.is_finite() { format!("{}{NARROW}%", self.decimal(share * 100.0, 1)) } else { self.decimal(share, 0) }
    }

    /// An interval of shares in percent.
    pub fn percent_range(self, [low, high]: [f64; 2]) -> String {
        format!("{}–{}", self.decimal(low * 100.0, 1), self.percent(high))
    }

    /// A span of time.
    pub fn duration(self, seconds: f64) -> String {
        if !seconds.is_finite() || seconds < 59.95 {
            return format!("{}{NARROW}s", self.decimal(seconds, 1));
        }
        let whole = seconds.round() as u64;
        match (whole / 3600, whole / 60 % 60, whole % 60) {
            (0, m, s) => format!("{m}{NARROW}min {s:02}{NARROW}s"),
            (h, m, _) => format!("{h}{NARROW}h {m:02}{NARROW}min"),
        }
    }

    /// A count of bytes in decimal units.
    pub fn bytes(self, bytes: u64) -> String {
        let b = bytes as f64;
        match bytes {
            0..1_000 => format!("{bytes}{NARROW}B"),
            1_000..1_000_000 => format!("{}{NARROW}kB", self.decimal(b / 1e3, 1)),
            1_000_000..1_000_000_000 => format!("{}{NARROW}MB", self.decimal(b / 1e6, 1)),
            _ => format!("{}{NARROW}GB", self.decimal(b / 1e9, 2)),
        }
    }
}

/// Puts values into the places of a catalogue sentence.
///
/// `{name}` is the value. `{name?one|many}` is the first form if the value is 1, else the second, with the value for each `#` in it.
/// `{il:name}` is the value behind its Italian article (see [`ARTICLES`]), `{Il:name}` the same at the beginning of a sentence.
/// Values are not searched again, so a label called `{model}` stays a label.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        rest = after;
        let Some(close) = after.find('}') else { break };
        let (name, form) = place(&after[1..close]);
        match (values.iter().find(|(n, _)| *n == name), form) {
            (None, _) => out.push_str(&after[..=close]),
            (Some((_, value)), Form::Bare) => out.push_str(value),
            (Some((_, value)), Form::Counted(one, many)) => out.push_str(&if *value == "1" { one } else { many }.replace('#', value)),
            (Some((_, value)), Form::Article(article)) => out.push_str(&with_article(article, value)),
        }
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    out
}

/// How a place shows its value.
enum Form<'a> {
    Bare,
    Counted(&'a str, &'a str),
    Article(&'a str),
}

/// What stands between the braces of a place: the name of its value, and how it is shown.
fn place(text: &str) -> (&str, Form<'_>) {
    if let Some((name, forms)) = text.split_once('?') {
        let (one, many) = forms.split_once('|').unwrap_or((forms, forms));
        return (name, Form::Counted(one, many));
    }
    text.split_once(':').map_or((text, Form::Bare), |(article, name)| (name, Form::Article(article)))
}

/// Italian articles, alone and after a preposition, as they stand before a number: before most, before one that begins with a
/// vowel (`otto`, `undici`), before zero, and before 1.
const ARTICLES: [[&str; 4]; 8] = [
    ["il ", "l’", "lo ", "l’"],
    ["al ", "all’", "allo ", "all’"],
    ["del ", "dell’", "dello ", "dell’"],
    ["nel ", "nell’", "nello ", "nell’"],
    // of several things, of which there may be one
    ["ai ", "agli ", "agli ", "all’"],
    ["dei ", "degli ", "degli ", "dell’"],
    ["sui ", "sugli ", "sugli ", "sull’"],
    ["delle ", "delle ", "delle ", "dell’"],
];

/// A number behind its article; alone if there is no such article.
fn with_article(article: &str, number: &str) -> String {
    let small = article.to_lowercase();
    let Some(forms) = ARTICLES.iter().find(|forms| forms[0].trim_end() == small) else { return number.into() };
    // groups of digits are one number
    let whole: String = number.chars().filter(|c| *c != NARROW).take_while(char::is_ascii_digit).collect();
    let form = match whole.as_str() {
        "0" => forms[2],
        "1" => forms[3],
        // otto, ottanta, ottocento, ottomila; undici, undicimila
        w if w.starts_with('8') || w.starts_with("11") && w.len() % 3 == 2 => forms[1],
        _ => forms[0],
    };
    if small == article { format!("{form}{number}") } else { format!("{}{number}", capital(form)) }
}

/// A text with its first letter as at the beginning of a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Foreign text on one line, at most `limit` characters and an ellipsis, with nothing left that acts.
///
/// Line ends become `↵`; control characters, bidirectional controls and other invisible marks their code
/// point in brackets (NUL is `⟨U+0000⟩`: fonts often lack the pictures of Unicode for them); code points
/// that no XML file may hold `�`. Joiners stay: emoji and several scripts need them.
pub fn clean(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut taken = 0;
    while let Some(c) = chars.next() {
        if taken == limit {
            out.push('…');
            break;
        }
        taken += 1;
        match c {
            '\r' if chars.peek() == Some(&'\n') => taken -= 1,
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('↵'),
            '\t' => out.push(' '),
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                out.push_str(&format!("⟨U+{:04X}⟩", c as u32));
            }
            _ if c as u32 & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}') => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// [`clean`] for text whose own line ends a reader should see as line ends: commands, error messages.
pub(crate) fn clean_lines(text: &str, limit: usize) -> String {
    let mut left = limit;
    let mut lines = Vec::new();
    for line in text.lines() {
        let cleaned = clean(line, left);
        left = left.saturating_sub(cleaned.chars().count() + 1);
        lines.push(cleaned);
        if left == 0 {
            break;
        }
    }
    lines.join("\n")
}

/// Declares the catalogue: each entry once, English first, Italian under it.
macro_rules! catalogue {
    ($($name:ident: $english:literal, $italian:literal;)*) => {
        /// Every word and sentence of figures and reports.
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static ITALIAN: Words = Words { $($name: $italian,)* };

        #[cfg(test)]
        const ENTRIES: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $italian),)*];
    };
}

catalogue! {
    not_a_number:
        "not a number",
        "non numerico";

    // figures
    step_axis:
        "optimiser step",
        "passo di ottimizzazione";
    loss_axis:
        "loss (nats per target)",
        "perdita (nat per bersaglio)";
    loss_axis_log:
        "loss (nats per target), logarithmic",
        "perdita (nat per bersaglio), logaritmica";
    training:
        "training",
        "addestramento";
    training_smoothed:
        "training, mean of {window} steps",
        "addestramento, media di {window} passi";
    validation:
        "validation",
        "validazione";
    best_mark:
        "best {loss}, step {step}",
        "minimo {loss}, passo {step}";
    not_finite_mark:
        "× not finite: {count}",
        "× non finiti: {count}";
    no_steps:
        "no training step was recorded",
        "nessun passo di addestramento registrato";
    alt_loss:
        "Training loss by step. It starts at {first} and ends at {last} after step {step}.",
        "Perdita di addestramento per passo. Parte da {first} e finisce a {last} dopo il passo {step}.";
    alt_loss_none:
        "Loss by step: no training step was recorded.",
        "Perdita per passo: nessun passo di addestramento registrato.";
    alt_loss_validation:
        "{count?The only validation|The last of # validations} gave {last}.",
        "{count?L’unica validazione|L’ultima di # validazioni} ha dato {last}.";
    alt_loss_best:
        "The best validation loss is {loss}, at step {step}.",
        "La perdita di validazione migliore è {loss}, al passo {step}.";
    alt_loss_not_finite:
        "At {count} {count?step|steps} the loss was not a finite number.",
        "In {count} {count?passo|passi} la perdita non era un numero finito.";
    alt_loss_marks:
        "{count} {count?notice|notices} about the health of the training {count?is|are} marked.",
        "{count?È segnato # avviso|Sono segnati # avvisi} sulla salute dell’addestramento.";
    expected_axis:
        "expected",
        "atteso";
    answered_axis:
        "answered",
        "risposto";
    no_label:
        "no label",
        "nessuna etichetta";
    colour_right:
        "right",
        "giuste";
    colour_wrong:
        "wrong",
        "sbagliate";
    colour_key:
        "share of the row, 2 to 100 %:",
        "quota della riga, dal 2 al 100 %:";
    alt_confusion:
        "Confusion matrix of {classes} {classes?label|labels} and {examples} {examples?example|examples}; {right} {right?was|were} answered correctly.",
        "Matrice di confusione di {classes} {classes?etichetta|etichette} e {examples} {examples?esempio|esempi}; {right} {right?risposta è giusta|risposte \
         sono giuste}.";
    alt_confusion_top:
        "The commonest mistake, {count?once|# times}: “{expected}” answered as “{answered}”.",
        "L’errore più frequente, {count?una volta|# volte}: «{expected}» con risposta «{answered}».";
    alt_confusion_none:
        "No label was mistaken for another.",
        "Nessuna etichetta è stata scambiata per un’altra.";
    confidence_axis:
        "probability the model gave",
        "probabilità data dal modello";
    accuracy_axis:
        "share that was right",
        "quota di risposte giuste";
    perfect:
        "perfectly calibrated",
        "calibrazione perfetta";
    alt_reliability:
        "Reliability diagram of {examples} {examples?answer|answers}: share that was right against the probability given.",
        "Diagramma di affidabilità di {examples} {examples?risposta|risposte}: quota giusta rispetto alla probabilità data.";
    alt_reliability_bin:
        "At probability {confidence}: {accuracy} right ({count}).",
        "A probabilità {confidence}: {accuracy} giuste ({count}).";
    alt_comparison:
        "{measure} with 95 % intervals.",
        "{measure} con intervalli al 95 %.";
    alt_comparison_row:
        "{name}: {score} ({interval}).",
        "{name}: {score} ({interval}).";
    alt_errors:
        "What became of the entities, in {count} {count?row|rows}.",
        "Che cosa è stato delle entità, in {count} {count?riga|righe}.";
    pointer_errors:
        "{name}: {right} of {expected} found, {missed} missed, {wrong_type} of the wrong type, {wrong_boundary} with wrong ends; {invented} invented.",
        "{name}: {right} di {expected} {right?trovata|trovate}, {missed} {missed?mancata|mancate}, {wrong_type} di tipo sbagliato, {wrong_boundary} con \
         confini sbagliati; {invented} {invented?inventata|inventate}.";
    pointer_errors_part:
        "{name}, {kind}: {count}.",
        "{name}, {kind}: {count}.";
    errors_right:
        "found",
        "trovate";
    errors_boundary:
        "wrong ends",
        "confini sbagliati";
    errors_type:
        "wrong type",
        "tipo sbagliato";
    errors_missed:
        "missed",
        "mancate";
    errors_invented:
        "invented",
        "inventate";
    errors_share:
        "{right} of {expected}",
        "{right} di {expected}";
    errors_all:
        "all types",
        "tutti i tipi";
    alt_lengths:
        "Lengths of {texts} {texts?text|texts} in tokens: the middle one has {from} to {to}, the longest at most {most}.",
        "Lunghezza di {texts} {texts?testo|testi} in token: quello mediano ne ha da {from} a {to}, il più lungo al massimo {most}.";
    alt_lengths_limit:
        "At most {limit} {limit?token is|tokens are} taken.",
        "{limit?Si accetta|Si accettano} al massimo {limit} token.";
    pointer_lengths:
        "{from} to {to} tokens: {count} {count?text|texts}",
        "da {from} a {to} token: {count} {count?testo|testi}";
    lengths_axis:
        "tokens",
        "token";
    lengths_count_axis:
        "texts",
        "testi";
    lengths_limit:
        "limit {limit}",
        "limite {limit}";
    alt_learning:
        "{measure} by number of training examples.",
        "{measure} per numero di esempi di addestramento.";
    pointer_learning:
        "{examples} {examples?example|examples}: {score} ({interval}).",
        "{examples} {examples?esempio|esempi}: {score} ({interval}).";
    pointer_learning_alone:
        "{examples} {examples?example|examples}: {score}.",
        "{examples} {examples?esempio|esempi}: {score}.";
    learning_axis:
        "training examples",
        "esempi di addestramento";
    learning_axis_log:
        "training examples, logarithmic",
        "esempi di addestramento, logaritmica";
    alt_map:
        "{count} {count?example|examples} on a plane, near ones alike, with {labels} {labels?label|labels}.",
        "{count} {count?esempio|esempi} su un piano, vicini se simili, con {labels} {labels?etichetta|etichette}.";
    alt_map_label:
        "{label}: {count}.",
        "{label}: {count}.";
    map_empty:
        "no example was placed",
        "nessun esempio da mostrare";
    alt_mistakes_map:
        "{count} scored {count?example|examples} on a plane, near ones alike. Crosses mark the answers that were not wholly right: {wrong}.",
        "{count} {count?esempio valutato|esempi valutati} su un piano, vicini se simili. Le croci segnano le risposte non del tutto giuste: {wrong}.";
    alt_mistakes_map_label:
        "{label}: {wrong} of {count}.",
        "{label}: {wrong} di {count}.";
    map_right:
        "wholly right: {count}",
        "del tutto giuste: {count}";
    map_wrong:
        "not wholly right: {count}",
        "non del tutto giuste: {count}";

    // head and summary
    title:
        "{task}: {data}",
        "{task}: {data}";
    task_intent:
        "Intent classification",
        "Classificazione degli intenti";
    task_entities:
        "Entity recognition",
        "Riconoscimento di entità";
    task_sql:
        "Questions to SQL",
        "Domande in SQL";
    task_hashtags:
        "Hashtag suggestion",
        "Proposta di hashtag";
    task_custom:
        "Prompts and answers",
        "Richieste e risposte";
    method_completion:
        "completion (the model writes the answer)",
        "completamento (il modello scrive la risposta)";
    method_head:
        "classification head (a layer on top of the model chooses the label)",
        "testa di classificazione (uno strato sopra il modello sceglie l’etichetta)";
    method_tagging:
        "tagging (a layer on top of the model gives every word a tag)",
        "marcatura (uno strato sopra il modello dà un’etichetta a ogni parola)";
    method_full:
        "full fine-tuning (all weights are trained but the word table; the model writes the answer)",
        "addestramento completo (si addestrano tutti i pesi tranne la tabella delle parole; il modello scrive la risposta)";
    method_elsewhere:
        "answers of another system, read from a file",
        "risposte di un altro sistema, lette da un file";
    kicker:
        "Training report",
        "Rapporto di addestramento";
    contents:
        "Contents",
        "Indice";
    lacking:
        "□ stands for a character that the fonts of this file lack.",
        "□ sta per un carattere che manca ai font di questo file.";
    summary_heading:
        "Summary",
        "In breve";
    summary_trained:
        "{model} was fine-tuned on {examples} {examples?example|examples} of “{data}”{with}, {how}, on {device}, in {time}.",
        "{model} è stato specializzato su {examples} {examples?esempio|esempi} di «{data}»{with}, {how}, su {device}, in {time}.";
    summary_trained_untimed:
        "{model} was to be fine-tuned on {examples} {examples?example|examples} of “{data}”{with}, {how}, on {device}.",
        "{model} doveva essere specializzato su {examples} {examples?esempio|esempi} di «{data}»{with}, {how}, su {device}.";
    summary_rows:
        "Its {rows} training {rows?row is|rows are} {made}.",
        "{rows?La sua riga di addestramento è|Le sue # righe di addestramento sono} {made}.";
    rows_own:
        "these examples (each once or more)",
        "questi esempi (ciascuno una o più volte)";
    rows_grown:
        "others grown from them",
        "altre ricavate da essi";
    rows_composed:
        "others composed from the database",
        "altre composte dalla base di dati";
    rows_made:
        "others made by the recipe",
        "altre fatte dalla ricetta";
    summary_edited:
        "The set had been edited: {count} {count?change was|changes were} made to it before the run.",
        "L’insieme era stato modificato: prima dell’esecuzione vi {count?è stata fatta # modifica|sono state fatte # modifiche}.";
    by_method:
        "by {method}",
        "per {method}";
    by_head:
        "with a {method}",
        "con una {method}";
    kicker_elsewhere:
        "Evaluation report",
        "Rapporto di valutazione";
    summary_elsewhere:
        "These are the answers of another system, {model}. They were read from a file and scored here; how that system was made is not known.",
        "Sono le risposte di un altro sistema, {model}. Sono state lette da un file e valutate qui; come quel sistema sia stato fatto non è noto.";
    with_labels:
        " with {count} {count?label|labels}",
        " con {count} {count?etichetta|etichette}";
    with_types:
        " with {count} {count?type|types} of entities",
        " con {count} {count?tipo|tipi} di entità";
    about_tables:
        " about {count} {count?table|tables}",
        " su {count} {count?tabella|tabelle}";
    summary_entities:
        "On the {examples} {split} {examples?example|examples} its F1 is {score}; the 95 % interval is {interval}. It finds {recall} of the entities, and \
         {precision} of those that it marks are right.",
        "{Sui:examples} {examples?esempio|esempi} di {split} il suo F1 è {score}; l’intervallo al 95 % è {interval}. Trova {il:recall} delle entità, ed è \
         giusto {il:precision} di quelle che segna.";
    summary_sql:
        "For {score} of the {examples} {split} {examples?question|questions} it writes a query that finds what the expected one finds; the 95 % interval is \
         {interval}. {valid} of its queries run.",
        "Per {il:score} {delle:examples} {examples?domanda|domande} di {split} scrive una query che trova ciò che trova quella attesa; l’intervallo al 95 % \
         è {interval}. {Il:valid} delle sue query viene eseguito.";
    summary_tags:
        "On the {examples} {split} {examples?post|posts} the F1 of its hashtags is {score}; the 95 % interval is {interval}. {hit} of the posts get at least \
         one of the expected hashtags.",
        "{Sui:examples} post di {split} l’F1 dei suoi hashtag è {score}; l’intervallo al 95 % è {interval}. {Il:hit} dei post riceve almeno uno degli \
         hashtag attesi.";
    summary_text:
        "It writes exactly the expected text for {score} of the {examples} {split} {examples?example|examples}; the 95 % interval is {interval}. The mean \
         chrF, which counts shared runs of characters, is {chrf}.",
        "Scrive esattamente il testo atteso per {il:score} {dei:examples} {examples?esempio|esempi} di {split}; l’intervallo al 95 % è {interval}. Il chrF \
         medio, che conta le sequenze di caratteri in comune, è {chrf}.";
    summary_commonest:
        "Always giving the commonest hashtags would get {accuracy}.",
        "Dare sempre gli hashtag più comuni otterrebbe {accuracy}.";
    summary_no_entities:
        "Marking no entity at all would get {accuracy}.",
        "Non segnare alcuna entità otterrebbe {accuracy}.";
    summary_commonest_query:
        "Always giving the commonest query of the training set would get {accuracy}.",
        "Dare sempre la query più comune dell’insieme di addestramento otterrebbe {accuracy}.";
    summary_commonest_text:
        "Always giving the commonest completion of the training set would get {accuracy}.",
        "Dare sempre il completamento più comune dell’insieme di addestramento otterrebbe {accuracy}.";
    summary_gazetteer:
        "Looking names up in a list of the training entities would get {accuracy}.",
        "Cercare i nomi in un elenco delle entità di addestramento otterrebbe {accuracy}.";
    summary_nearest:
        "Copying the answer of the most similar training example would get {accuracy}.",
        "Copiare la risposta dell’esempio di addestramento più simile otterrebbe {accuracy}.";
    summary_weakest_type:
        "Weakest type: {label}, F1 {f1}. Strongest: {best}, F1 {best_f1}.",
        "Tipo più debole: {label}, F1 {f1}. Più forte: {best}, F1 {best_f1}.";
    summary_accuracy:
        "It answers {accuracy} of the {examples} {split} {examples?example|examples} correctly; the 95 % interval is {interval}.",
        "{Sui:examples} {examples?esempio|esempi} di {split} l’accuratezza è {accuracy}; l’intervallo al 95 % è {interval}.";
    summary_majority:
        "Always giving the commonest label would get {accuracy}.",
        "Dare sempre l’etichetta più comune otterrebbe {accuracy}.";
    summary_untuned:
        "The same model before tuning gets {accuracy}.",
        "Lo stesso modello prima della specializzazione ottiene {accuracy}.";
    summary_few_shot:
        "Shown a few training examples before each question, it gets {accuracy}.",
        "Con alcuni esempi di addestramento davanti a ogni domanda ottiene {accuracy}.";
    summary_tf_idf:
        "TF-IDF with logistic regression, fitted to the same training examples, gets {accuracy}.",
        "TF-IDF con regressione logistica, adattata agli stessi esempi di addestramento, ottiene {accuracy}.";
    summary_better:
        "This model is above {others}: the intervals do not overlap.",
        "Questo modello è sopra {others}: gli intervalli non si sovrappongono.";
    summary_worse:
        "This model is below {others}: the intervals do not overlap.",
        "Questo modello è sotto {others}: gli intervalli non si sovrappongono.";
    summary_unclear:
        "Beside {others} it is called neither above nor below: the intervals overlap.",
        "Fra questo modello e {others} gli intervalli si sovrappongono: non lo si dice né sopra né sotto.";
    and:
        " and ",
        " e ";
    summary_weakest:
        "Weakest label: {label}, F1 {f1}. Strongest: {best}, F1 {best_f1}.",
        "Etichetta più debole: {label}, F1 {f1}. Più forte: {best}, F1 {best_f1}.";
    summary_validation:
        "There was no test set: these figures come from the validation set, which also chose the weights that were kept, so expect somewhat less on new text.",
        "Non c’era un insieme di prova: queste cifre vengono dall’insieme di validazione, che ha anche scelto i pesi tenuti; su testi nuovi ci si aspetti \
         un po’ meno.";
    summary_trial:
        "This was a trial for choosing settings, which leaves the test set out: these figures come from the validation set, which also chose the weights \
         that were kept, so expect somewhat less on new text.",
        "Era un tentativo per scegliere le impostazioni, che lascia fuori l’insieme di prova: queste cifre vengono dall’insieme di validazione, che ha anche \
         scelto i pesi tenuti; su testi nuovi ci si aspetti un po’ meno.";
    number_label:
        "{measure}, {split} set",
        "{measure}, insieme di {split}";
    number_interval:
        "95 % interval {interval}",
        "intervallo al 95 % {interval}";
    split_test:
        "test",
        "prova";
    split_validation:
        "validation",
        "validazione";
    split_schema:
        "tables",
        "tabelle";
    split_json_schema:
        "JSON schema",
        "schema JSON";
    split_seed:
        "rows of the tables",
        "righe delle tabelle";
    split_database:
        "database",
        "base di dati";
    split_train:
        "training",
        "addestramento";
    split_changes:
        "changes made before the run",
        "modifiche fatte prima dell’esecuzione";
    status_failed:
        "This run failed",
        "Questa esecuzione è fallita";
    status_failed_text:
        "It ended at step {step}. What was recorded until then follows; there is no finished model.",
        "Si è fermata al passo {step}. Segue ciò che è stato registrato fino ad allora; non c’è un modello finito.";
    status_failed_no_cause:
        "No cause was recorded.",
        "Nessuna causa registrata.";
    status_stopped:
        "This run was stopped early",
        "Questa esecuzione è stata fermata prima della fine";
    status_stopped_text:
        "A person ended it at step {step}. The figures below are those of the unfinished training.",
        "Una persona l’ha fermata al passo {step}. Le cifre che seguono sono di un addestramento non finito.";
    status_stopped_planned:
        "A person ended it at step {step} of {planned}. The figures below are those of the unfinished training.",
        "Una persona l’ha fermata al passo {step} di {planned}. Le cifre che seguono sono di un addestramento non finito.";
    status_paused:
        "This run waits: its device was lost",
        "Questa esecuzione aspetta: il suo dispositivo è andato perso";
    status_paused_text:
        "It was last saved at step {step} and goes on from there, on any device. What was recorded until then follows; there is no finished model.",
        "L’ultimo salvataggio è del passo {step}, da cui prosegue su qualsiasi dispositivo. Segue ciò che è stato registrato; non c’è un modello finito.";
    status_other:
        "This run did not complete: {status}",
        "Questa esecuzione non è completa: {status}";

    // figures that came with the documents
    learning_rate:
        "learning rate",
        "tasso di apprendimento";
    gradient_norm:
        "gradient norm before clipping",
        "norma del gradiente prima del taglio";
    memory:
        "memory of the process",
        "memoria del processo";
    speed_axis:
        "tokens per second",
        "token al secondo";
    alt_quantity:
        "{name}: between {low} and {high}, {last} at step {step}.",
        "{name}: tra {low} e {high}, {last} al passo {step}.";
    pointer_step:
        "step {step}: {value}",
        "passo {step}: {value}";
    pointer_loss:
        "{name}, step {step}: {loss}",
        "{name}, passo {step}: {loss}";
    pointer_class:
        "{label}: F1 {f1}, precision {precision}, recall {recall}",
        "{label}: F1 {f1}, precisione {precision}, richiamo {recall}";
    pointer_cell:
        "expected {expected}, answered {answered}: {count}, {share} of the label",
        "atteso {expected}, risposto {answered}: {count}, {share} dell’etichetta";
    alt_class_scores:
        "Scores of {count} {count?category|categories}, weakest first.",
        "Punteggi di {count} {count?categoria|categorie}, dalla più debole.";
    alt_class_score:
        "{label}: F1 {f1}.",
        "{label}: F1 {f1}.";
    alt_balance:
        "Occurrences of {count} {count?category|categories}: at most {most}, at least {least}.",
        "Occorrenze di {count} {count?categoria|categorie}: al massimo {most}, almeno {least}.";
    alt_confusion_shown:
        "The {shown} labels with most mistakes are shown.",
        "Sono mostrate le {shown} etichette con più errori.";
    alt_coverage:
        "Accuracy when only the surest answers are taken.",
        "Accuratezza se si tengono solo le risposte più sicure.";
    alt_coverage_calibrated:
        "The surest are those of the highest calibrated probability.",
        "Le più sicure sono quelle di probabilità calibrata più alta.";
    alt_coverage_point:
        "The surest {share}, at least {probability} sure: {accuracy} right.",
        "{Il:share} più sicuro, sicurezza almeno {probability}: giuste {accuracy}.";
    alt_coverage_threshold:
        "The threshold that was chosen on the validation set, {threshold}, leaves {share} of the examples answered, {accuracy} of them rightly.",
        "La soglia scelta sull’insieme di validazione, {threshold}, lascia risposta {al:share} degli esempi, giusta {nel:accuracy} dei casi.";
    coverage_axis:
        "share of examples answered, surest first",
        "quota di esempi con risposta, dalla più sicura";
    coverage_axis_calibrated:
        "share of examples answered, surest first by calibrated probability",
        "quota di esempi con risposta, dalla più sicura per probabilità calibrata";
    class_scores_caption:
        "F1 as bars; circles: precision, diamonds: recall.",
        "F1 come barre; cerchi: precisione, rombi: richiamo.";
    balance_caption:
        "Examples of each label in the set that was scored.",
        "Esempi di ogni etichetta nell’insieme valutato.";
    balance_training_caption:
        "Examples of each label in the training set.",
        "Esempi di ogni etichetta nell’insieme di addestramento.";
    lengths_caption:
        "Lengths of the training rows in tokens, as the model reads them.",
        "Lunghezze delle righe di addestramento in token, come le legge il modello.";
    coverage_caption:
        "What refusing unsure answers would bring: the further left, the fewer examples are answered.",
        "Che cosa darebbe rifiutare le risposte incerte: più a sinistra, meno esempi ricevono risposta.";
    coverage_calibrated_caption:
        "Surest by calibrated probability.",
        "Sicure secondo la probabilità calibrata.";
    quantities_caption:
        "Learning rate, gradient norm, memory and speed by optimiser step; the number on the right is the last value.",
        "Tasso di apprendimento, norma del gradiente, memoria e velocità per passo; il numero a destra è l’ultimo valore.";

    // documents
    interval:
        "95\u{a0}% interval",
        "intervallo al 95\u{a0}%";
    the_tf_idf_logistic:
        "TF-IDF with logistic regression",
        "TF-IDF con regressione logistica";
    the_majority:
        "the commonest label",
        "l’etichetta più comune";
    the_untuned:
        "the model before tuning",
        "il modello non specializzato";
    the_few_shot:
        "the model before tuning with examples in its prompt",
        "il modello non specializzato con esempi nel prompt";
    status_failed_cause:
        "Likely cause: {cause}. What helps: {help}.",
        "Causa probabile: {cause}. Che cosa aiuta: {help}.";
    status_failed_symptom:
        "The first sign of trouble came at step {step}: {message}",
        "Il primo segno di difficoltà è comparso al passo {step}: {message}";
    model_heading:
        "Model card",
        "Scheda del modello";
    data_heading:
        "Data card",
        "Scheda dei dati";
    cite_heading:
        "How to cite it",
        "Come citarlo";
    the_commonest_tags:
        "the commonest hashtags",
        "gli hashtag più comuni";
    the_no_entities:
        "marking nothing",
        "il non segnare nulla";
    the_commonest_query:
        "the commonest query",
        "la query più comune";
    the_commonest_text:
        "the commonest completion",
        "il completamento più comune";
    the_gazetteer:
        "the list of known entities",
        "l’elenco delle entità note";
    the_nearest:
        "the nearest training example",
        "l’esempio di addestramento più simile";
    use_heading:
        "What it is good for, and what not",
        "A che cosa serve, e a che cosa no";
    use_no_better:
        "It is not shown to be better than {other}, above whose interval its own does not wholly lie: do not put it in that place on this evidence alone.",
        "Non è dimostrato che superi {other}, sopra il cui intervallo il suo non sta per intero: su questa sola base non va messo al suo posto.";
    use_reliable:
        "Reliable (F1 of {high} or more): {labels}.",
        "Affidabili (F1 almeno {high}): {labels}.";
    use_check:
        "Useful if a person looks at the answers (F1 from {low} to below {high}): {labels}.",
        "Utili se una persona controlla le risposte (F1 da {low} a meno di {high}): {labels}.";
    use_unreliable:
        "Not to be relied on (F1 below {low}): {labels}.",
        "Inaffidabili (F1 sotto {low}): {labels}.";
    use_few:
        "Too few examples (under {least}) to say anything about: {labels}.",
        "Troppo pochi esempi (meno di {least}) per dire qualcosa di: {labels}.";
    use_all_answers:
        "It reaches {good} accuracy without refusing any answer.",
        "Raggiunge {il:good} di accuratezza senza rifiutare alcuna risposta.";
    use_threshold:
        "Taking only answers with a probability of {threshold} or more answers {share} of the examples, {accuracy} of them rightly; this is the widest \
         choice that reached {good} here.",
        "Tenendo solo le risposte con probabilità di almeno {threshold} si risponde {al:share} degli esempi, giusto {nel:accuracy} dei casi; è la scelta più \
         ampia che qui ha raggiunto {il:good}.";
    use_no_threshold:
        "No threshold on the probability reached {good} accuracy over at least {answers} answers.",
        "Nessuna soglia sulla probabilità ha raggiunto {il:good} di accuratezza su almeno {answers} risposte.";
    use_threshold_validation:
        "Withholding answers with a calibrated probability below {threshold}, as lapidary predict --abstain does, answers {share} of the test examples, \
         {accuracy} of them rightly. The threshold was chosen on the validation set, where {reached} of the {given} {given?answer|answers} above it \
         {given?was|were} right; {good} was asked for.",
        "Trattenendo le risposte con probabilità calibrata sotto {threshold}, come fa lapidary predict --abstain, si risponde {al:share} degli esempi di \
         prova, giusto {nel:accuracy} dei casi. La soglia è stata scelta sull’insieme di validazione, dove sopra di essa era giusto {il:reached} \
         {delle:given} {given?risposta|risposte}; era chiesto {il:good}.";
    use_threshold_missed:
        "On the test set that was not kept: {accuracy} is below {good}.",
        "Sull’insieme di prova ciò non si è mantenuto: {accuracy} è meno {del:good}.";
    use_no_threshold_validation:
        "No threshold on the probability reached {good} accuracy on the validation set, so none is offered for abstaining.",
        "Nessuna soglia sulla probabilità ha raggiunto {il:good} di accuratezza sull’insieme di validazione: non se ne propone alcuna per astenersi.";
    use_calibration:
        "Its probabilities are {error} percentage points off on average, more than {limit}: do not read them as chances of being right.",
        "Le sue probabilità sbagliano in media di {error} punti percentuali, più di {limit}: non vanno lette come probabilità di avere ragione.";
    use_missed:
        "{share} of its mistakes, more than half, are entities that it overlooked: what it marks can be used, but not as a complete list.",
        "{Il:share} dei suoi errori, più della metà, sono entità che non ha visto: ciò che segna si può usare, ma non come elenco completo.";
    use_invented:
        "{share} of its mistakes, more than half, are entities that it invented: a person should confirm what it marks.",
        "{Il:share} dei suoi errori, più della metà, sono entità inventate: una persona dovrebbe confermare ciò che segna.";
    use_wrong_type:
        "{share} of its mistakes, more than half, are the right words under the wrong type: it knows better where an entity is than what it is.",
        "{Il:share} dei suoi errori, più della metà, sono le parole giuste con il tipo sbagliato: sa meglio dove sta un’entità che che cosa sia.";
    use_wrong_boundary:
        "{share} of its mistakes, more than half, begin or end at the wrong place: enough to highlight or to count, not to copy names into a register.",
        "{Il:share} dei suoi errori, più della metà, comincia o finisce nel punto sbagliato: basta per evidenziare o contare, non per copiare nomi in un \
         registro.";
    use_sql_good:
        "{score} of its queries had the right result ({high} or more): it can offer a result with the query beside it.",
        "{Il:score} delle sue query ha dato il risultato giusto (almeno {high}): può proporre un risultato con accanto la query.";
    use_sql_draft:
        "{score} of its queries had the right result (from {low} to below {high}): drafts for a person who reads SQL.",
        "{Il:score} delle sue query ha dato il risultato giusto (da {low} a meno di {high}): bozze per chi sa leggere SQL.";
    use_sql_bad:
        "{score} of its queries had the right result (below {low}): not to be relied on.",
        "{Il:score} delle sue query ha dato il risultato giusto (sotto {low}): non ci si può fare affidamento.";
    use_sql_invalid:
        "{share} of its queries did not run, more than {limit}: whatever uses it must expect that.",
        "{Il:share} delle sue query non è stato eseguito, più {del:limit}: chi lo usa deve metterlo in conto.";
    use_sql_lucky:
        "{count} of its queries {count?was|were} right on this data and wrong on a changed copy of it: a right number is no proof of a right query.",
        "{count} delle sue query {count?era giusta|erano giuste} su questi dati e {count?sbagliata|sbagliate} su una copia modificata: un numero giusto non \
         prova una query giusta.";
    use_sql_tables:
        "It knows only these tables: {tables}.",
        "Conosce solo queste tabelle: {tables}.";
    use_tags_good:
        "Good for proposing hashtags from which a person chooses: {hit} of the posts got at least one that was expected ({high} or more).",
        "Utile per proporre hashtag tra cui una persona sceglie: {il:hit} dei post ne ha ricevuto almeno uno atteso (almeno {high}).";
    use_tags_some:
        "Now and then of use for proposing hashtags: {hit} of the posts got at least one that was expected (from {low} to below {high}).",
        "A volte utile per proporre hashtag: {il:hit} dei post ne ha ricevuto almeno uno atteso (da {low} a meno di {high}).";
    use_tags_bad:
        "Of little use for proposing hashtags: {hit} of the posts got at least one that was expected (below {low}).",
        "Poco utile per proporre hashtag: {il:hit} dei post ne ha ricevuto almeno uno atteso (sotto {low}).";
    use_tags_unattended:
        "Not for publishing hashtags without a person: {precision} of them were expected (below {high}). Others may fit as well; that was not measured.",
        "Non per pubblicare hashtag senza una persona: {il:precision} era tra quelli attesi (sotto {high}). Altri possono andare bene; non è stato misurato.";
    use_tags_same:
        "It repeats itself: {diversity} of its hashtags are distinct, less than half of the {expected} of the expected ones.",
        "Si ripete: {il:diversity} dei suoi hashtag è distinto, meno della metà {del:expected} di quelli attesi.";
    use_text_good:
        "It wrote exactly what was expected in {score} of the examples ({high} or more).",
        "Ha scritto esattamente ciò che era atteso {nel:score} degli esempi (almeno {high}).";
    use_text_near:
        "It wrote exactly what was expected in {score} of the examples (below {high}), but its texts are near to it (chrF {chrf}, {low} or more): drafts for \
         a person.",
        "Ha scritto esattamente ciò che era atteso {nel:score} degli esempi (meno di {high}), ma i suoi testi vi si avvicinano (chrF {chrf}, almeno {low}): \
         bozze per una persona.";
    use_text_bad:
        "It wrote exactly what was expected in {score} of the examples (below {high}), and its texts are far from it (chrF {chrf}, below {low}).",
        "Ha scritto esattamente ciò che era atteso {nel:score} degli esempi (meno di {high}), e i suoi testi ne sono lontani (chrF {chrf}, sotto {low}).";
    use_only:
        "All this was measured on {examples} {examples?example|examples} of {data}; it says nothing about other sources or languages.",
        "Tutto ciò è misurato su {examples} {examples?esempio|esempi} di {data}; non dice nulla di altre fonti o lingue.";
    use_only_language:
        "All this was measured on {examples} {examples?example|examples} of {data} (language: {language}); it says nothing about other sources or languages.",
        "Tutto ciò è misurato su {examples} {examples?esempio|esempi} di {data} (lingua: {language}); non dice nulla di altre fonti o lingue.";
    and_more:
        "{names} and {count} more",
        "{names} e altre {count}";

    // comparison
    compare_title:
        "Comparison of {count} {count?run|runs}",
        "Confronto di {count} {count?esecuzione|esecuzioni}";
    compare_lead:
        "{count} {count?run|runs} side by side; all differences are from the first, {first}.",
        "{count} {count?esecuzione|esecuzioni} a confronto; tutte le differenze sono rispetto alla prima, {first}.";
    compare_best:
        "Highest {measure}: {name}, {score} ({interval}).",
        "Valore più alto ({measure}): {name}, {score} ({interval}).";
    compare_settled:
        "{name} and {first} differ: {difference} points, p {p}.",
        "{name} e {first} differiscono: {difference} punti, p {p}.";
    compare_unsettled:
        "This measurement does not settle whether {name} or {first} is better (difference {difference} points, p {p}).",
        "Questa misura non decide se sia migliore {name} o {first} (differenza {difference} punti, p {p}).";
    compare_other_examples:
        "{name} was not scored on the examples of {first}: the two numbers cannot be set against each other.",
        "{name} non è stata valutata sugli esempi di {first}: i due numeri non si possono confrontare.";
    compare_nothing:
        "Fewer than two of these runs have results.",
        "Meno di due di queste esecuzioni hanno risultati.";
    compare_caption:
        "Scores with 95 % bootstrap intervals, and what each run took",
        "Punteggi con intervalli bootstrap al 95 %, e che cosa è servito";
    losses_caption:
        "Losses over each other. Lines: moving means of the training; dots: validations.",
        "Perdite sovrapposte. Linee: medie mobili dell’addestramento; punti: validazioni.";
    losses_first:
        "The first four runs are shown.",
        "Sono mostrate le prime quattro esecuzioni.";
    run:
        "Run",
        "Esecuzione";
    status:
        "Status",
        "Stato";
    status_completed:
        "completed",
        "completata";
    paired_heading:
        "Example by example",
        "Esempio per esempio";
    paired_caption:
        "Each run against {first} on the same examples",
        "Ogni esecuzione rispetto a {first} sugli stessi esempi";
    paired_note:
        "Difference: accuracy of the run minus that of {first}, in points of a hundred, with a 95 % interval (Agresti and Min 2005). p: exact McNemar test, not \
         corrected for the number of rows; below 0.05 the difference is called settled.",
        "Differenza: accuratezza dell’esecuzione meno quella di {first}, in punti percentuali, con intervallo al 95 % (Agresti e Min 2005). p: test esatto di \
         McNemar, non corretto per il numero di righe; sotto 0,05 la differenza si dice decisa.";
    graded_note:
        "Better and worse: examples on which the run scored higher or lower than {first}. Difference: mean score of an example (its F1; chrF for free text), \
         run minus {first}, in points of a hundred, with a 95 % interval. p: paired bootstrap (Koehn 2004), not corrected for the number of rows; below 0.05 \
         the difference is called settled.",
        "Meglio e peggio: esempi in cui il punteggio dell’esecuzione è più alto o più basso di quello di {first}. Differenza: punteggio medio di un esempio (il \
         suo F1; chrF per testi liberi), esecuzione meno {first}, in punti percentuali, con intervallo al 95 %. p: bootstrap appaiato (Koehn 2004), non \
         corretto per il numero di righe; sotto 0,05 la differenza si dice decisa.";
    better:
        "Better",
        "Meglio";
    equal:
        "Equal",
        "Pari";
    worse:
        "Worse",
        "Peggio";
    study_title:
        "Study",
        "Studio";
    study_lead:
        "{runs} {runs?run|runs}: {methods} {methods?method|methods}, {sizes} {sizes?size|sizes} of the training set, {seeds} {seeds?seed|seeds}.",
        "{runs} {runs?esecuzione|esecuzioni}: {methods} {methods?metodo|metodi}, {sizes} {sizes?dimensione|dimensioni} dell’addestramento, {seeds} \
         {seeds?seme|semi}.";
    study_best:
        "Highest mean {measure}: {score}, by {method} on {examples} training {examples?example|examples}.",
        "Media più alta ({measure}): {score}, con {method} su {examples} {examples?esempio|esempi} di addestramento.";
    study_caption:
        "{measure} by the number of training examples: mean over the seeds, with its 95 % interval.",
        "{measure} per numero di esempi di addestramento: media sui semi, con intervallo al 95 %.";
    study_results_caption:
        "Means over the seeds",
        "Medie sui semi";
    study_baselines_caption:
        "What was held against them, on the same examples",
        "Con che cosa si confrontano, sugli stessi esempi";
    study_note:
        "The interval is of the mean over seeds (Student’s t, 95 %): it says how much chance in the training matters, not how much the choice of the test \
         examples does. Time: mean of the training.",
        "L’intervallo è quello della media sui semi (t di Student, 95 %): dice quanto conta il caso nell’addestramento, non la scelta degli esempi di prova. \
         Tempo: media dell’addestramento.";
    study_examples:
        "Training examples",
        "Esempi di addestramento";
    study_runs:
        "Runs",
        "Esecuzioni";
    study_all:
        "all",
        "tutti";
    learning_caption:
        "{measure} by the number of training examples; all else was chosen alike.",
        "{measure} per numero di esempi di addestramento; tutto il resto è stato scelto allo stesso modo.";
    both_right:
        "Both right",
        "Giuste entrambe";
    only_this:
        "Only this",
        "Solo questa";
    only_first:
        "Only first",
        "Solo la prima";
    neither:
        "Neither",
        "Nessuna";
    difference:
        "Difference",
        "Differenza";
    p_value:
        "p",
        "p";
    choices_heading:
        "What was chosen",
        "Che cosa è stato scelto";
    choices_caption:
        "Choices that differ between the runs",
        "Scelte che differiscono tra le esecuzioni";
    choices_same:
        "All else was chosen alike.",
        "Tutto il resto è stato scelto allo stesso modo.";
    choices_none:
        "All choices are the same.",
        "Tutte le scelte sono uguali.";
    test_file:
        "test file",
        "file di prova";

    // what was done
    done_heading:
        "What was done",
        "Che cosa è stato fatto";
    task:
        "Task",
        "Compito";
    method:
        "Method",
        "Metodo";
    model:
        "Model",
        "Modello";
    model_value:
        "{name}, {parameters} parameters, stored as {storage}, {layers} layers of width {hidden}",
        "{name}, {parameters} parametri, memorizzati come {storage}, {layers} strati di larghezza {hidden}";
    base_model:
        "Base model",
        "Modello di partenza";
    made_for:
        "Made for",
        "Fatto per";
    gemma_terms:
        "The tuned model is a derivative of Gemma: the terms of use of Gemma, with the uses that they prohibit, apply to it as well (ai.google.dev/gemma/terms).",
        "Il modello specializzato deriva da Gemma: valgono anche per esso le condizioni d’uso di Gemma, con gli usi che vietano (ai.google.dev/gemma/terms).";
    model_licence:
        "Licence of the model",
        "Licenza del modello";
    trainable:
        "Trainable parameters",
        "Parametri addestrabili";
    data:
        "Data",
        "Dati";
    licence:
        "Licence of the data",
        "Licenza dei dati";
    english:
        "English",
        "inglese";
    italian:
        "Italian",
        "italiano";
    description:
        "What it holds",
        "Che cosa contiene";
    how_it_was_made:
        "How it was made",
        "Come è stato fatto";
    data_language:
        "Language of the data",
        "Lingua dei dati";
    labels:
        "Labels",
        "Etichette";
    types:
        "Types of entities",
        "Tipi di entità";
    tables:
        "Tables",
        "Tabelle";
    parity_pass:
        "computes what the processor computes",
        "calcola ciò che calcola il processore";
    parity_unfused:
        "computes what the processor computes with operations not fused, as it was used",
        "calcola ciò che calcola il processore con operazioni non fuse, come è stato usato";
    parity_unchecked:
        "was not compared with the processor",
        "non è stato confrontato con il processore";
    parity:
        "Device check",
        "Verifica del dispositivo";
    device:
        "Device",
        "Dispositivo";
    seed:
        "Seed",
        "Seme casuale";
    started:
        "Started",
        "Inizio";
    version:
        "Version of Lapidary",
        "Versione di Lapidary";
    files_caption:
        "Files that went in",
        "File usati";
    trained_caption:
        "Files that came out",
        "File prodotti";
    files_edited:
        "The files are as they were before the changes; the numbers of examples are those after them.",
        "I file sono quelli prima delle modifiche; i numeri di esempi sono quelli dopo.";
    split:
        "Part",
        "Parte";
    file:
        "File",
        "File";
    amount:
        "Amount",
        "Quantità";
    examples_of:
        "{count} {count?example|examples}",
        "{count} {count?esempio|esempi}";
    changes_of:
        "{count} {count?change|changes}",
        "{count} {count?modifica|modifiche}";
    model_part:
        "model",
        "modello";
    trained_part:
        "trained",
        "addestrato";
    settings_caption:
        "Every setting",
        "Tutte le impostazioni";
    setting:
        "Setting",
        "Impostazione";
    listed_more:
        "The first {shown} of {total} rows are listed.",
        "Sono elencate le prime {shown} righe su {total}.";
    value:
        "Value",
        "Valore";

    // results
    results_heading:
        "Results",
        "Risultati";
    results_caption:
        "Scores on the {split} examples, with 95 % bootstrap intervals",
        "Punteggi sugli esempi di {split}, con intervalli bootstrap al 95 %";
    system:
        "System",
        "Sistema";
    not_known:
        "not known",
        "non nota";
    accuracy:
        "Accuracy",
        "Accuratezza";
    macro_f1:
        "Macro-F1",
        "Macro-F1";
    execution_accuracy:
        "Right result",
        "Risultato giusto";
    exact_match:
        "Exact match",
        "Risposte identiche";
    valid_sql:
        "Valid queries",
        "Query valide";
    at_least_one_hit:
        "At least one hit",
        "Almeno uno giusto";
    normalised_match:
        "Normalised match",
        "Identiche normalizzate";
    token_f1:
        "F1 over words",
        "F1 sulle parole";
    rouge_l:
        "ROUGE-L",
        "ROUGE-L";
    schema_valid:
        "Fits the schema",
        "Conforme allo schema";
    chrf:
        "chrF",
        "chrF";
    lucky:
        "Right by luck",
        "Giuste per caso";
    unreadable:
        "Unreadable",
        "Illeggibili";
    tags_per_post:
        "Tags per post",
        "Tag per post";
    diversity:
        "Distinct tags",
        "Tag distinti";
    diversity_expected:
        "Distinct expected",
        "Distinti attesi";
    f1_compounds:
        "F1, compounds split",
        "F1, composti divisi";
    f1_accents:
        "F1, accents count",
        "F1, con accenti";
    reference_caption:
        "Figures that others published, quoted as the data set’s card gives them; nothing of them was measured here",
        "Cifre pubblicate da altri, citate come le riporta la scheda dei dati; nulla di ciò è stato misurato qui";
    measure:
        "Measure",
        "Misura";
    source:
        "Source",
        "Fonte";
    further_caption:
        "Further measurements on the same examples",
        "Altre misure sugli stessi esempi";
    examples:
        "Examples",
        "Esempi";
    this_model:
        "this model",
        "questo modello";
    this_model_free:
        "this model, free answers",
        "questo modello, risposte libere";
    tf_idf_logistic:
        "TF-IDF, logistic",
        "TF-IDF, logistica";
    majority:
        "commonest label",
        "etichetta più comune";
    commonest_tags:
        "commonest hashtags",
        "hashtag più comuni";
    no_entities:
        "no entity anywhere",
        "nessuna entità";
    commonest_query:
        "commonest query",
        "query più comune";
    commonest_text:
        "commonest completion",
        "completamento più comune";
    gazetteer:
        "list of known entities",
        "elenco di entità note";
    nearest:
        "nearest training example",
        "esempio più simile";
    untuned:
        "model before tuning",
        "modello non specializzato";
    few_shot:
        "before tuning, with examples",
        "non specializzato, con esempi";
    results_note:
        "Accuracy is the share of examples answered correctly. Macro-F1 averages the F1 of all labels that occur, rare ones counting as much as common ones.",
        "L’accuratezza è la quota di esempi con risposta giusta. Il macro-F1 è la media dell’F1 di tutte le etichette presenti: le rare contano quanto le \
         comuni.";
    results_note_entities:
        "An entity is right if its characters and its type are. Precision is the share of the answered entities that are right, recall the share of the \
         expected ones that were found, F1 their harmonic mean over all entities together.",
        "Un’entità è giusta se lo sono i suoi caratteri e il suo tipo. La precisione è la quota di entità giuste tra quelle date, il richiamo la quota di \
         quelle attese che sono state trovate, l’F1 la loro media armonica su tutte le entità insieme.";
    results_note_sql:
        "A result is right if the query finds what the expected one finds, on the data and on changed copies of it. Exact match: it is the expected query, \
         layout, case and quotation of names aside. Valid: it runs and ends within the limits. Right by luck: right on the data, wrong on a changed copy; these \
         do not count as right.",
        "Un risultato è giusto se la query trova ciò che trova quella attesa, sui dati e su copie modificate. Risposte identiche: è la query attesa, a parte \
         disposizione, maiuscole e virgolette dei nomi. Valida: viene eseguita e finisce entro i limiti. Giuste per caso: giuste sui dati, sbagliate su una \
         copia modificata; non contano come giuste.";
    results_note_tags:
        "Hashtags are compared without case, accents and separators. Precision is the share of the proposed ones that were expected, recall the share of the \
         expected ones that were proposed, F1 their harmonic mean over all posts together. At least one hit: share of the posts with an expected hashtag among \
         the proposed ones.",
        "Gli hashtag si confrontano senza maiuscole, accenti e separatori. La precisione è la quota di quelli proposti che era attesa, il richiamo la quota di \
         quelli attesi che è stata proposta, l’F1 la loro media armonica su tutti i post insieme. Almeno uno giusto: quota dei post con un hashtag atteso tra \
         quelli proposti.";
    results_note_text:
        "Each is the mean over the examples. Exact match: the text is the expected one. Normalised match: it is so without case and punctuation. F1 over words: \
         shared words. ROUGE-L: longest common sequence of words. chrF: shared runs of up to six characters.",
        "Ogni valore è la media sugli esempi. Risposte identiche: il testo è quello atteso. Normalizzate: lo è senza maiuscole e punteggiatura. F1 sulle \
         parole: parole in comune. ROUGE-L: sequenza comune di parole più lunga. chrF: sequenze comuni fino a sei caratteri.";
    schema_note:
        "Fits the schema: the answer is JSON that the JSON schema of the task allows, its properties in any order.",
        "Conforme allo schema: la risposta è JSON ammesso dallo schema JSON del compito, con le proprietà in qualunque ordine.";
    free_note_other:
        "“Free answers”: nothing held the model to the form of an answer; what cannot be read counts as wrong.",
        "«Risposte libere»: nulla vincolava il modello alla forma di una risposta; ciò che non si può leggere conta come sbagliato.";
    free_note:
        "“Free answers”: the model wrote whatever it wanted instead of choosing among the labels; answers that are no label count as wrong.",
        "«Risposte libere»: il modello ha scritto ciò che voleva invece di scegliere tra le etichette; le risposte che non sono etichette contano come \
         sbagliate.";
    free_difference:
        "{measure}, constrained answers minus free ones: {difference} points; the 95 % interval, by a paired bootstrap over the examples, is {low} to {high}.",
        "{measure}, risposte vincolate meno risposte libere: {difference} punti; l’intervallo al 95 %, da un bootstrap appaiato sugli esempi, va da {low} a \
         {high}.";
    sampled:
        "On {asked} of {examples} rows, drawn by chance: {systems}.",
        "Su {asked} righe di {examples}, estratte a caso: {systems}.";
    classes_heading:
        "By label",
        "Per etichetta";
    classes_caption:
        "Scores by label, weakest first",
        "Punteggi per etichetta, dalla più debole";
    label:
        "Label",
        "Etichetta";
    precision:
        "Precision",
        "Precisione";
    recall:
        "Recall",
        "Richiamo";
    f1:
        "F1",
        "F1";
    in_training:
        "In training",
        "In addestramento";
    classes_note:
        "Precision: of the answers with this label, the share that was right. Recall: of the examples with this label, the share that was found. F1 is \
         their harmonic mean.",
        "Precisione: tra le risposte con questa etichetta, la quota giusta. Richiamo: tra gli esempi con questa etichetta, la quota trovata. F1 è la loro \
         media armonica.";
    types_heading:
        "By type",
        "Per tipo";
    types_caption:
        "Scores by type of entity, weakest first",
        "Punteggi per tipo di entità, dal più debole";
    type_:
        "Type",
        "Tipo";
    types_note:
        "Precision: of the entities answered with this type, the share that was right. Recall: of the expected entities of this type, the share that was \
         found. F1 is their harmonic mean.",
        "Precisione: tra le entità date con questo tipo, la quota giusta. Richiamo: tra le entità attese di questo tipo, la quota trovata. F1 è la loro media \
         armonica.";
    types_balance_caption:
        "Entities of each type in the set that was scored.",
        "Entità di ogni tipo nell’insieme valutato.";
    types_balance_training_caption:
        "Entities of each type in the training set.",
        "Entità di ogni tipo nell’insieme di addestramento.";
    errors_heading:
        "What goes wrong",
        "Che cosa va storto";
    errors_text:
        "{wrong} {wrong?thing is|things are} wrong: {missed} {missed?entity was|entities were} missed, {invented} invented, {kinds} {kinds?has|have} the \
         right words and the wrong type, {boundaries} the right type and the wrong ends.",
        "{wrong} {wrong?cosa è sbagliata|cose sono sbagliate}: {missed} {missed?entità mancata|entità mancate}, {invented} {invented?inventata|inventate}, \
         {kinds} con le parole giuste e il tipo sbagliato, {boundaries} con il tipo giusto e i confini sbagliati.";
    errors_none:
        "Every entity was found, and none was invented.",
        "Ogni entità è stata trovata, e nessuna inventata.";
    errors_caption:
        "What became of the expected entities of each type, and how many were invented",
        "Che cosa è stato delle entità attese di ogni tipo, e quante sono inventate";
    errors_figure_caption:
        "Each bar holds the expected entities of a type, by what became of them; the part beyond the gap was invented.",
        "Ogni barra contiene le entità attese di un tipo, secondo che cosa ne è stato; la parte oltre lo stacco è inventata.";
    failures_caption:
        "Queries that are not right, by what is wrong with them",
        "Query non giuste, secondo che cosa non va";
    failure:
        "What is wrong",
        "Che cosa non va";
    failure_unreadable:
        "no query could be read from the answer",
        "nella risposta non si legge alcuna query";
    failure_invalid:
        "the query does not run",
        "la query non viene eseguita";
    failure_different:
        "it finds something else",
        "trova qualcos’altro";
    failure_lucky:
        "it finds the right thing on this data only",
        "trova la cosa giusta solo su questi dati";
    reason_shape:
        "it finds something else: {rows} {rows?row|rows} of {columns} {columns?column|columns} where {rows_wanted} of {columns_wanted} {rows_wanted?is|are} \
         expected",
        "trova qualcos’altro: {rows} {rows?riga|righe} di {columns} {columns?colonna|colonne}, {rows_wanted?attesa|attese} {rows_wanted} di {columns_wanted}";
    reason_values:
        "it finds something else: as many rows and columns, but not the expected ones",
        "trova qualcos’altro: tante righe e colonne quante attese, ma non quelle";
    share_of_all:
        "Share of all",
        "Quota del totale";
    confusion_heading:
        "Which labels it confuses",
        "Quali etichette confonde";
    confusion_caption:
        "Confusion matrix. Each row holds the examples of one expected label, each column what the model answered; empty cells are zero.",
        "Matrice di confusione. Ogni riga contiene gli esempi di un’etichetta attesa, ogni colonna ciò che il modello ha risposto; le caselle vuote \
         valgono zero.";
    confusion_shares_caption:
        "The same in percent of each row: how often the examples of a label are answered so, however many there are.",
        "La stessa in percentuale di ogni riga: quanto spesso gli esempi di un’etichetta ricevono quella risposta, quanti che siano.";
    pairs_caption:
        "Most confused pairs ({shown} of {total})",
        "Coppie più confuse ({shown} di {total})";
    expected:
        "Expected",
        "Atteso";
    answered:
        "Answered",
        "Risposto";
    count:
        "Count",
        "Numero";
    row_share:
        "Share of the label",
        "Quota dell’etichetta";
    mistakes_heading:
        "Mistakes worth reading",
        "Errori da leggere";
    mistakes_some:
        "{total} of {all} {all?answer|answers} {total?was|were} wrong. Below are the {shown} in which the model was surest of itself.",
        "{total} {total?risposta|risposte} su {all} {total?era sbagliata|erano sbagliate}. Seguono le {shown} in cui il modello era più sicuro.";
    mistakes_all:
        "{total} of {all} {all?answer|answers} {total?was|were} wrong. {total?It follows.|They follow, those in which the model was surest of itself first.}",
        "{total} {total?risposta|risposte} su {all} {total?era sbagliata|erano sbagliate}. {total?Eccola.|Eccole, prima quelle in cui il modello era più \
         sicuro.}";
    mistakes_unsure_some:
        "{total} of {all} {all?answer|answers} {total?was|were} wrong. Below are the first {shown}.",
        "{total} {total?risposta|risposte} su {all} {total?era sbagliata|erano sbagliate}. Seguono le prime {shown}.";
    mistakes_unsure_all:
        "{total} of {all} {all?answer|answers} {total?was|were} wrong. {total?It follows.|They follow.}",
        "{total} {total?risposta|risposte} su {all} {total?era sbagliata|erano sbagliate}. {total?Eccola.|Eccole.}";
    mistakes_none:
        "{all?The only answer was not wrong.|None of the # answers was wrong.}",
        "{all?L’unica risposta non era sbagliata.|Nessuna delle # risposte era sbagliata.}";
    mistakes_map_caption:
        "The scored examples ({shown} of {total}) as a base model sees them before any tuning: near ones are alike to it. Only nearness means \
         something, not direction or axis. Crosses: answers that were not wholly right.",
        "Gli esempi valutati ({shown} su {total}) come li vede un modello di partenza, prima di ogni specializzazione: quelli vicini per lui si \
         somigliano. Conta solo la vicinanza, non la direzione o gli assi. Croci: risposte non del tutto giuste.";
    mistakes_caption:
        "Wrong answers, surest first; long texts are cut at {limit} characters",
        "Risposte sbagliate, dalla più sicura; i testi lunghi sono tagliati a {limit} caratteri";
    mistakes_unsure_caption:
        "Wrong answers; long texts are cut at {limit} characters",
        "Risposte sbagliate; i testi lunghi sono tagliati a {limit} caratteri";
    partly_unsure_some:
        "{total} of {all} {all?answer|answers} {total?was|were} not wholly right. Below are the {shown} with the lowest scores.",
        "{total} {total?risposta|risposte} su {all} non {total?era del tutto giusta|erano del tutto giuste}. Seguono le {shown} con i punteggi più bassi.";
    partly_unsure_all:
        "{total} of {all} {all?answer|answers} {total?was|were} not wholly right. {total?It follows.|They follow, the lowest scores first.}",
        "{total} {total?risposta|risposte} su {all} non {total?era del tutto giusta|erano del tutto giuste}. {total?Eccola.|Eccole, dai punteggi più bassi.}";
    partly_some:
        "{total} of {all} {all?answer|answers} {total?was|were} not wholly right. Below are the {shown} with the lowest scores, of equal ones the surest \
         first.",
        "{total} {total?risposta|risposte} su {all} non {total?era del tutto giusta|erano del tutto giuste}. Seguono le {shown} con i punteggi più bassi, a \
         parità la più sicura prima.";
    partly_all:
        "{total} of {all} {all?answer|answers} {total?was|were} not wholly right. {total?It follows.|They follow, the lowest scores first, of equal ones the \
         surest first.}",
        "{total} {total?risposta|risposte} su {all} non {total?era del tutto giusta|erano del tutto giuste}. {total?Eccola.|Eccole, dai punteggi più bassi, \
         a parità la più sicura prima.}";
    partly_none:
        "{all?The only answer was wholly right.|All # answers were wholly right.}",
        "{all?L’unica risposta era del tutto giusta.|Tutte le # risposte erano del tutto giuste.}";
    mistakes_entities_caption:
        "Expected entities are marked in the text, each with its type; long texts are cut at {limit} characters",
        "Le entità attese sono segnate nel testo, ognuna con il suo tipo; i testi lunghi sono tagliati a {limit} caratteri";
    mistakes_partly_caption:
        "Answers that were not wholly right; long texts are cut at {limit} characters",
        "Risposte non del tutto giuste; i testi lunghi sono tagliati a {limit} caratteri";
    entities_answered:
        "Answered entities",
        "Entità date";
    nothing:
        "nothing",
        "nulla";
    wrong:
        "What is wrong",
        "Che cosa è sbagliato";
    wrong_missed:
        "missed:",
        "mancata:";
    wrong_invented:
        "invented:",
        "inventata:";
    wrong_type:
        "wrong type:",
        "tipo sbagliato:";
    wrong_boundary:
        "wrong ends:",
        "confini sbagliati:";
    instead_of:
        "instead of",
        "invece di";
    not_in_text:
        "words that are not in the text",
        "parole che non sono nel testo";
    no_answer:
        "no answer that can be read",
        "nessuna risposta leggibile";
    question:
        "Question",
        "Domanda";
    why:
        "Why it is wrong",
        "Perché è sbagliata";
    post:
        "Post",
        "Post";
    hits:
        "Hits",
        "Giusti";
    tags_missed:
        "Missed",
        "Mancati";
    tags_added:
        "Not expected",
        "Non attesi";
    prompt:
        "Prompt",
        "Richiesta";
    text:
        "Text",
        "Testo";
    probability:
        "Probability",
        "Probabilità";
    wrote:
        "wrote:",
        "ha scritto:";
    calibration_heading:
        "Can its probabilities be trusted?",
        "Ci si può fidare delle sue probabilità?";
    calibration_text:
        "The mean probability that the model gave to its answers is {confidence}; {accuracy} of them were right. The expected calibration error is {ece} \
         (95 % interval {interval}): by so much its probabilities miss the truth on average.",
        "La probabilità media che il modello ha dato alle sue risposte è {confidence}; la quota di quelle giuste è {accuracy}. L’errore di calibrazione \
         atteso è {ece} (intervallo al 95 % {interval}): di tanto le sue probabilità sbagliano in media.";
    calibration_whole:
        "The mean probability that the model gave to its whole answers is {confidence}; the share of them that is right is {accuracy}.",
        "La probabilità media che il modello ha dato alle sue risposte intere è {confidence}; la quota di quelle giuste è {accuracy}.";
    reliability_caption:
        "Reliability. Area of a point: number of answers. Points under the diagonal: the model was surer than it was right.",
        "Affidabilità. Area del punto: numero di risposte. Punti sotto la diagonale: il modello era più sicuro che giusto.";
    calibrated_text:
        "Fitted on the {examples} validation {examples?example|examples}, a temperature of {temperature} takes the calibration error there from {before} to \
         {after}.",
        "Adattata {ai:examples} {examples?esempio|esempi} di validazione, una temperatura di {temperature} vi porta l’errore di calibrazione da {before} a \
         {after}.";
    calibrated_test:
        "On the {examples} test {examples?example|examples}, which had no part in it, it takes the error from {before} to {after}.",
        "{Sui:examples} {examples?esempio|esempi} di prova, che non vi {examples?ha|hanno} avuto parte, porta l’errore da {before} a {after}.";
    calibrated_worse:
        "That is no gain: take the probabilities as the model gives them.",
        "Non è un guadagno: meglio le probabilità come il modello le dà.";
    reliability_calibrated_caption:
        "The same after calibration; these probabilities are what lapidary predict --calibrated gives.",
        "Lo stesso dopo la calibrazione; sono le probabilità che dà lapidary predict --calibrated.";
    coverage_threshold_caption:
        "The ring is the threshold that was chosen on the validation set.",
        "L’anello è la soglia scelta sull’insieme di validazione.";
    training_heading:
        "Training",
        "Addestramento";
    loss_caption:
        "Loss during training. Thin line: each step; bold line: moving mean; dots: validation.",
        "Perdita durante l’addestramento. Linea sottile: ogni passo; linea spessa: media mobile; punti: validazione.";
    loss_caption_marks:
        "Numbers above the plot refer to the notices below.",
        "I numeri sopra il grafico rimandano agli avvisi più sotto.";
    cost_caption:
        "What it took",
        "Che cosa è servito";
    time:
        "Time",
        "Tempo";
    first_step:
        "Until the first step",
        "Fino al primo passo";
    steps:
        "Steps",
        "Passi";
    steps_planned:
        "{steps} of {planned} planned",
        "{steps} di {planned} previsti";
    epochs:
        "Passes over the data",
        "Passate sui dati";
    tokens:
        "Tokens",
        "Token";
    supervised:
        "Targets learnt from",
        "Bersagli di apprendimento";
    speed:
        "Speed",
        "Velocità";
    tokens_per_second:
        "{speed} tokens/s",
        "{speed} token/s";
    peak_memory:
        "Peak memory",
        "Memoria massima";
    device_memory:
        "Peak memory on the device",
        "Memoria massima sul dispositivo";
    energy:
        "Energy of the whole processor",
        "Energia di tutto il processore";
    watt_hours:
        "{energy} Wh",
        "{energy} Wh";
    final_loss:
        "Loss of the last step",
        "Perdita dell’ultimo passo";
    best_step:
        "Weights kept from step",
        "Pesi tenuti dal passo";
    health_heading:
        "Health of the training",
        "Salute dell’addestramento";
    kind_warning:
        "warning",
        "avviso";
    kind_unhealthy:
        "trouble",
        "problema";
    kind_recovered:
        "recovered",
        "ristabilito";
    at_step:
        "step {step}",
        "passo {step}";
    health_more:
        "{count} more {count?notice is|notices are} in events.jsonl.",
        "{count?Un altro avviso è|Altri # avvisi sono} in events.jsonl.";
    health_well:
        "The health guard looked at {steps?the only step|each of the # steps} and found nothing: losses and gradients stayed numbers, and the loss did not \
         run away.",
        "Il controllo di salute ha guardato ciascuno {dei:steps} {steps?passo|passi} e non ha trovato nulla: perdite e gradienti sono rimasti numeri, e la \
         perdita non è esplosa.";
    findings_caption:
        "What the health guard found, each kind once",
        "Che cosa ha trovato il controllo di salute, ogni tipo una volta";
    symptom:
        "Symptom",
        "Sintomo";
    since_step:
        "Since step",
        "Dal passo";
    times:
        "Times",
        "Volte";
    likely_cause:
        "Likely cause",
        "Causa probabile";
    what_helps:
        "What helps",
        "Che cosa aiuta";
    reproduce_heading:
        "How to repeat it",
        "Come ripeterlo";
    reproduce_text:
        "With version {version} of Lapidary and the files below, this command repeats the run:",
        "Con la versione {version} di Lapidary e i file elencati, questo comando ripete l’esecuzione:";
    reproduce_shortened:
        "Of a path that begins at the root only the folder and the name are told here.",
        "Di un percorso che comincia dalla radice si dicono qui solo la cartella e il nome.";
    reproduce_study:
        "With version {version} of Lapidary and the files below, this command repeats the study:",
        "Con la versione {version} di Lapidary e i file elencati, questo comando ripete lo studio:";
    reproduce_unknown:
        "The study was made with version {version} of Lapidary and the files below. Its command was not kept; those of its runs stand in their own reports.",
        "Lo studio è stato fatto con la versione {version} di Lapidary e i file elencati. Il suo comando non è stato conservato; quelli delle sue esecuzioni \
         stanno nei loro rapporti.";
    reproduce_edited:
        "With --edited it takes the changes from the library of the machine on which they were made.",
        "Con --edited prende le modifiche dalla libreria della macchina su cui sono state fatte.";
    reproduce_packed:
        "To repeat the run on another one, pack it with its data (lapidary pack) and unpack it there (lapidary unpack): the changes come with it.",
        "Per ripetere l’esecuzione su un’altra, impacchettala con i suoi dati (lapidary pack) ed estraila là (lapidary unpack): le modifiche vengono con lei.";
    reproduce_hashes:
        "The SHA-256 of each file, in the form of sha256sum:",
        "Lo SHA-256 di ogni file, nella forma di sha256sum:";
    reproduce_unpacked:
        "This run was unpacked with its data and all its settings, so where the base model is at hand this command{where} repeats it as well:",
        "Questa esecuzione è stata estratta con i suoi dati e tutte le sue impostazioni: dove c’è il modello di partenza la ripete anche questo \
         comando{where}:";
    reproduce_beside:
        ", given in the folder that holds the run,",
        ", dato nella cartella che contiene l’esecuzione";
    footer:
        "Written by Lapidary {version} from the files of the run folder.",
        "Scritto da Lapidary {version} dai file della cartella dell’esecuzione.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(template: &str) -> Vec<&str> {
        template.split('{').skip(1).filter_map(|p| p.split('}').next()).collect()
    }

    fn names(template: &str) -> BTreeSet<&str> {
        places(template).into_iter().map(|p| place(p).0).collect()
    }

    #[test]
    fn both_languages_have_the_same_places_to_fill() {
        for (name, english, italian) in ENTRIES {
            assert!(!english.trim().is_empty() && !italian.trim().is_empty(), "{name}");
            assert_eq!(names(english), names(italian), "{name}");
            // a form that is misspelt would be shown as it stands
            for text in places(english).into_iter().chain(places(italian)) {
                match place(text) {
                    (_, Form::Bare) => {}
                    (_, Form::Counted(..)) => assert_eq!(text.matches('|').count(), 1, "{name}: {text}"),
                    (_, Form::Article(article)) => {
                        assert_ne!(with_article(article, "2"), "2", "{name}: {text}");
                        assert!(places(italian).contains(&text), "{name}: {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn italian_articles_suit_the_number_behind_them() {
        for (template, number, said) in [
            ("Trova {il:n}", "84,3\u{202f}%", "Trova l’84,3\u{202f}%"),
            ("Trova {il:n}", "18,0\u{202f}%", "Trova il 18,0\u{202f}%"),
            ("Trova {il:n}", "8,1\u{202f}%", "Trova l’8,1\u{202f}%"),
            ("Trova {il:n}", "11,0\u{202f}%", "Trova l’11,0\u{202f}%"),
            ("Trova {il:n}", "1,5\u{202f}%", "Trova l’1,5\u{202f}%"),
            ("Trova {il:n}", "100,0\u{202f}%", "Trova il 100,0\u{202f}%"),
            ("{Il:n} è", "0,0\u{202f}%", "Lo 0,0\u{202f}% è"),
            ("{Il:n} è", "80,0\u{202f}%", "L’80,0\u{202f}% è"),
            ("{Il:n} è", "non numerico", "Il non numerico è"),
            ("giusto {nel:n}", "80,0\u{202f}%", "giusto nell’80,0\u{202f}%"),
            ("giusto {nel:n}", "0,5\u{202f}%", "giusto nello 0,5\u{202f}%"),
            ("si risponde {al:n}", "83,3\u{202f}%", "si risponde all’83,3\u{202f}%"),
            ("più {del:n}", "5,0\u{202f}%", "più del 5,0\u{202f}%"),
            ("più {del:n}", "8,0\u{202f}%", "più dell’8,0\u{202f}%"),
            ("{Sui:n} esempi", "70", "Sui 70 esempi"),
            ("{Sui:n} esempi", "80", "Sugli 80 esempi"),
            ("{Sui:n} {n?esempio|esempi}", "1", "Sull’1 esempio"),
            ("{ai:n} esempi", "11\u{202f}000", "agli 11\u{202f}000 esempi"),
            ("{ai:n} esempi", "110", "ai 110 esempi"),
            ("{dei:n} esempi", "1100", "dei 1100 esempi"),
            ("{delle:n} domande", "80", "delle 80 domande"),
        ] {
            assert_eq!(fill(template, &[("n", number)]), said);
        }
    }

    #[test]
    fn one_is_told_as_one() {
        let said = |n: &str| fill("{n?One answer was|All # answers were} of {n} {n?kind|kinds}", &[("n", n)]);
        assert_eq!(said("1"), "One answer was of 1 kind");
        assert_eq!(said("11"), "All 11 answers were of 11 kinds");
        // a value is no template
        assert_eq!(fill("{n?a|#}", &[("n", "{n?#|x}")]), "{n?#|x}");
        assert_eq!(fill("{other?a|b} {il:other}", &[("n", "1")]), "{other?a|b} {il:other}");
    }

    #[test]
    fn values_are_not_filled_again() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "x")]), "{b} and x");
        assert_eq!(fill("{unknown} {", &[]), "{unknown} {");
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(Lang::English.percent(0.9234), "92.3\u{202f}%");
        assert_eq!(Lang::Italian.percent(0.9234), "92,3\u{202f}%");
        assert_eq!(Lang::Italian.percent_range([0.891, 0.95]), "89,1–95,0\u{202f}%");
        assert_eq!(Lang::English.integer(1234), "1234");
        assert_eq!(Lang::Italian.integer(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(Lang::English.decimal(-0.001, 1), "0.0");
        assert_eq!(Lang::English.decimal(f64::NEG_INFINITY, 1), "−∞");
        assert_eq!(Lang::Italian.decimal(f64::NAN, 1), "non numerico");
        let points = [0.1234, -0.02, 0.0, 0.0004, -0.0004].map(|difference| Lang::Italian.points(difference));
        assert_eq!(points, ["+12,3", "−2,0", "0,0", "0,0", "0,0"]);
    }

    #[test]
    fn significant_digits_suit_the_size() {
        for (value, text) in [(0.0, "0"), (0.02345, "0,0234"), (2.345, "2,35"), (234.5, "234"), (1.25e9, "1,2e9"), (3e-9, "3,0e−9")] {
            assert_eq!(Lang::Italian.significant(value), text);
        }
    }

    #[test]
    fn spans_and_sizes_read_naturally() {
        assert_eq!(Lang::Italian.duration(4.25), "4,2\u{202f}s");
        assert_eq!(Lang::English.duration(59.0 * 60.0 + 59.6), "1\u{202f}h 00\u{202f}min");
        assert_eq!(Lang::English.duration(200.0), "3\u{202f}min 20\u{202f}s");
        assert_eq!(Lang::Italian.bytes(1_240_000_000), "1,24\u{202f}GB");
    }

    #[test]
    fn cleaning_shows_what_would_act() {
        assert_eq!(clean("a\0b\u{202e}c\u{7f}\u{9b}\u{ffff}", 100), "a⟨U+0000⟩b⟨U+202E⟩c⟨U+007F⟩⟨U+009B⟩\u{fffd}");
        // two labels that look alike are told apart by what cannot be seen
        assert_eq!(clean("re\u{ad}so \u{3164}\u{180e}a\u{fff9}", 100), "re⟨U+00AD⟩so ⟨U+3164⟩⟨U+180E⟩a⟨U+FFF9⟩");
        assert_eq!(clean("one\r\ntwo\nthree\tfour", 100), "one↵two↵three four");
        assert_eq!(clean("👩‍🚀 è", 100), "👩‍🚀 è");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(clean(&"x".repeat(100_000), 400).chars().count(), 401);
        assert_eq!(clean_lines("a\u{1b}[31m\nb", 100), "a⟨U+001B⟩[31m\nb");
        assert!(clean_lines(&"line\n".repeat(100_000), 1000).chars().count() <= 1001);
    }

    #[test]
    fn reasons_are_told_in_the_language() {
        let tables = "it finds something else: 12 rows of 2 columns where 7 of 3 are expected";
        assert_eq!(Lang::English.reason(tables), tables);
        let values = "it finds something else: as many rows and columns, but not the expected ones";
        assert_eq!(Lang::English.reason(values), values);
        // as earlier versions told it
        assert_eq!(Lang::English.reason("it finds something else: 1 rows of 1 columns where 1 of 1 are expected"), values);
        assert_eq!(
            Lang::English.reason("it finds something else: 0 rows of 1 columns where 1 of 2 are expected"),
            "it finds something else: 0 rows of 1 column where 1 of 2 is expected"
        );
        for (reason, italian) in [
            (tables, "trova qualcos’altro: 12 righe di 2 colonne, attese 7 di 3"),
            ("it finds something else: 1 row of 1 column where 3 of 1 are expected", "trova qualcos’altro: 1 riga di 1 colonna, attese 3 di 1"),
            (values, "trova qualcos’altro: tante righe e colonne quante attese, ma non quelle"),
            (
                "its result is right on this data only; on a copy with other rows it differs",
                "il risultato è giusto solo su questi dati; su una copia con altre righe è diverso",
            ),
            ("no such column: x.nome", "colonna inesistente: x.nome"),
            ("near \"FORM\": syntax error", "errore di sintassi vicino a \"FORM\""),
            ("it was stopped after 5 s", "è stata fermata dopo 5 s"),
            ("not JSON", "non è JSON"),
            ("it did not end within 24 tokens", "non è finita entro 24 token"),
            ("it is not one of the labels: reso: 3", "non è una delle etichette: reso: 3"),
            ("it does not fit the schema at /items/0 (required)", "non rispetta lo schema in /items/0 (required)"),
            // what SQLite seldom says, and what is from elsewhere, stays as it is
            ("misuse of aggregate: COUNT()", "misuse of aggregate: COUNT()"),
        ] {
            assert_eq!(Lang::Italian.reason(reason), italian);
        }
        // the reasons that the tasks give today are known by these names
        for (kind, output) in
            [(data::Kind::Entities, ""), (data::Kind::Entities, "7"), (data::Kind::Entities, "[7]"), (data::Kind::Hashtags, "#!"), (data::Kind::Sql, " ")]
        {
            let reason = tasks::answer::read(kind, "text", output).expect_err("no answer");
            assert_ne!(Lang::Italian.reason(&reason), reason);
        }
    }

    #[test]
    fn languages_are_read_from_codes() {
        assert_eq!("it_IT.UTF-8".parse(), Ok(Lang::Italian));
        assert_eq!("EN".parse(), Ok(Lang::English));
        assert!("de".parse::<Lang>().is_err());
        assert_eq!(Lang::Italian.code().parse(), Ok(Lang::Italian));
    }
}
