//! Every word that the command prints for people, in English and Italian.
//!
//! [`Words`] has a method for each sentence with both languages side by side, so that no sentence can
//! be added in one alone and each language has its own word order. What a program or another command
//! reads (`--json`, device ids, methods, licences) is never translated. The rooms below speak the language of the
//! process ([`say`]), which [`crate::main`] sets before anything else.
//!
//! The help texts are the comments of [`crate::args`]; [`localised`] puts the Italian ones of [`HELP`]
//! in their place. What `clap` itself writes around them, and what it says of a wrong command line, it
//! has in English only: [`translated`] replaces those fixed phrases in the finished text.

use lab::bench::{Measured, Phase};
use lab::device::{Info, Parity};
use lab::forecast::Forecast;
use lab::microscope::Role;
use lab::report::record::TrainRecord;
use lab::report::text::Lang;
use lab::sweep::Trial;
use say::{EXAMPLE, Language, Noun, ROW, number};
use std::collections::BTreeMap;
use std::fmt::Display;

/// The language of a command line: that of its last `--language`, else that of the environment.
///
/// This runs before the command line is parsed, because help and mistakes are printed by the parser;
/// a value that is no language is left for the parser to refuse.
pub fn spoken(args: &[String], variable: impl Fn(&str) -> Option<String>) -> Lang {
    let mut asked = None;
    // what follows a bare `--` is data, whatever it looks like
    for (i, arg) in args.iter().enumerate().take_while(|(_, arg)| *arg != "--") {
        let value = if arg == "--language" { args.get(i + 1).map(String::as_str) } else { arg.strip_prefix("--language=") };
        asked = value.and_then(|v| v.parse::<Lang>().ok()).or(asked);
    }
    asked.unwrap_or_else(|| Language::of_locale(variable).into())
}

/// A sentence in the language of `$words`; the braces take what is in scope where it is written.
macro_rules! both {
    ($words:expr, $english:literal, $italian:literal) => {
        match $words.0 {
            Lang::English => format!($english),
            Lang::Italian => format!($italian),
        }
    };
}

/// Steps of a training.
const STEP: Noun = ["step", "steps", "passo", "passi"];

/// The sentences of the command in a language.
#[derive(Clone, Copy)]
pub struct Words(
    /// The language, which a report is also written in.
    pub Lang,
);

impl Words {
    fn pick(self, english: &'static str, italian: &'static str) -> &'static str {
        match self.0 {
            Lang::English => english,
            Lang::Italian => italian,
        }
    }

    /// A word of the records (a status, a part of the data, a baseline, a metric) as people say it.
    pub fn said(self, name: &str) -> &str {
        match (self.0, name) {
            (Lang::English, _) => name,
            (_, "completed") => "completata",
            (_, "stopped") => "fermata",
            (_, "failed") => "fallita",
            (_, "paused") => "in pausa",
            (_, "train") => "addestramento",
            (_, "validation") => "validazione",
            (_, "test") => "prova",
            (_, "model") => "questo modello",
            (_, "majority") => "sempre la stessa risposta",
            (_, "untuned") => "modello non specializzato",
            (_, "few_shot") => "non specializzato, con esempi",
            (_, "free") => "risposte libere",
            (_, "calibration") => "calibrazione",
            (_, "accuracy") => "accuratezza",
            (_, "precision") => "precisione",
            (_, "recall") => "richiamo",
            (_, "execution_accuracy") => "accuratezza di esecuzione",
            (_, "exact_match") => "corrispondenza esatta",
            (_, "normalised_match") => "corrispondenza normalizzata",
            (_, "valid_sql") => "SQL valido",
            (_, "schema_valid") => "conforme allo schema",
            (_, "at_least_one_hit") => "almeno un tag giusto",
            (_, "token_f1") => "F1 sulle parole",
            (_, "characters") => "caratteri",
            (_, "words") => "parole",
            (_, "tokens") => "token",
            (_, "hashtags") => "hashtag",
            (_, "as its owner states") => "quella indicata da chi lo possiede",
            (_, "see the repository") => "vedi il repository",
            (_, other) => other,
        }
    }

    /// Whether a device agreed with the reference.
    pub fn parity(self, parity: Parity) -> &'static str {
        match parity {
            Parity::Pass => self.pick("pass", "conforme"),
            Parity::Unfused => self.pick("pass unfused", "conforme, non fuso"),
            Parity::Refused => self.pick("refused", "rifiutato"),
            Parity::Unchecked => self.pick("unchecked", "non verificato"),
        }
    }

    /// That a device is about to be compared with the processor.
    pub fn checking(self, device: &Info) -> String {
        let (id, name) = (&device.id, &device.name);
        both!(
            self,
            "Comparing {id} ({name}) with the processor; a graphics device may take minutes the first time",
            "Confronto {id} ({name}) con il processore; la prima volta un dispositivo grafico può richiedere minuti"
        )
    }

    /// That a device is being served.
    pub fn serving(self, name: &str, address: &str) -> String {
        both!(
            self,
            "{name} is served at {address} until Ctrl-C; on the other machine, type:",
            "{name} è offerto su {address} fino a Ctrl-C; sull’altro computer, scrivi:"
        )
    }

    /// What stands for the address of this machine where it listens at every one.
    pub fn this_machine(self, port: u16) -> String {
        both!(self, "THIS-MACHINE:{port}", "QUESTO-COMPUTER:{port}")
    }

    /// Who reaches a device that is served, and who reads along.
    pub fn served(self, here_alone: bool) -> &'static str {
        if here_alone {
            self.pick(
                "only this machine reaches it; --listen 0.0.0.0:7370 lets the network in",
                "lo raggiunge solo questo computer; --listen 0.0.0.0:7370 lo apre alla rete",
            )
        } else {
            self.pick(
                "the traffic is not encrypted: data, models and the token can be read along the way, so use networks that you trust",
                "il traffico non è cifrato: dati, modelli e token si possono leggere lungo il percorso, quindi usa reti di cui ti fidi",
            )
        }
    }

    /// Ctrl-C cannot be listened for.
    pub fn no_interrupt(self, cause: impl Display) -> String {
        both!(self, "the system does not pass Ctrl-C on: {cause}", "il sistema non inoltra Ctrl-C: {cause}")
    }

    /// How fast a device took a block of real sizes.
    pub fn speed(self, speed: f64) -> String {
        let thousands = self.0.decimal(speed / 1000.0, 1);
        both!(self, "{thousands} k tokens/s a block", "{thousands} mila token/s per blocco")
    }

    /// A share between 0 and 1.
    ///
    /// Not `Lang::percent`: its narrow space is missing from the fonts of many terminals.
    pub fn percent(self, share: f64) -> String {
        format!("{} %", self.0.decimal(share * 100.0, 1))
    }

    /// A share and how sure it is.
    pub fn interval(self, share: f64, [low, high]: [f64; 2]) -> String {
        let (share, low, high) = (self.percent(share), self.0.decimal(low * 100.0, 1), self.percent(high));
        both!(self, "{share} (95 % interval {low} to {high})", "{share} (intervallo al 95 % da {low} a {high})")
    }

    /// A number of things, in this language, which need not be the one that the process speaks.
    fn count(self, n: usize, [one, many, uno, molti]: Noun) -> String {
        format!("{n} {}", self.pick(number(n, one, many), number(n, uno, molti)))
    }

    fn gigabytes(self, bytes: u64, places: usize) -> String {
        self.0.decimal(bytes as f64 / 1e9, places)
    }

    /// What is held of a graphics device's memory, after what the process holds; nothing where no device tells.
    fn on_device(self, bytes: Option<u64>) -> String {
        bytes.map_or_else(String::new, |bytes| {
            let memory = self.gigabytes(bytes, 2);
            both!(self, ", {memory} GB on the device", ", {memory} GB sul dispositivo")
        })
    }

    /// Why the command ends here.
    pub fn error(self, message: impl Display) -> String {
        both!(self, "error: {message}", "errore: {message}")
    }

    /// Something that does not end the command.
    pub fn warning(self, message: impl Display) -> String {
        both!(self, "warning: {message}", "avviso: {message}")
    }

    /// Something wrong with a training.
    pub fn health(self, message: impl Display) -> String {
        both!(self, "health: {message}", "salute dell’addestramento: {message}")
    }

    /// A training that waits.
    pub fn paused(self, step: usize) -> String {
        both!(self, "paused after step {step}; lapidary resume goes on", "in pausa dopo il passo {step}; si prosegue con lapidary resume")
    }

    /// A training that goes on in the process that had paused it.
    pub fn resumed_elsewhere(self) -> &'static str {
        self.pick("the run goes on in the process that trains it", "l’addestramento prosegue nel processo che lo stava eseguendo")
    }

    /// A training that goes on.
    pub fn resumed(self, step: usize) -> String {
        both!(self, "going on after step {step}", "si prosegue dopo il passo {step}")
    }

    /// The bar of a training, for `indicatif` to fill.
    pub fn training_bar(self) -> &'static str {
        self.pick("{bar:30} {pos}/{len} steps  {msg}  {eta} left", "{bar:30} {pos}/{len} passi  {msg}  ancora {eta}")
    }

    /// The bar of answers that score a run, for `indicatif` to fill.
    pub fn answering_bar(self) -> &'static str {
        self.pick("{bar:30} {pos}/{len} answers ({msg})  {eta} left", "{bar:30} {pos}/{len} risposte ({msg})  ancora {eta}")
    }

    /// The bar of a file that is read, for `indicatif` to fill.
    pub fn reading_bar(self) -> &'static str {
        self.pick("reading {msg} {bar:30} {percent} %  {eta} left", "lettura di {msg} {bar:30} {percent} %  ancora {eta}")
    }

    /// What is being done with the rows of a large set.
    pub fn working(self, rows: usize) -> String {
        both!(self, "looking at {rows} rows", "esame di {rows} righe")
    }

    /// Rows that were passed over, which are listed after it.
    pub fn skipped(self, count: usize, file: &str) -> String {
        both!(self, "{file}: rows passed over: {count}", "{file}: righe saltate: {count}")
    }

    /// The bar of a download, for `indicatif` to fill.
    pub fn download_bar(self) -> &'static str {
        self.pick("{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left", "{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  ancora {eta}")
    }

    /// What a training begins with.
    pub fn started(self, examples: usize, method: &str, trainable: usize, steps: usize, device: &str) -> String {
        let millions = self.0.decimal(trainable as f64 / 1e6, 1);
        let (examples, steps) = (self.count(examples, EXAMPLE), self.count(steps, STEP));
        both!(
            self,
            "{examples}, method {method}, {millions} M trained parameters, {steps} on {device}",
            "{examples}, metodo {method}, {millions} M di parametri addestrati, {steps} su {device}"
        )
    }

    /// How a step went.
    pub fn loss(self, loss: f64, tokens_per_second: f64) -> String {
        let (loss, speed) = (self.0.decimal(loss, 3), self.0.decimal(tokens_per_second, 0));
        both!(self, "loss {loss}  {speed} tokens/s", "perdita {loss}  {speed} token/s")
    }

    /// A message with its step.
    pub fn at_step(self, step: usize, message: &str) -> String {
        both!(self, "step {step}  {message}", "passo {step}  {message}")
    }

    /// What a training will still take, and what it has taken so far.
    pub fn forecast(self, seconds: f64, memory: u64) -> String {
        let (seconds, memory) = (self.0.decimal(seconds, 0), self.gigabytes(memory, 1));
        both!(
            self,
            "about {seconds} s of training steps to come, {memory} GB at most so far",
            "ancora circa {seconds} s di passi di addestramento, finora al massimo {memory} GB"
        )
    }

    /// What the runs of one method and size came to.
    pub fn summary(self, method: &str, rows: Option<usize>, runs: usize, metric: &str, value: &str, seconds: f64) -> String {
        let rows = rows.map_or_else(|| self.pick("all examples", "tutti gli esempi").to_string(), |n| self.count(n, EXAMPLE));
        let (runs, seconds) = (self.count(runs, ["seed", "seeds", "seme", "semi"]), self.0.decimal(seconds, 0));
        both!(
            self,
            "{method}, {rows}, {runs}: {metric} {value}, {seconds} s of training each",
            "{method}, {rows}, {runs}: {metric} {value}, {seconds} s di addestramento ciascuno"
        )
    }

    /// One trial of a sweep.
    pub fn trial(self, t: &Trial, metric: &str) -> String {
        let value = t.value.map_or_else(|| self.pick("failed", "fallita").to_string(), |v| self.percent(v));
        let loss = t.loss.map_or_else(|| "-".to_string(), |l| self.0.decimal(l, 3));
        let epochs = self.count(t.epochs, ["epoch", "epochs", "epoca", "epoche"]);
        let (round, set, seconds) = (t.round, t.set.join(" "), self.0.decimal(t.seconds, 0));
        both!(
            self,
            "round {round}, {epochs}, {set}: {metric} {value}, validation loss {loss}, {seconds} s",
            "turno {round}, {epochs}, {set}: {metric} {value}, perdita di validazione {loss}, {seconds} s"
        )
    }

    /// What a sweep recommends.
    pub fn best_trial(self, set: &str) -> String {
        both!(self, "best on the validation set: {set}", "il migliore sulla validazione: {set}")
    }

    /// That what a run will cost is being measured.
    pub fn measuring(self) -> &'static str {
        self.pick("measuring what the run will cost (--no-forecast begins at once)", "misura di quanto costerà l’esecuzione (--no-forecast comincia subito)")
    }

    /// What a run would cost.
    pub fn cost(self, f: &Forecast) -> String {
        let [seconds, training, scoring] = [f.seconds, f.training_seconds, f.scoring_seconds].map(|s| self.0.decimal(s, 0));
        let (memory, checkpoint) = (self.gigabytes(f.peak_memory_bytes, 2), self.gigabytes(f.checkpoint_bytes, 2));
        let (steps, device) = (self.count(f.steps, STEP), self.on_device(f.device_memory_bytes));
        both!(
            self,
            "about {seconds} s: {training} s of training ({steps}), {scoring} s of scoring; {memory} GB of memory{device}; {checkpoint} GB a checkpoint",
            "circa {seconds} s: {training} s di addestramento ({steps}), {scoring} s di valutazione; {memory} GB di memoria{device}; {checkpoint} GB a checkpoint"
        )
    }

    /// That a run does not fit, and what would.
    pub fn too_large(self, f: &Forecast) -> String {
        let (needed, free) = (self.gigabytes(f.peak_memory_bytes, 1), self.gigabytes(f.available_memory_bytes.unwrap_or(0), 1));
        let instead = f.instead.iter().map(|s| format!("--set {s}")).collect::<Vec<_>>().join(" ");
        match (instead.is_empty(), self.0) {
            (false, Lang::English) => format!("it needs {needed} GB and {free} GB are free; it fits with {instead}"),
            (false, Lang::Italian) => format!("servono {needed} GB e {free} GB sono liberi; ci sta con {instead}"),
            (true, Lang::English) => format!("it needs {needed} GB and {free} GB are free; close other programs, or choose a smaller max_tokens"),
            (true, Lang::Italian) => format!("servono {needed} GB e {free} GB sono liberi; chiudi altri programmi o scegli un max_tokens minore"),
        }
    }

    /// That nobody knows whether a run fits.
    pub fn free_memory_unknown(self) -> &'static str {
        self.pick(
            "how much memory is free is not known on this system: compare the need with what its own tools say",
            "su questo sistema non si sa quanta memoria sia libera: confronta il fabbisogno con ciò che dicono i suoi strumenti",
        )
    }

    /// Metrics by name, as they stand in a line.
    fn measured_by(self, metrics: &BTreeMap<String, f64>) -> String {
        metrics.iter().map(|(name, share)| format!("{} {}", self.said(name), self.percent(*share))).collect::<Vec<_>>().join("  ")
    }

    /// What the answers of a system came to.
    pub fn scored(self, system: &str, metrics: &BTreeMap<String, f64>, asked: (usize, usize), remembered: bool) -> String {
        let (system, metrics, asked) = (self.said(system), self.measured_by(metrics), self.asked(asked));
        let remembered = if remembered { self.pick(", remembered from an earlier run", ", ricordato da un’esecuzione precedente") } else { "" };
        both!(self, "scores of {system}: {metrics}{asked}{remembered}", "punteggi di {system}: {metrics}{asked}{remembered}")
    }

    /// How many of all examples a system was asked about; nothing where it was asked about each.
    pub fn asked(self, (examples, of): (usize, usize)) -> String {
        if examples >= of { String::new() } else { both!(self, ", on {examples} of {of} rows", ", su {examples} righe di {of}") }
    }

    /// What the validation set said.
    pub fn validated(self, loss: f64, metrics: &BTreeMap<String, f64>, best: bool) -> String {
        let (loss, metrics) = (self.0.decimal(loss, 3), self.measured_by(metrics));
        let best = if best { self.pick("  (best so far)", "  (migliore finora)") } else { "" };
        both!(self, "validation loss {loss}  {metrics}{best}", "perdita di validazione {loss}  {metrics}{best}")
    }

    /// Answer to Ctrl-C.
    pub fn stopping(self) -> &'static str {
        self.pick(
            "stopping after this step and keeping the best weights; Ctrl-C once more ends at once",
            "arresto dopo questo passo; i pesi migliori restano; un altro Ctrl-C termina subito",
        )
    }

    /// A second interrupt has come.
    pub fn ended_at_once(self) -> &'static str {
        self.pick("ended at once; lapidary resume goes on from the last checkpoint", "terminato subito; lapidary resume prosegue dall’ultimo checkpoint")
    }

    /// Terms of a model before it is fetched, from where, and how much that is.
    pub fn license(self, title: &str, license: &str, url: &str, source: &str, bytes: u64) -> String {
        let megabytes = self.0.decimal(bytes as f64 / 1e6, 0);
        both!(
            self,
            "{title} comes under the {license}: {url}; from {source}, about {megabytes} MB",
            "Licenza di {title}: {license}, {url}; da {source}, circa {megabytes} MB"
        )
    }

    /// How to get a model that is not here, though some bytes of it may be.
    pub fn get_it(self, name: &str, arrived: u64) -> String {
        if arrived == 0 {
            return both!(self, "get it: lapidary models get {name}", "per averlo: lapidary models get {name}");
        }
        let megabytes = self.0.decimal(arrived as f64 / 1e6, 0);
        both!(self, "{megabytes} MB of it are here; go on: lapidary models get {name}", "ne sono arrivati {megabytes} MB; continua: lapidary models get {name}")
    }

    /// How many examples a part of the data has.
    pub fn examples_of(self, count: usize, split: &str) -> String {
        let split = self.said(split);
        both!(self, "{count} {split}", "{count} di {split}")
    }

    /// Head of a column of shortest lengths.
    pub fn least(self) -> &'static str {
        self.pick("least", "minimo")
    }

    /// Head of a column of longest lengths.
    pub fn most(self) -> &'static str {
        self.pick("most", "massimo")
    }

    /// Head of a column of labels.
    pub fn label(self) -> &'static str {
        self.pick("label", "etichetta")
    }

    /// Head of a column of shares.
    pub fn share(self) -> &'static str {
        self.pick("share", "quota")
    }

    /// Head of a column of words that tell a label from the others.
    pub fn telling(self) -> &'static str {
        self.pick("telling words", "parole distintive")
    }

    /// How rich the texts are.
    pub fn vocabulary(self, distinct: usize, occurrences: usize, once: usize) -> String {
        let words = self.count(occurrences, ["word", "words", "parola", "parole"]);
        let (diverse, presenti) = (number(distinct, "diversa", "diverse"), number(once, "presente", "presenti"));
        both!(self, "{words}, {distinct} of them different, {once} only once", "{words}, di cui {distinct} {diverse} e {once} {presenti} una volta sola")
    }

    /// How far training covers the words of another part.
    pub fn coverage(self, split: &str, occurrences: f64, distinct: f64) -> String {
        let (split, occurrences, distinct) = (self.said(split), self.percent(occurrences), self.percent(distinct));
        both!(
            self,
            "training has {occurrences} of the words of {split}, {distinct} of the different ones",
            "l’addestramento contiene il {occurrences} delle parole di {split}, il {distinct} di quelle diverse"
        )
    }

    /// How many examples have no entity.
    pub fn without_entities(self, count: usize) -> String {
        let examples = self.count(count, EXAMPLE);
        both!(self, "{examples} without an entity", "{examples} senza entità")
    }

    /// A type of entity.
    pub fn entities(self, count: usize, distinct: usize, commonest: &str) -> String {
        let diverse = number(distinct, "diversa", "diverse");
        both!(self, "{count}, {distinct} of them different: {commonest}", "{count}, di cui {distinct} {diverse}: {commonest}")
    }

    /// What SQL the queries use.
    pub fn features(self, features: &str, plain: usize) -> String {
        both!(self, "queries use: {features}; {plain} none of these", "le query usano: {features}; {plain} nulla di tutto ciò")
    }

    /// Which tables the queries use.
    pub fn tables(self, tables: &str) -> String {
        both!(self, "of the tables: {tables}", "sulle tabelle: {tables}")
    }

    /// Which hashtags there are.
    pub fn tags(self, distinct: usize, once: usize, commonest: &str) -> String {
        let hashtags = self.count(distinct, ["different hashtag", "different hashtags", "hashtag", "hashtag diversi"]);
        let presenti = number(once, "presente", "presenti");
        both!(self, "{hashtags}, {once} only once; the commonest: {commonest}", "{hashtags}, {once} {presenti} una volta sola; i più comuni: {commonest}")
    }

    /// How many hashtags of a part training has.
    pub fn known_tags(self, split: &str, share: f64) -> String {
        let (split, share) = (self.said(split), self.percent(share));
        both!(self, "training has {share} of the hashtags of {split}", "l’addestramento contiene il {share} degli hashtag di {split}")
    }

    /// How many rows a training makes beside those of the files.
    pub fn made(self, count: usize) -> String {
        let rows = self.count(count, ROW);
        both!(
            self,
            "training makes {rows} more of these, or of the database (grow, compose); the batches hold them, too",
            "l’addestramento ne ricava altre da queste o dal database ({rows}; grow, compose), e i lotti le comprendono"
        )
    }

    /// How rows lie in batches.
    pub fn batches(self, count: usize, packed: f64, padded: f64, shapes: usize) -> String {
        let (packed, padded, shapes) = (self.percent(packed), self.percent(padded), self.count(shapes, ["shape", "shapes", "forma", "forme"]));
        both!(
            self,
            "batches an epoch: {count}, with {packed} padding on the CPU; {padded} in lines of one length, as graphics devices want them ({shapes})",
            "lotti per epoca: {count}, con {packed} di riempitivo sulla CPU; {padded} in sequenze di una stessa lunghezza, come le vogliono le schede grafiche ({shapes})"
        )
    }

    /// Lengths that were not held against a limit.
    pub fn unmeasured(self, why: &str) -> String {
        both!(self, "lengths in tokens were not checked: {why}", "le lunghezze in token non sono state controllate: {why}")
    }

    /// Rows that a model did not all read.
    pub fn sampled(self, read: usize, of: usize) -> String {
        both!(self, "the model read {read} of {of} rows, evenly spread", "il modello ha letto {read} righe su {of}, distribuite uniformemente")
    }

    /// A reading of rows that was ended.
    pub fn stopped(self) -> &'static str {
        self.pick("stopped before all rows were read", "interrotto prima di leggere tutte le righe")
    }

    /// The bar of rows that a model reads, for `indicatif` to fill.
    pub fn rows_bar(self) -> &'static str {
        self.pick("the model reads {bar:30} {pos}/{len} rows  {eta} left", "il modello legge {bar:30} {pos}/{len} righe  ancora {eta}")
    }

    /// A row that was taken out.
    pub fn deleted(self, row: &str, text: &str) -> String {
        both!(self, "{row}  deleted  {text}", "{row}  eliminata  {text}")
    }

    /// A row that was put into another part.
    pub fn moved(self, row: &str, from: &str, to: &str, text: &str) -> String {
        let (from, to) = (self.said(from), self.said(to));
        both!(self, "{row}  moved from {from} to {to}  {text}", "{row}  spostata da {from} a {to}  {text}")
    }

    /// A row that was added.
    pub fn added(self, row: &str, split: &str, text: &str, answer: &str) -> String {
        let split = self.said(split);
        both!(self, "{row}  added to {split}: {answer}  {text}", "{row}  aggiunta a {split}: {answer}  {text}")
    }

    /// Behind a change that is not in force.
    pub fn undone(self) -> &'static str {
        self.pick("  (taken back)", "  (annullata)")
    }

    /// No change to take back.
    pub fn nothing_to_undo(self) -> &'static str {
        self.pick("there is no change to take back", "non ci sono modifiche da annullare")
    }

    /// No change to make again.
    pub fn nothing_to_redo(self) -> &'static str {
        self.pick("there is no change that was taken back", "non ci sono modifiche annullate da rifare")
    }

    /// Heads of a table of tokens.
    pub fn tokens_head(self) -> String {
        let (id, role, text) = (self.pick("id", "id"), self.pick("role", "ruolo"), self.pick("text", "testo"));
        format!("{:>5} {id:>7}  {role:<10} {:<17} {text}", "", "")
    }

    /// What a token is there for.
    pub fn role(self, role: Role) -> &'static str {
        match role {
            Role::Template => self.pick("template", "modello"),
            Role::Prompt => self.pick("prompt", "testo"),
            Role::Target => self.pick("target", "risposta"),
            Role::Padding => self.pick("padding", "riempitivo"),
        }
    }

    /// Beside a token that the model must predict.
    pub fn loss_mark(self) -> &'static str {
        self.pick("loss", "perdita")
    }

    /// Beside a token beyond the longest length.
    pub fn cut_mark(self) -> &'static str {
        self.pick("cut", "tagliato")
    }

    /// Beside a token that training may leave out.
    pub fn thinned_mark(self) -> &'static str {
        self.pick("thinned", "diradato")
    }

    /// What [`Words::thinned_mark`] means.
    pub fn thinned(self) -> String {
        let mark = self.thinned_mark();
        both!(
            self,
            "{mark}: training reads the row with some of these tokens left out at random, others each time",
            "{mark}: l’addestramento legge la riga tralasciando a caso alcuni di questi token, ogni volta altri"
        )
    }

    /// What it would change to mend a fault.
    pub fn gain(self, fix: &str) -> String {
        both!(self, "once mended: {fix}", "una volta corretto: {fix}")
    }

    /// What stands over that which an answer was chosen from.
    pub fn considered(self, voted: bool) -> &'static str {
        if voted {
            self.pick(
                "hashtags, each with the share of the sampled answers that hold it:",
                "hashtag, ognuno con la quota delle risposte campionate che lo contengono:",
            )
        } else {
            self.pick(
                "queries that were considered, each with its share of the probability of all:",
                "query prese in considerazione, ognuna con la sua quota della probabilità di tutte:",
            )
        }
    }

    /// A data set without faults.
    pub fn nothing_found(self) -> &'static str {
        self.pick("nothing found that would spoil a run", "nessun problema che possa rovinare un’esecuzione")
    }

    /// The main result of a run.
    pub fn result(self, scores: &str, examples: usize, split: &str) -> String {
        let (split, n, esempi) = (self.said(split), number(examples, "example", "examples"), number(examples, "esempio", "esempi"));
        both!(self, "{scores} on {examples} {split} {n}", "{scores} su {examples} {esempi} di {split}")
    }

    /// Name of the result without constraint on the answer.
    pub fn free_decoding(self) -> &'static str {
        self.pick("free decoding", "risposte libere")
    }

    /// How far constrained answers are from free ones in their main metric.
    pub fn free_difference(self, metric: &str, difference: f64, interval: [f64; 2]) -> String {
        let [difference, low, high] = [difference, interval[0], interval[1]].map(|share| self.0.points(share));
        both!(
            self,
            "constrained minus free: {metric} {difference} points (95 % interval {low} to {high})",
            "vincolate meno libere: {metric} {difference} punti (intervallo al 95 % da {low} a {high})"
        )
    }

    /// How a training ended.
    pub fn ended(self, status: &str, train: &TrainRecord) -> String {
        let (status, steps, best) = (self.said(status), self.count(train.steps, STEP), train.best_step);
        let (seconds, speed) = (self.0.decimal(train.seconds, 0), self.0.decimal(train.tokens_per_second, 0));
        let (memory, device) = (self.gigabytes(train.peak_memory_bytes, 2), self.on_device(train.device_memory_bytes));
        both!(
            self,
            "{status}: {steps} in {seconds} s, {speed} tokens/s, {memory} GB at most{device}; weights of step {best} kept",
            "{status}: {steps} in {seconds} s, {speed} token/s, al massimo {memory} GB{device}; tenuti i pesi del passo {best}"
        )
    }

    /// The temperature of a run, and on how many examples it was fitted.
    pub fn temperature(self, temperature: f64, examples: usize) -> String {
        let t = self.0.significant(temperature);
        both!(self, "temperature {t}, fitted on {examples} validation examples", "temperatura {t}, adattata a {examples} esempi di validazione")
    }

    /// The calibration error of a part of the data before and after.
    pub fn agreement(self, part: &str, before: f64, after: f64) -> String {
        let (part, before, after) = (self.said(part), self.percent(before), self.percent(after));
        both!(self, "{part}: calibration error {before}, calibrated {after}", "{part}: errore di calibrazione {before}, calibrato {after}")
    }

    /// The threshold for abstaining.
    pub fn threshold(self, threshold: f64, wanted: f64) -> String {
        let (threshold, wanted) = (self.percent(threshold), self.percent(wanted));
        both!(
            self,
            "threshold {threshold}: the lowest at which {wanted} of the answers to the validation set are right",
            "soglia {threshold}: la più bassa a cui il {wanted} delle risposte alla validazione è giusto"
        )
    }

    /// That there is none.
    pub fn no_threshold(self, wanted: f64) -> String {
        let wanted = self.percent(wanted);
        both!(
            self,
            "no threshold at which {wanted} of the answers to the validation set are right; try a lower --accuracy",
            "nessuna soglia a cui il {wanted} delle risposte alla validazione sia giusto; provare con una --accuracy più bassa"
        )
    }

    /// What the threshold does.
    pub fn above_threshold(self, part: &str, coverage: f64, accuracy: f64) -> String {
        let (part, coverage, accuracy) = (self.said(part), self.percent(coverage), self.percent(accuracy));
        both!(self, "{part}: answers {coverage}, of these right {accuracy}", "{part}: risposte {coverage}, di queste giuste {accuracy}")
    }

    /// How many examples the scores are of.
    pub fn on_examples(self, examples: usize) -> String {
        let examples = self.count(examples, EXAMPLE);
        both!(self, "on {examples}", "su {examples}")
    }

    /// What the mistakes in entities are.
    pub fn entity_errors(self, missed: usize, invented: usize, kind: usize, boundary: usize) -> String {
        both!(
            self,
            "mistakes: {missed} missed, {invented} invented, {kind} of the wrong type, {boundary} with wrong boundaries",
            "errori: {missed} mancate, {invented} inventate, {kind} di tipo sbagliato, {boundary} con confini sbagliati"
        )
    }

    /// Outputs that were no answer.
    pub fn unreadable(self, count: usize) -> String {
        both!(self, "answers that could not be read: {count}", "risposte illeggibili: {count}")
    }

    /// Queries that found the right rows by luck.
    pub fn lucky(self, count: usize) -> String {
        both!(self, "right only by luck, and not counted: {count}", "giuste solo per caso, e non contate: {count}")
    }

    /// How many of the tags differ.
    pub fn diversity(self, own: f64, expected: f64) -> String {
        let (own, expected) = (self.percent(own), self.percent(expected));
        both!(self, "distinct among all answered tags {own}, among the expected ones {expected}", "diversi fra i tag dati {own}, fra quelli attesi {expected}")
    }

    /// How far probabilities are from the truth.
    pub fn calibration(self, error: &str) -> String {
        both!(self, "expected calibration error {error}", "errore di calibrazione atteso {error}")
    }

    /// Scores of a label, as a row of a table.
    pub fn class(self, name: &str, [precision, recall, f1]: [f64; 3], support: usize) -> String {
        let (precision, recall, f1) = (self.percent(precision), self.percent(recall), self.percent(f1));
        both!(
            self,
            "  {name:<28} precision {precision:>7}  recall {recall:>7}  F1 {f1:>7}  of {support}",
            "  {name:<28} precisione {precision:>7}  richiamo {recall:>7}  F1 {f1:>7}  su {support}"
        )
    }

    /// A measurement of the training step.
    pub fn measured(self, m: &Measured) -> String {
        let (speed, seconds, memory) = (self.0.decimal(m.tokens_per_second, 1), self.0.decimal(m.seconds_per_step, 3), self.gigabytes(m.peak_memory_bytes, 2));
        let (steps, device) = (m.steps, self.on_device(m.device_memory_bytes));
        let all = both!(
            self,
            "{speed} tokens/s, {seconds} s a step (median of {steps}), {memory} GB at most{device}",
            "{speed} token/s, {seconds} s a passo (mediana di {steps}), al massimo {memory} GB{device}"
        );
        let Some(share) = m.floor_share else { return all };
        let share = self.0.decimal(100.0 * share, 0);
        both!(
            self,
            "{all}; matrix products alone would take {share} % of that time",
            "{all}; i soli prodotti di matrici richiederebbero il {share} % di quel tempo"
        )
    }

    /// The shape of a batch.
    pub fn shape(self, shape: &str, targets: usize) -> String {
        let targets = self.count(targets, ["target", "targets", "bersaglio", "bersagli"]);
        both!(self, "{shape}, {targets} a row", "{shape}, {targets} per riga")
    }

    /// How long a part of a step takes.
    pub fn phase(self, phase: Phase, seconds: f64) -> String {
        let name = match phase {
            Phase::Forward => self.pick("forward", "passata in avanti"),
            Phase::Loss => self.pick("loss", "perdita"),
            Phase::Backward => self.pick("backward", "all’indietro"),
        };
        format!("{name} {} s", self.0.decimal(seconds, 3))
    }

    /// How long what is left of a step takes.
    pub fn rest(self, seconds: f64) -> String {
        let seconds = self.0.decimal(seconds, 3);
        both!(self, "rest {seconds} s (clipping and AdamW)", "resto {seconds} s (limite del gradiente e AdamW)")
    }

    /// The system refuses threads.
    pub fn no_threads(self, cause: impl Display) -> String {
        both!(self, "threads cannot be started: {cause}", "impossibile avviare i thread: {cause}")
    }

    /// Nothing, or two things, to evaluate.
    pub fn what_to_evaluate(self) -> &'static str {
        self.pick(
            "name a run folder or a file of answers (--predictions), one of them",
            "indicare una cartella di esecuzione oppure un file di risposte (--predictions), uno solo dei due",
        )
    }

    /// A shape that cannot be read.
    pub fn bad_shape(self, text: &str) -> String {
        both!(self, "--shape {text}: write rows x tokens, such as 8x64, or all", "--shape {text}: scrivere righe x token, per esempio 8x64, oppure all")
    }
}

/// The command line with its help in a language.
pub fn localised(command: clap::Command, lang: Lang) -> clap::Command {
    if lang == Lang::English { command } else { in_italian(command, "") }
}

/// A command and those below it; `above` is the name of the one that it belongs to, for the two commands of one name.
fn in_italian(command: clap::Command, above: &str) -> clap::Command {
    let own = command.get_name().to_string();
    let name = known_as(&own, above);
    let command = match help(&name, "") {
        Some(text) => command.about(text),
        None => command,
    };
    let command = command.mut_args(|arg| {
        let text = help(&name, arg.get_id().as_str());
        let value = arg.get_value_names().and_then(|names| names.first()).and_then(|name| placeholder(name));
        let arg = match text {
            Some(text) => arg.help(text),
            None => arg,
        };
        match value {
            Some(value) => arg.value_name(value),
            None => arg,
        }
    });
    command.mut_subcommands(|sub| in_italian(sub, &own))
}

/// The name of a command in [`HELP`].
fn known_as(own: &str, above: &str) -> String {
    let whole = format!("{above} {own}");
    if help(&whole, "").is_some() { whole } else { own.into() }
}

/// What `clap` printed, with its own phrases in Italian.
///
/// Only the fixed parts change; they never hold the styling that stands around names and values.
pub fn translated(text: &str) -> String {
    PHRASES.iter().fold(text.to_string(), |text, (english, italian)| text.replace(*english, italian))
}

fn help(command: &str, argument: &str) -> Option<&'static str> {
    let own = |command: &str| HELP.iter().find(|(c, a, _)| *a == argument && *c == command).map(|(_, _, text)| *text);
    let of = |command: &str| own(command).or_else(|| own(ANY));
    // a study and a sweep are described as the run that their runs have in common
    of(command).or_else(|| if ["study", "sweep"].contains(&command) { of("train") } else { None })
}

fn placeholder(english: &str) -> Option<&'static str> {
    PLACEHOLDERS.iter().find(|(name, _)| *name == english).map(|(_, italian)| *italian)
}

/// Stands in [`HELP`] for every command that has the argument and no words of its own for it.
const ANY: &str = "*";

/// Italian help by command and argument; the empty argument is the command itself.
const HELP: &[(&str, &str, &str)] = &[
    ("lapidary", "", "Specializza Gemma 3 su questo computer"),
    ("lapidary", "json", "Risultati per programmi sullo standard output, e lì nient’altro"),
    ("lapidary", "home", "Dove si trova la libreria di modelli ed esecuzioni [predefinito: la cartella dei dati del sistema]"),
    ("lapidary", "quiet", "Né avanzamento né note"),
    ("lapidary", "language", "Lingua di messaggi, aiuto e rapporti [predefinito: quella del sistema]"),
    (ANY, "device", "Dispositivo: auto, cpu, gpu o un id di `lapidary devices`"),
    (ANY, "columns", "Quale colonna ha quale ruolo: text=question,label=intent; un campo dentro un campo ha un punto: text=content.text"),
    (ANY, "schema", "Script SQL che crea le tabelle a cui si riferiscono le query; di un compito custom, lo schema JSON dei completamenti"),
    (ANY, "skip_bad_rows", "Salta le righe che non si possono leggere, elencandole, invece di rifiutare il file"),
    (ANY, "database", "File SQLite su cui eseguire le query"),
    ("devices", "", "Elenca con che cosa questo computer può calcolare"),
    ("devices", "check", "Confronta di nuovo ogni dispositivo con il processore e ne misura la velocità; con --add, solo quello aggiunto"),
    ("devices", "add", "Aggiunge un dispositivo che `lapidary serve` offre su un altro computer, dal suo indirizzo"),
    ("devices", "token", "Il token che viene stampato lì; - lo legge dallo standard input, dove nessun elenco di programmi lo mostra"),
    ("devices", "remove", "Dimentica un dispositivo di un altro computer"),
    ("serve", "", "Lascia calcolare un altro computer su un dispositivo di questo, fino a Ctrl-C; il traffico non è cifrato"),
    ("serve", "device", "Dispositivo da offrire: auto, cpu, gpu o un id di `lapidary devices`"),
    ("serve", "listen", "Dove mettersi in ascolto; 127.0.0.1 lo raggiunge solo questo computer, 0.0.0.0 tutta la rete, e la porta 0 è una qualsiasi libera"),
    ("serve", "new_token", "Crea un altro token; chi ha quello di prima non può più calcolare qui"),
    ("models", "", "Elenca, scarica, importa ed esporta modelli"),
    ("list", "", "Modelli su questo computer e modelli che si possono scaricare"),
    ("get", "", "Scarica un modello del catalogo, o qualsiasi proprietario/repository dell’hub"),
    ("get", "name", "Nome, oppure proprietario/repository"),
    ("import", "", "Aggiunge un file GGUF o una cartella Hugging Face che si trova su disco"),
    ("import", "path", "File o cartella"),
    ("import", "name", "Nome nella libreria [predefinito: quello del file]"),
    ("models export", "", "Scrive un modello come cartella Hugging Face in f32"),
    ("models export", "name", "Nome o percorso"),
    ("models export", "out", "Cartella da creare"),
    ("export", "", "Scrive un modello addestrato per altri programmi"),
    ("export", "run", "Cartella dell’esecuzione"),
    ("export", "format", "Che cosa scrivere: l’adattatore come per PEFT, o il modello intero come safetensors o GGUF"),
    ("export", "out", "Cartella da creare"),
    ("data", "", "Esamina un insieme di dati prima dell’addestramento"),
    ("check", "", "Cerca ciò che rovinerebbe un’esecuzione; codice di uscita 1 se l’addestramento rifiuterebbe i dati"),
    ("check", "path", "Un file, oppure una cartella con dataset.toml o con file di nome train, validation, test"),
    ("check", "task", "Compito"),
    ("check", "train", "Esempi di addestramento (.jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu)"),
    ("check", "validation", "Esempi su cui si scelgono i pesi migliori"),
    ("check", "test", "Esempi su cui si misura il risultato"),
    ("check", "edited", "Controlla i dati come sono stati modificati con `data edit`, invece che come sono nei file"),
    ("show", "", "Descrive un insieme di dati: lunghezze, vocabolario e com’è fatto ciò che vi si chiede"),
    ("show", "path", "Un file, oppure una cartella con dataset.toml o con file di nome train, validation, test"),
    ("show", "task", "Compito"),
    ("show", "train", "Esempi di addestramento (.jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu)"),
    ("show", "validation", "Esempi su cui si scelgono i pesi migliori"),
    ("show", "test", "Esempi su cui si misura il risultato"),
    ("show", "edited", "Mostra i dati come sono stati modificati con `data edit`, invece che come sono nei file"),
    ("show", "search", "Mostra invece le righe che contengono queste parole; l’ultima può essere l’inizio di una parola"),
    ("show", "limit", "Righe da mostrare"),
    ("show", "tokens", "Mostra invece ciò che un modello legge di una riga, token per token: file:riga, oppure PARTE:NUMERO, contando da 0"),
    ("show", "near", "Mostra invece le righe che il modello trova più simili a una: file:riga, oppure PARTE:NUMERO, contando da 0"),
    ("show", "map", "Scrive invece le righe come punti su un piano, vicine quelle che il modello trova simili; .json, .csv, o un’immagine: .svg, .png"),
    ("check", "deep", "Fa leggere ogni riga anche al modello, e indica le righe che somigliano a quelle di un’altra etichetta"),
    ("check", "model", "Nome o percorso del modello [predefinito: gemma-3-270m, se è su questo computer]"),
    ("check", "method", "Come risponde il modello"),
    ("check", "recipe", "Una ricetta, o il run.toml di un’esecuzione, al posto di quella del compito"),
    ("check", "set", "Cambia un’impostazione della ricetta; si può ripetere"),
    ("show", "model", "Nome o percorso del modello [predefinito: gemma-3-270m, se è su questo computer]"),
    ("show", "method", "Come risponde il modello"),
    ("show", "recipe", "Una ricetta, o il run.toml di un’esecuzione, al posto di quella del compito"),
    ("show", "set", "Cambia un’impostazione della ricetta; si può ripetere"),
    ("edit", "", "Modifica le righe senza toccare i file; `train --edited` addestra su ciò che ne risulta"),
    ("edit", "path", "Un file, oppure una cartella con dataset.toml o con file di nome train, validation, test"),
    ("edit", "task", "Compito"),
    ("edit", "train", "Esempi di addestramento (.jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu)"),
    ("edit", "validation", "Esempi su cui si scelgono i pesi migliori"),
    ("edit", "test", "Esempi su cui si misura il risultato"),
    ("relabel", "", "Dà un’altra risposta a una riga"),
    ("relabel", "row", "Riga: file:riga, come la indica `data check`, oppure PARTE:NUMERO nei file, contando da 0"),
    ("relabel", "answer", "La risposta: un’etichetta, una query, hashtag, un testo; entità come {\"people\": [\"Anna\"]}"),
    ("rewrite", "", "Dà un altro testo a una riga; la risposta resta, le entità si spostano con le parole che segnano"),
    ("rewrite", "row", "Riga: file:riga, come la indica `data check`, oppure PARTE:NUMERO nei file, contando da 0"),
    ("rewrite", "text", "Il testo"),
    ("delete", "", "Toglie una riga"),
    ("delete", "row", "Riga: file:riga, come la indica `data check`, oppure PARTE:NUMERO nei file, contando da 0"),
    ("move", "", "Mette una riga in un’altra parte"),
    ("move", "row", "Riga: file:riga, come la indica `data check`, oppure PARTE:NUMERO nei file, contando da 0"),
    ("move", "to", "Parte: train, validation o test"),
    ("add", "", "Aggiunge una riga"),
    ("add", "to", "Parte: train, validation o test"),
    ("add", "text", "Il testo"),
    ("add", "answer", "La risposta: un’etichetta, una query, hashtag, un testo; entità come {\"people\": [\"Anna\"]}"),
    ("undo", "", "Annulla l’ultima modifica"),
    ("redo", "", "Rifà la modifica annullata per ultima"),
    ("edit list", "", "Mostra tutte le modifiche, per ultime quelle annullate"),
    ("edit export", "", "Scrive l’insieme modificato come cartella a sé"),
    ("edit export", "out", "Cartella da creare"),
    ("edit export", "format", "Formato dei suoi file"),
    ("pause", "", "Fa attendere un addestramento in corso, con tutto salvato su disco"),
    ("pause", "run", "Cartella dell’esecuzione"),
    ("resume", "", "Prosegue un addestramento in pausa, fermato o interrotto"),
    ("resume", "run", "Cartella dell’esecuzione"),
    ("resume", "device", "Dispositivo con cui proseguire: auto, cpu, gpu o un id di `lapidary devices` [predefinito: quello iniziale]"),
    ("split", "", "Divide un file in addestramento, validazione e prova, o ricava dall’addestramento ciò che manca, tenendo insieme i testi quasi uguali"),
    ("split", "path", "Un file, oppure una cartella con dataset.toml o con file di nome train, validation, test"),
    ("split", "task", "Compito"),
    ("split", "out", "Cartella da creare"),
    ("split", "validation", "Quota per la validazione, fra 0 e 1"),
    ("split", "test", "Quota per la prova, fra 0 e 1"),
    ("split", "seed", "Seme della divisione"),
    ("train", "", "Addestra un modello su un insieme di dati e lo valuta; `report` ne scrive poi il rapporto"),
    ("train", "task", "Compito"),
    ("train", "train", "Esempi di addestramento (.jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu)"),
    ("train", "validation", "Esempi su cui si scelgono i pesi migliori"),
    ("train", "test", "Esempi su cui si misura il risultato"),
    ("train", "data", "Una cartella con dataset.toml o con file di nome train, validation, test"),
    ("train", "model", "Nome o percorso del modello di partenza"),
    ("train", "method", "Come risponde il modello"),
    ("study", "", "Addestra ogni combinazione di metodi, dimensioni dei dati e semi, e riassume; lo stesso comando prosegue dopo un arresto"),
    ("study", "methods", "Metodi, separati da virgole [predefinito: quello di --method]"),
    ("study", "sizes", "Dimensioni dell’addestramento in righe, separate da virgole; `all` vuol dire tutte [predefinito: all]"),
    ("study", "seeds", "Semi, separati da virgole"),
    (
        "sweep",
        "",
        "Trova le impostazioni provando: tutte le combinazioni in breve, le migliori più a lungo, secondo la sola validazione; lo stesso comando prosegue dopo un arresto",
    ),
    ("sweep", "dimensions", "Un’impostazione e i valori da provare, chiave=valore,valore (con punti e virgola se un valore contiene virgole); si può ripetere"),
    ("sweep", "halving", "Ne passa una su tante, a un turno tante volte più lungo"),
    ("train", "rows", "Addestra solo su tante righe, scelte dal seme"),
    ("train", "forecast", "Misura soltanto quanto costerebbe: tempo, memoria e disco"),
    ("train", "no_forecast", "Comincia senza misurare quanto costerà l’esecuzione, come anche con --json e --quiet"),
    ("train", "recipe", "Una ricetta, o il run.toml di un’esecuzione, al posto di quella del compito"),
    ("train", "set", "Cambia un’impostazione della ricetta; si può ripetere"),
    ("train", "seed", "Seme di tutto ciò che è casuale"),
    ("train", "trial", "Per scegliere le impostazioni: lascia da parte l’insieme di prova e valuta il solo modello addestrato, sulla validazione"),
    ("train", "edited", "Addestra sui dati come sono stati modificati con `data edit`, invece che come sono nei file"),
    ("train", "out", "Cartella di esecuzione da creare"),
    ("eval", "", "Valuta un’esecuzione, o le risposte di un altro sistema, su un file di prova"),
    ("eval", "run", "Cartella di esecuzione"),
    ("eval", "predictions", "Risposte di un altro sistema, un oggetto JSON per riga: {\"answer\": \"…\", \"probability\": 0.9}"),
    ("eval", "task", "Compito delle risposte"),
    ("eval", "schema", "Script che crea le tabelle a cui si riferiscono le interrogazioni; di un compito custom, lo schema JSON dei completamenti"),
    ("eval", "database", "File SQLite di queste tabelle, o script che le riempie"),
    ("eval", "like", "Accoglie le risposte come esecuzione a sé, da confrontare con questa; rispondono agli esempi su cui essa fu misurata"),
    ("eval", "test", "Esempi su cui valutare [predefinito: l’insieme di prova dell’esecuzione]"),
    ("eval", "out", "File in cui scrivere ogni risposta, un oggetto JSON per riga"),
    ("predict", "", "Interroga un modello addestrato"),
    ("predict", "run", "Cartella di esecuzione"),
    ("predict", "texts", "Testi a cui rispondere"),
    ("predict", "calibrated", "Probabilità come sono state calibrate sull’insieme di validazione"),
    ("predict", "abstain", "Trattiene le risposte con probabilità calibrata sotto la soglia dell’esecuzione"),
    ("calibrate", "", "Adatta all’insieme di validazione ciò che valgono le probabilità di un’esecuzione, e una soglia per astenersi"),
    ("calibrate", "run", "Cartella di esecuzione"),
    ("calibrate", "accuracy", "Accuratezza che devono avere le risposte sopra la soglia, fra 0 e 1"),
    ("calibrate", "validation", "Esempi di validazione [predefinito: quelli dell’esecuzione]"),
    ("report", "", "Scrive il rapporto di una o più esecuzioni, o di uno studio"),
    ("report", "runs", "Cartelle di esecuzione, o cartelle di studi"),
    ("report", "format", "Tipi di documento: html, pdf, md, csv, json, svg, png"),
    ("report", "without", "Sezioni da tralasciare, per nome: mistakes,health"),
    ("compare", "without", "Sezioni da tralasciare, per nome: mistakes,health"),
    ("report", "out", "Cartella in cui scrivere [predefinito: la cartella di esecuzione]"),
    ("compare", "", "Mette a confronto più esecuzioni; le altre si confrontano con la prima"),
    ("compare", "runs", "Cartelle di esecuzione"),
    ("compare", "format", "Tipi di documento: html, pdf, md, csv, json, svg, png"),
    ("compare", "out", "Cartella in cui scrivere un rapporto; altrimenti viene stampato"),
    ("pack", "", "Mette un’esecuzione in un solo file che si apre altrove"),
    ("pack", "run", "Cartella di esecuzione"),
    ("pack", "out", "File da creare, per esempio intents.lapidary"),
    ("pack", "without_data", "Tralascia i dati su cui è stata addestrata"),
    ("unpack", "", "Estrae un’esecuzione dopo averne controllato ogni file"),
    ("unpack", "file", "File creato da `pack`"),
    ("unpack", "out", "Cartella da creare"),
    ("bench", "", "Misura il passo di addestramento su token casuali"),
    ("bench", "model", "Nome o percorso del modello"),
    ("bench", "shape", "Righe e token per riga, oppure all: quattro forme con i loro bersagli, ciascuna in un processo suo"),
    ("bench", "targets", "Bersagli per riga, dove si indica una forma sola"),
    ("bench", "steps", "Passi da cronometrare, dopo uno che non conta"),
    ("bench", "method", "Che cosa si addestra"),
    ("bench", "set", "Cambia un’impostazione della ricetta; si può ripetere"),
];

/// What stands for a value in the help; a name that is missing here is the same in Italian.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("ADDRESS:PORT", "INDIRIZZO:PORTA"),
    ("COLUMNS", "COLONNE"),
    ("WITHOUT", "SEZIONE"),
    ("DEVICE", "DISPOSITIVO"),
    ("DIR", "CARTELLA"),
    ("FOLDER", "CARTELLA"),
    ("FORMAT", "FORMATO"),
    ("HOST:PORT", "HOST:PORTA"),
    ("KEY=VALUE", "CHIAVE=VALORE"),
    ("KEY=VALUES", "CHIAVE=VALORI"),
    ("TRIALS", "PROVE"),
    ("LANGUAGE", "LINGUA"),
    ("LIMIT", "LIMITE"),
    ("METHOD", "METODO"),
    ("MODEL", "MODELLO"),
    ("NAME", "NOME"),
    ("OUT", "CARTELLA"),
    ("PATH", "PERCORSO"),
    ("METHODS", "METODI"),
    ("ROW", "RIGA"),
    ("ROWS", "RIGHE"),
    ("SECRET", "SEGRETO"),
    ("SEEDS", "SEMI"),
    ("SIZES", "DIMENSIONI"),
    ("RUN", "ESECUZIONE"),
    ("RUNS", "ESECUZIONI"),
    ("SEED", "SEME"),
    ("SHAPE", "FORMA"),
    ("SHARE", "QUOTA"),
    ("STEPS", "PASSI"),
    ("TARGETS", "BERSAGLI"),
    ("TASK", "COMPITO"),
    ("TEXTS", "TESTI"),
    ("WORDS", "PAROLE"),
    ("ANSWER", "RISPOSTA"),
    ("TEXT", "TESTO"),
    ("TO", "PARTE"),
];

/// Phrases of `clap`, replaced from top to bottom: one that holds another stands above it.
const PHRASES: &[(&str, &str)] = &[
    // help
    ("Usage:", "Uso:"),
    ("Commands:", "Comandi:"),
    ("Arguments:", "Argomenti:"),
    ("Options:", "Opzioni:"),
    ("[OPTIONS]", "[OPZIONI]"),
    ("[COMMAND]", "[COMANDO]"),
    ("<COMMAND>", "<COMANDO>"),
    ("[default: ", "[predefinito: "),
    ("[possible values: ", "[valori possibili: "),
    ("[env: ", "[variabile d’ambiente: "),
    ("Print this message or the help of the given subcommand(s)", "Mostra questo messaggio o l’aiuto di un comando"),
    ("Print help for the subcommand(s)", "Mostra l’aiuto di un comando"),
    ("Print help", "Mostra l’aiuto"),
    ("Print version", "Mostra la versione"),
    // a wrong command line
    ("error:", "errore:"),
    ("the following required arguments were not provided:", "mancano argomenti obbligatori:"),
    ("unexpected argument '", "argomento inatteso '"),
    ("unexpected value '", "valore inatteso '"),
    ("' found; no more were expected", "': non ne sono previsti altri"),
    ("' found", "'"),
    ("unrecognized subcommand '", "comando sconosciuto '"),
    ("a value is required for '", "manca un valore per '"),
    ("' but none was supplied", "'"),
    ("invalid value '", "valore non valido '"),
    ("' for '", "' per '"),
    ("the argument '", "l’argomento '"),
    ("' cannot be used multiple times", "' non si può ripetere"),
    ("' cannot be used with one or more of the other specified arguments", "' non si può usare con altri argomenti indicati"),
    ("' cannot be used with", "' non si può usare con"),
    ("invalid UTF-8 was detected in one or more arguments", "un argomento non è testo UTF-8"),
    ("invalid digit found in string", "non è un numero intero"),
    ("number too large to fit in target type", "numero troppo grande"),
    // what to do about it
    ("tip:", "suggerimento:"),
    ("a similar subcommand exists: ", "esiste un comando simile: "),
    ("some similar subcommands exist: ", "esistono comandi simili: "),
    ("a similar argument exists: ", "esiste un argomento simile: "),
    ("some similar arguments exist: ", "esistono argomenti simili: "),
    ("a similar value exists: ", "esiste un valore simile: "),
    ("some similar values exist: ", "esistono valori simili: "),
    ("to pass '", "per passare '"),
    ("' as a value, use '", "' come valore, scrivere '"),
    ("subcommand '", "il comando '"),
    ("' exists; to use it, remove the '", "' esiste; per usarlo, togliere il '"),
    ("' before it", "' che lo precede"),
    ("' exists", "' esiste"),
    ("For more information, try '", "Per saperne di più: '"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::CommandFactory;

    fn line(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    fn environment<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_string())
    }

    /// What an Italian gets to read instead of a run.
    fn printed(command_line: &str) -> String {
        let refused = localised(Args::command(), Lang::Italian).try_get_matches_from(line(command_line));
        translated(&refused.expect_err("nothing to run").render().to_string())
    }

    #[test]
    fn the_command_line_overrides_the_locale() {
        let chosen = |text: &str| spoken(&line(text), environment(&[("LANG", "it_IT.UTF-8")]));
        assert_eq!(chosen("lapidary devices"), Lang::Italian);
        assert_eq!(chosen("lapidary --language en devices"), Lang::English);
        assert_eq!(chosen("lapidary report run --language=en"), Lang::English);
        assert_eq!(chosen("lapidary --language en report run --language it"), Lang::Italian);
        assert_eq!(chosen("lapidary devices --language"), Lang::Italian);
        assert_eq!(chosen("lapidary devices --language klingon"), Lang::Italian);
        assert_eq!(chosen("lapidary predict run -- --language en"), Lang::Italian);
    }

    fn sentences(w: Words) -> Vec<String> {
        let metrics = BTreeMap::from([("accuracy".to_string(), 0.5)]);
        let mut all = vec![
            w.percent(0.5),
            w.interval(0.5, [0.4, 0.6]),
            w.error("x"),
            w.warning("x"),
            w.health("x"),
            w.training_bar().into(),
            w.answering_bar().into(),
            w.download_bar().into(),
            w.reading_bar().into(),
            w.skipped(1, "x"),
            w.started(1, "head", 1, 1, "cpu"),
            w.loss(1.0, 1.0),
            w.at_step(1, "x"),
            w.forecast(1.0, 1),
            w.measuring().into(),
            w.validated(1.0, &metrics, true),
            w.scored("untuned", &metrics, (1, 2), true),
            w.asked((1, 2)),
            w.stopping().into(),
            w.free_memory_unknown().into(),
            w.ended_at_once().into(),
            w.license("x", "y", "z", "a", 1),
            w.get_it("x", 0),
            w.get_it("x", 1),
            w.examples_of(1, "train"),
            w.nothing_found().into(),
            w.result("x", 1, "test"),
            w.free_decoding().into(),
            w.free_difference("x", 0.05, [-0.01, 0.1]),
            w.ended("completed", &TrainRecord::default()),
            w.temperature(1.5, 24),
            w.agreement("test", 0.1, 0.05),
            w.threshold(0.7, 0.9),
            w.no_threshold(0.9),
            w.above_threshold("test", 0.8, 0.9),
            w.on_examples(1),
            w.entity_errors(1, 1, 1, 1),
            w.unreadable(1),
            w.lucky(1),
            w.diversity(0.5, 0.5),
            w.calibration("x"),
            w.class("x", [0.5; 3], 1),
            w.measured(&Measured::default()),
            w.measured(&Measured { floor_share: Some(0.5), ..Measured::default() }),
            w.on_device(Some(1)),
            w.shape("8x64", 8),
            w.phase(Phase::Forward, 0.5),
            w.phase(Phase::Loss, 0.5),
            w.phase(Phase::Backward, 0.5),
            w.rest(0.5),
            w.no_threads("x"),
            w.what_to_evaluate().into(),
            w.bad_shape("x"),
            w.made(1),
            w.batches(1, 0.5, 0.5, 1),
            w.unmeasured("x"),
            w.thinned(),
            w.sampled(1, 2),
            w.stopped().into(),
            w.rows_bar().into(),
            w.deleted("x", "y"),
            w.moved("x", "train", "test", "y"),
            w.added("x", "train", "y", "z"),
            w.undone().into(),
            w.nothing_to_undo().into(),
            w.nothing_to_redo().into(),
            w.parity(Parity::Pass).into(),
            w.parity(Parity::Unchecked).into(),
            w.serving("x", "y"),
            w.this_machine(1),
            w.served(true).into(),
            w.served(false).into(),
            w.no_interrupt("x"),
        ];
        let records = [
            "completed",
            "stopped",
            "failed",
            "paused",
            "train",
            "validation",
            "test",
            "model",
            "majority",
            "untuned",
            "few_shot",
            "accuracy",
            "precision",
            "recall",
            "execution_accuracy",
            "exact_match",
            "normalised_match",
            "valid_sql",
            "at_least_one_hit",
            "token_f1",
            "as its owner states",
            "see the repository",
        ];
        all.extend(records.map(|name| w.said(name).to_string()));
        all
    }

    #[test]
    fn every_sentence_is_in_both_languages() {
        for (english, italian) in sentences(Words(Lang::English)).into_iter().zip(sentences(Words(Lang::Italian))) {
            assert_ne!(english, italian);
        }
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(Words(Lang::English).interval(0.925, [0.9, 0.951]), "92.5 % (95 % interval 90.0 to 95.1 %)");
        assert_eq!(Words(Lang::Italian).interval(0.925, [0.9, 0.951]), "92,5 % (intervallo al 95 % da 90,0 a 95,1 %)");
    }

    /// Every command and argument with its English help and, of arguments that take one, the name of the value.
    fn helps(command: &clap::Command, above: &str, found: &mut Vec<(String, String, String, Option<String>)>) {
        let name = known_as(command.get_name(), above);
        found.push((name.clone(), String::new(), command.get_about().map(ToString::to_string).unwrap_or_default(), None));
        for arg in command.get_arguments() {
            let value = arg.get_value_names().filter(|_| arg.get_action().takes_values()).and_then(|v| v.first());
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            found.push((name.clone(), arg.get_id().to_string(), help, value.map(ToString::to_string)));
        }
        for sub in command.get_subcommands() {
            helps(sub, command.get_name(), found);
        }
    }

    #[test]
    fn every_help_text_has_its_italian() {
        let (mut english, mut italian) = (Vec::new(), Vec::new());
        helps(&Args::command(), "", &mut english);
        helps(&localised(Args::command(), Lang::Italian), "", &mut italian);
        assert_eq!(english.len(), italian.len());
        for (e, i) in english.iter().zip(&italian) {
            assert_eq!((&e.0, &e.1), (&i.0, &i.1));
            assert!(help(&e.0, &e.1).is_some() && e.2 != i.2, "`{}` of `{}` has no Italian help", e.1, e.0);
            assert!(e.3 != i.3 || e.3.as_deref().is_none_or(|v| v == "FILE"), "{:?} of `{}` has no Italian name", e.3, e.0);
        }
        for (command, argument, text) in HELP {
            let used = english.iter().any(|e| (e.0 == *command || *command == ANY) && e.1 == *argument);
            assert!(used, "`{argument}` of `{command}` is gone");
            assert_eq!(translated(text), *text, "holds an English phrase");
        }
    }

    #[test]
    fn help_is_italian_throughout() {
        for of in [
            "",
            "train ",
            "eval ",
            "predict ",
            "report ",
            "compare ",
            "pack ",
            "unpack ",
            "pause ",
            "resume ",
            "bench ",
            "devices ",
            "serve ",
            "models ",
            "models import ",
            "data check ",
            "data show ",
            "data edit ",
            "data edit x --task intent relabel ",
        ] {
            let text = printed(&format!("lapidary {of}--help"));
            assert!(text.contains("Uso: lapidary") && text.contains("Mostra l’aiuto"), "{text}");
            for english in ["Usage", "Commands", "Arguments", "Options", "OPTIONS", "COMMAND", "default", "possible", "env:", "Print"] {
                assert!(!text.contains(english), "`{english}` in {text}");
            }
        }
    }

    #[test]
    fn mistakes_are_explained_in_italian() {
        for (command_line, expected) in [
            ("lapidary train", "errore: mancano argomenti obbligatori:\n  --task <COMPITO>"),
            ("lapidary trai", "errore: comando sconosciuto 'trai'\n\n  suggerimento: "),
            ("lapidary devices --jsn", "errore: argomento inatteso '--jsn'\n\n  suggerimento: esiste un argomento simile: '--json'"),
            ("lapidary devices --language de", "errore: valore non valido 'de' per '--language <LINGUA>'\n  [valori possibili: en, it]"),
            ("lapidary bench --steps many", "errore: valore non valido 'many' per '--steps <PASSI>': non è un numero intero"),
            ("lapidary bench --steps", "errore: manca un valore per '--steps <PASSI>'"),
        ] {
            let text = printed(command_line);
            assert!(text.starts_with(expected), "{command_line}: {text}");
            assert!(text.ends_with("Per saperne di più: '--help'.\n"), "{command_line}: {text}");
        }
    }
}
