//! The health guard: notices when a training goes wrong, says so by name, and knows what to do.
//!
//! Most failed fine-tunings fail in one of a few ways, and keep running for hours: the loss is 0.0 from
//! the first step because nothing is a target, gradients are NaN, the loss runs away because the rate is
//! too high, an adapter never moves. [`examine`] looks at the encoded examples before the first step;
//! [`Guard`] looks at every step and tells the loop what to do about what it sees. The loop rolls back,
//! lowers the rate or leaves a batch out, a limited number of times, and otherwise stops with the reason.

use crate::step::Objective;
use data::Encoded;
use data::encode::Mark;
use gemma::generate::{EOS, PAD};
use say::Language;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use ts_rs::TS;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// The loss is NaN or infinite.
    LossNotFinite,
    /// The gradient norm is NaN or infinite.
    GradientNotFinite,
    /// The loss is exactly 0.
    LossZero,
    /// The loss has risen far above where it was.
    Diverging,
    /// One batch has a gradient far larger than the others.
    GradientSpike,
    /// What is trained is still where it began after several steps.
    AdapterStill,
    /// An update changes a weight matrix by a large part of its size.
    UpdateTooLarge,
    /// Examples without any target: everything is masked or cut off.
    NoTargets,
    /// Targets that are only padding or end-of-text.
    EmptyTargets,
    /// Examples whose text brings the begin-of-text token along, so that they would begin twice.
    DoubledStart,
    /// The same input with different targets.
    Contradiction,
    /// Memory grows step by step.
    MemoryGrowing,
    /// The model gives one and the same answer, or none, to everything.
    Collapse,
    /// A batch has far fewer targets among its tokens than others have.
    FewTargets,
    /// The model would begin every answer with padding or the end of the text, or its answers are white space at most.
    EmptyAnswers,
    /// The model is sure of a token at every place, and wrong.
    SureAndWrong,
    /// The device has no memory for a step.
    NoRoom,
    /// The residual stream holds values far larger than in the run's first steps, or too large for a norm to square.
    ActivationRange,
}

/// What was done about it.
///
/// None of them raises a precision, because there is none to raise: all arithmetic is `f32` in every run, over frozen weights in
/// fewer bytes, too (see [`gemma::Precision`]). Rounding makes no weight infinite, and a matrix that a format cannot hold is not
/// held in it, so a loss that is no number over rounded weights is none over whole ones. A device that computes wrongly with halves
/// is found before a run, which then holds whole ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    #[default]
    /// Nothing: it is for a person to know.
    None,
    /// The batch is left out.
    SkipBatch,
    /// Back to the last good state, with half the learning rate.
    HalveRate,
    /// The backward pass computes again what the forward pass kept, for the rest of the run.
    Recompute,
    /// Half as many rows at a time, for the rest of the run; a step takes as many as before.
    HalveRows,
    /// The token that begins every text is left out where a text brings it along, here and wherever the model is asked.
    DropStart,
    /// The run was stopped; the best weights are kept.
    Stop,
}

/// What the guard has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// What is wrong.
    pub symptom: Symptom,
    /// What is to be done about it.
    pub remedy: Remedy,
    /// What was seen, as numbers or rows.
    pub seen: String,
}

/// What a step looked like.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Mean loss per target.
    pub loss: f64,
    /// Mean entropy of what the model expects at a target, in nats.
    pub entropy: f64,
    /// Global gradient norm before clipping.
    pub norm: f64,
    /// Largest ratio of an update's norm to its weight's norm, over all A matrices and the head, or over all matrices.
    pub update_ratio: f64,
    /// Norm of all B matrices together after the update, or of the update itself where weights are trained: 0 if nothing moves.
    pub moved: f64,
    /// Resident memory in bytes.
    pub memory: u64,
    /// What that must make room for, of the largest batch that was at once in memory: positions, tokens of the longest row, targets.
    pub size: [usize; 3],
}

/// Steps of which the guard keeps the loss and the norm.
const HISTORY: usize = 16;
/// Steps without trouble after which all is well again.
pub const CALM: usize = 10;
/// Steps after which memory has room for whatever has been done so far.
const SETTLED: usize = 20;

/// A share of targets so many times below the usual one is told.
const FEW: f32 = 20.0;
/// The largest activation is told so many times above that of the first steps. In sound batches it hardly differs: of Gemma 3 270M
/// it is 66 095 behind the last block whatever the text, at the token that begins it (so `f16`'s limit of 65 504 says nothing), and
/// what a block adds is normed first, which bounds what adapters can change.
const LOUD: f32 = 20.0;
/// Mean entropy in nats below which a model is sure of every token, and mean loss above which it is wrong all the same.
const SURE: (f64, f64) = (0.01, 1.0);

/// Watches the steps of a training. What checkpoints of earlier versions lack has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Guard {
    shares: VecDeque<f32>,
    losses: VecDeque<f32>,
    norms: VecDeque<f32>,
    /// The largest activation of each of the first steps.
    ranges: VecDeque<f32>,
    lowest: Option<f32>,
    /// The step at which memory last had to make room for something larger than all before, and the most that was held until
    /// it had.
    first_memory: Option<(usize, u64)>,
    /// The largest [`Observed::size`], each number by itself.
    largest: [usize; 3],
    /// Whether the validation set was answered between steps.
    validated: bool,
    told_memory: bool,
    told_still: bool,
    told_none: bool,
    told_few: bool,
    told_sure: bool,
    /// Steps in a row in which the model was sure and wrong.
    sure: usize,
    zeros: usize,
    learned: bool,
}

/// Of single-precision values, because those come back from a checkpoint's decimal digits as they were.
fn median(values: &VecDeque<f32>) -> Option<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().collect();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Whether a loss is far outside of what batches differ by: three times and two nats above the best stretch.
fn far_above(loss: f32, lowest: f32) -> bool {
    loss > 3.0 * lowest && loss > lowest + 2.0
}

impl Guard {
    /// Looks at how many of a step's tokens are targets, before anything is computed.
    pub fn before_forward(&mut self, tokens: usize, targets: usize) -> Option<Trouble> {
        if targets == 0 {
            let told = std::mem::replace(&mut self.told_none, true);
            return (!told).then(|| Trouble { symptom: Symptom::NoTargets, remedy: Remedy::SkipBatch, seen: format!("0 of {tokens} tokens") });
        }
        let share = targets as f32 / tokens.max(1) as f32;
        let usual = median(&self.shares).filter(|_| self.shares.len() == HISTORY);
        self.shares.push_back(share);
        if self.shares.len() > HISTORY {
            self.shares.pop_front();
        }
        let usual = usual.filter(|usual| share * FEW < *usual && !self.told_few)?;
        self.told_few = true;
        let seen = format!("{targets} of {tokens} tokens, usually {:.1} %", 100.0 * usual);
        Some(Trouble { symptom: Symptom::FewTargets, remedy: Remedy::None, seen })
    }

    /// Looks at loss, gradient and the largest activation (see [`crate::step::Loss::largest`]) before the weights are changed.
    pub fn before_update(&mut self, loss: f64, norm: f64, largest: f64) -> Option<Trouble> {
        let trouble = |symptom, remedy, seen| Some(Trouble { symptom, remedy, seen });
        if !loss.is_finite() {
            return trouble(Symptom::LossNotFinite, Remedy::HalveRate, format!("loss {loss}"));
        }
        if !norm.is_finite() {
            return trouble(Symptom::GradientNotFinite, Remedy::HalveRate, format!("gradient norm {norm}"));
        }
        // a model that has learned everything may end there; one that begins there, twice, has nothing to learn
        self.learned |= loss > 0.0;
        self.zeros += usize::from(loss == 0.0);
        if self.zeros >= 2 && !self.learned {
            return trouble(Symptom::LossZero, Remedy::Stop, format!("loss {loss}"));
        }
        // the norm falls as training goes on, so a spike is judged against the recent steps only
        if let Some(usual) = median(&self.norms).filter(|_| self.norms.len() == HISTORY)
            && norm > 100.0 * f64::from(usual)
            && norm > 100.0
        {
            return trouble(Symptom::GradientSpike, Remedy::SkipBatch, format!("gradient norm {norm:.3}, usually {usual:.3}"));
        }
        // beyond this a norm's mean of squares overflows, and what it makes of the state is zeros: a loss, and no sign of it
        if !largest.is_finite() || largest > f64::from(f32::MAX).sqrt() {
            return trouble(Symptom::ActivationRange, Remedy::HalveRate, format!("activation {largest:.1e}"));
        }
        let usual = median(&self.ranges).filter(|_| self.ranges.len() == HISTORY);
        if let Some(usual) = usual.filter(|usual| largest as f32 > LOUD * usual) {
            return trouble(Symptom::ActivationRange, Remedy::HalveRate, format!("activation {largest:.1}, was {usual:.1}"));
        }
        // what came later may have grown little by little, so only the first steps are what is usual
        if self.ranges.len() < HISTORY {
            self.ranges.push_back(largest as f32);
        }
        None
    }

    /// Looks at a step after the weights were changed.
    pub fn after_update(&mut self, step: usize, o: Observed) -> Option<Trouble> {
        let trouble = |symptom, remedy, seen| Some(Trouble { symptom, remedy, seen });
        self.losses.push_back(o.loss as f32);
        self.norms.push_back(o.norm as f32);
        if self.losses.len() > HISTORY {
            self.losses.pop_front();
            self.norms.pop_front();
        }
        if !o.update_ratio.is_finite() || !o.moved.is_finite() {
            return trouble(Symptom::GradientNotFinite, Remedy::HalveRate, "a weight became NaN or infinite".into());
        }
        if o.update_ratio > 1.0 {
            return trouble(Symptom::UpdateTooLarge, Remedy::HalveRate, format!("an update of {:.2} times its weights", o.update_ratio));
        }
        if self.losses.len() >= HISTORY / 2 {
            let recent = median(&self.losses).unwrap_or(f32::MAX);
            let lowest = self.lowest.map_or(recent, |l| l.min(recent));
            self.lowest = Some(lowest);
            if self.losses.iter().rev().take(3).all(|&l| far_above(l, lowest)) {
                self.losses.clear();
                return trouble(Symptom::Diverging, Remedy::HalveRate, format!("loss {:.3}, was {lowest:.3}", o.loss));
            }
        }
        self.sure = if o.entropy < SURE.0 && o.loss > SURE.1 { self.sure + 1 } else { 0 };
        if self.sure >= 3 && !self.told_sure {
            self.told_sure = true;
            return trouble(Symptom::SureAndWrong, Remedy::None, format!("loss {:.3}, entropy {:.4}", o.loss, o.entropy));
        }
        if step >= 3 && o.moved == 0.0 && !self.told_still {
            self.told_still = true;
            return trouble(Symptom::AdapterStill, Remedy::Stop, format!("nothing has moved after {step} steps"));
        }
        // the first steps fill caches, and a larger batch than any before needs more, of which the allocator gives nothing back;
        // what grows by a quarter and by 512 MiB though nothing is larger than it was is a leak
        let larger = o.size.iter().zip(self.largest).any(|(&now, before)| now > before);
        self.largest = std::array::from_fn(|i| o.size[i].max(self.largest[i]));
        let (since, most) = self.first_memory.unwrap_or((step, 0));
        let since = if larger { step } else { since };
        if step < since + SETTLED {
            self.first_memory = Some((since, most.max(o.memory)));
        } else if !self.told_memory && most > 0 && o.memory > most + most / 4 && o.memory > most + (512 << 20) {
            self.told_memory = true;
            return trouble(Symptom::MemoryGrowing, Remedy::None, format!("{} MiB, was {} MiB", o.memory >> 20, most >> 20));
        }
        None
    }

    /// Hears that the validation set was answered after `step` steps: the first time takes memory that no step has taken.
    pub fn after_validation(&mut self, step: usize) {
        if let Some((since, _)) = self.first_memory.as_mut().filter(|_| !self.validated) {
            *since = step;
            self.validated = true;
        }
    }

    /// Whether the last step looked like a sound one: what came of a loss that is running away is no state to go back to.
    pub fn steady(&self) -> bool {
        !matches!((self.losses.back(), self.lowest), (Some(&last), Some(lowest)) if far_above(last, lowest))
    }

    /// Goes back to before a step that is taken again. What was told of its batches stays told.
    pub fn retake(&mut self, before: Self) {
        let now = std::mem::replace(self, before);
        self.told_none = now.told_none;
        self.told_few = now.told_few;
    }

    /// Whether the last steps found the model sure of every token, and wrong.
    pub fn sure_and_wrong(&self) -> bool {
        self.sure > 0
    }

    /// Goes back to what was remembered at an earlier state, and forgets the steps just before that, too. What was told stays
    /// told, and memory is the process's.
    pub fn back_to(&mut self, earlier: Self) {
        let now = std::mem::replace(self, earlier);
        self.losses.clear();
        self.norms.clear();
        self.sure = 0;
        self.first_memory = now.first_memory;
        self.largest = now.largest;
        self.validated = now.validated;
        self.told_memory = now.told_memory;
        self.told_none = now.told_none;
        self.told_few = now.told_few;
        self.told_sure = now.told_sure;
    }
}

/// Looks at the encoded examples before the first step; `Stop` is for what would make training meaningless.
pub fn examine(examples: &[Encoded], objective: Objective) -> Vec<Trouble> {
    let mut out = Vec::new();
    let rows = |f: &dyn Fn(&Encoded) -> bool| examples.iter().enumerate().filter(|(_, e)| f(e)).map(|(i, _)| i + 1).collect::<Vec<_>>();
    let mut tell = |symptom, found: Vec<usize>, some: Remedy, all: Remedy| {
        if !found.is_empty() {
            let remedy = if found.len() == examples.len() { all } else { some };
            let listed = found.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            out.push(Trouble {
                symptom,
                remedy,
                seen: format!("{} of {} examples ({listed}{})", found.len(), examples.len(), if found.len() > 5 { ", …" } else { "" }),
            });
        }
    };
    if objective == Objective::Completion {
        tell(Symptom::NoTargets, rows(&|e| e.prompt >= e.ids.len()), Remedy::None, Remedy::Stop);
        let empty = |e: &Encoded| e.prompt < e.ids.len() && e.ids[e.prompt..].iter().all(|&t| t == PAD || t == EOS);
        tell(Symptom::EmptyTargets, rows(&empty), Remedy::None, Remedy::Stop);
    }
    // whoever encoded the examples has left it out already
    tell(Symptom::DoubledStart, rows(&|e| e.repeated > 0), Remedy::DropStart, Remedy::DropStart);
    let mut by_input: std::collections::HashMap<&[u32], (&[u32], &[Mark])> = std::collections::HashMap::new();
    let mut contradicting = Vec::new();
    for (i, e) in examples.iter().enumerate() {
        let (input, target) = e.ids.split_at(e.prompt.min(e.ids.len()));
        let own = (target, e.marks.as_slice());
        if *by_input.entry(input).or_insert(own) != own {
            contradicting.push(i + 1);
        }
    }
    tell(Symptom::Contradiction, contradicting, Remedy::None, Remedy::None);
    out
}

/// That a trouble is over.
pub fn recovered(language: Language) -> String {
    match language {
        Language::English => format!("All has been well for {CALM} steps."),
        Language::Italian => format!("Tutto bene da {CALM} passi."),
    }
}

/// That answers which were all the same, or empty, are so no longer.
pub fn answers_again(language: Language) -> String {
    match language {
        Language::English => "Its answers are no longer all alike or empty.".into(),
        Language::Italian => "Le sue risposte non sono più tutte uguali o vuote.".into(),
    }
}

/// What is added to what was done where the run went back to the state after so many steps; nothing where it did not.
pub fn went_back(language: Language, to: Option<usize>) -> String {
    match (language, to) {
        (_, None) => String::new(),
        (Language::English, Some(0)) => " It goes on from its beginning.".into(),
        (Language::English, Some(step)) => format!(" It goes on from step {step}."),
        (Language::Italian, Some(0)) => " Riprende dall’inizio.".into(),
        (Language::Italian, Some(step)) => format!(" Riprende dal passo {step}."),
    }
}

impl Trouble {
    /// What it means and what was done, in a sentence for a person.
    pub fn message(&self, language: Language, step: usize) -> String {
        match language {
            Language::English => self.english(step),
            Language::Italian => self.italian(step),
        }
    }

    fn english(&self, step: usize) -> String {
        let what = match self.symptom {
            Symptom::LossNotFinite => "The loss is no longer a number",
            Symptom::GradientNotFinite => "Gradients are no longer numbers",
            Symptom::LossZero => "The loss is exactly 0: nothing is being learned, as happens when only padding or masked tokens are targets",
            Symptom::Diverging => "The loss has run away: the learning rate is too high",
            Symptom::GradientSpike => "One batch has a gradient far larger than the others; look at its examples",
            Symptom::AdapterStill => "What is trained does not move: no gradient reaches it",
            Symptom::UpdateTooLarge => "One update replaced most of a weight matrix: the learning rate is too high",
            Symptom::NoTargets => "Examples without any token to learn: the answer is empty or was cut off",
            Symptom::EmptyTargets => "Examples whose answer is only padding or the end of the text",
            Symptom::DoubledStart => "Examples begin with the begin-of-text token, which every text is given anyway",
            Symptom::Contradiction => "The same input appears with different answers, so no model can learn both",
            Symptom::MemoryGrowing => "Memory grows from step to step",
            Symptom::Collapse => "The model gives the same answer to everything",
            Symptom::FewTargets => "A batch has far fewer tokens to learn than the others, and they steer a whole step: were answers cut off?",
            Symptom::EmptyAnswers => "The model would answer nothing: it expects the text to end before anything is said",
            Symptom::SureAndWrong => "The model is sure of every token, and wrong: try a lower learning rate",
            Symptom::NoRoom => "The device has no memory for a step",
            Symptom::ActivationRange => "Activations are far larger than when the run began: the learning rate is too high, or a row is unlike the others",
        };
        let done = match self.remedy {
            Remedy::None => "",
            Remedy::SkipBatch => " The batch was left out.",
            Remedy::HalveRate => " The run went back to its last good state, with half the learning rate.",
            Remedy::Recompute => " From here on less is kept and more computed again, which takes longer and changes nothing else.",
            Remedy::HalveRows => " From here on half as many rows are computed at a time; a step takes as many as before.",
            Remedy::DropStart => " It was left out of them, and will be of texts that the model is asked about.",
            Remedy::Stop => " The run was stopped.",
        };
        let at = if step == 0 { "before the first step".to_string() } else { format!("step {step}") };
        format!("{what} ({at}: {}).{done}", self.seen)
    }

    fn italian(&self, step: usize) -> String {
        let what = match self.symptom {
            Symptom::LossNotFinite => "La perdita non è più un numero",
            Symptom::GradientNotFinite => "I gradienti non sono più numeri",
            Symptom::LossZero => "La perdita è esattamente 0: non si impara nulla, come accade quando gli obiettivi sono solo riempimento o mascherati",
            Symptom::Diverging => "La perdita è esplosa: il tasso di apprendimento è troppo alto",
            Symptom::GradientSpike => "Un lotto ha un gradiente molto più grande degli altri; guardane gli esempi",
            Symptom::AdapterStill => "Ciò che si addestra non si muove: nessun gradiente lo raggiunge",
            Symptom::UpdateTooLarge => "Un aggiornamento ha sostituito quasi tutta una matrice: il tasso di apprendimento è troppo alto",
            Symptom::NoTargets => "Esempi senza alcun token da imparare: la risposta è vuota o è stata tagliata",
            Symptom::EmptyTargets => "Esempi la cui risposta è solo riempimento o fine del testo",
            Symptom::DoubledStart => "Esempi che cominciano con il token di inizio testo, che ogni testo riceve comunque",
            Symptom::Contradiction => "Lo stesso testo compare con risposte diverse: nessun modello può impararle entrambe",
            Symptom::MemoryGrowing => "La memoria cresce di passo in passo",
            Symptom::Collapse => "Il modello dà la stessa risposta a tutto",
            Symptom::FewTargets => {
                "Un lotto ha molti meno token da imparare degli altri, e quelli guidano un passo intero: delle risposte sono state tagliate?"
            }
            Symptom::EmptyAnswers => "Il modello non risponderebbe nulla: si aspetta che il testo finisca prima di dire qualcosa",
            Symptom::SureAndWrong => "Il modello è sicuro di ogni token, e sbaglia: prova un tasso di apprendimento più basso",
            Symptom::NoRoom => "Il dispositivo non ha memoria per un passo",
            Symptom::ActivationRange => {
                "Le attivazioni sono molto più grandi che all’inizio: il tasso di apprendimento è troppo alto, o una riga è diversa dalle altre"
            }
        };
        let done = match self.remedy {
            Remedy::None => "",
            Remedy::SkipBatch => " Il lotto è stato tralasciato.",
            Remedy::HalveRate => " L’addestramento è tornato all’ultimo stato buono, con metà del tasso di apprendimento.",
            Remedy::Recompute => " Da qui in poi si conserva meno e si ricalcola di più: ci vuole più tempo, e nient’altro cambia.",
            Remedy::HalveRows => " Da qui in poi si calcola metà delle righe per volta; un passo ne prende quante prima.",
            Remedy::DropStart => " Lì è stato tolto, e lo sarà dai testi sui quali si interroga il modello.",
            Remedy::Stop => " L’addestramento è stato fermato.",
        };
        let at = if step == 0 { "prima del primo passo".to_string() } else { format!("passo {step}") };
        format!("{what} ({at}: {}).{done}", self.seen_in_italian())
    }

    /// What was seen is kept in English, with the run; of its few forms each has its Italian here.
    fn seen_in_italian(&self) -> String {
        // the mark between the digits of a number
        let seen: Vec<char> = self.seen.chars().collect();
        let digit = |i: Option<usize>| i.and_then(|i| seen.get(i)).is_some_and(char::is_ascii_digit);
        let comma = |(i, &c): (usize, &char)| if c == '.' && digit(i.checked_sub(1)) && digit(Some(i + 1)) { ',' } else { c };
        let seen: String = seen.iter().enumerate().map(comma).collect();
        let seen = seen.as_str();
        let between = |before: &str, middle: &str, after: &str| {
            let (a, b) = seen.strip_prefix(before)?.strip_suffix(after)?.split_once(middle)?;
            Some((a.to_string(), b.to_string()))
        };
        if seen == "on the validation set" {
            "sull’insieme di validazione".into()
        } else if seen == "a weight became NaN or infinite" {
            "un peso è diventato NaN o infinito".into()
        } else if let Some((norm, usual)) = between("gradient norm ", ", usually ", "") {
            format!("norma del gradiente {norm}, di solito {usual}")
        } else if let Some(norm) = seen.strip_prefix("gradient norm ") {
            format!("norma del gradiente {norm}")
        } else if let Some((largest, was)) = between("activation ", ", was ", "") {
            format!("attivazione {largest}, era {was}")
        } else if let Some(largest) = seen.strip_prefix("activation ") {
            format!("attivazione {largest}")
        } else if let Some((loss, entropy)) = between("loss ", ", entropy ", "") {
            format!("perdita {loss}, entropia {entropy}")
        } else if let Some((loss, was)) = between("loss ", ", was ", "") {
            format!("perdita {loss}, era {was}")
        } else if let Some(loss) = seen.strip_prefix("loss ") {
            format!("perdita {loss}")
        } else if let Some((times, _)) = between("an update of ", " times", " its weights") {
            format!("un aggiornamento pari a {times} volte i suoi pesi")
        } else if let Some((steps, _)) = between("nothing has moved after ", " ", "steps") {
            format!("nulla si è mosso dopo {steps} passi")
        } else if let Some((steps, _)) = between("all B are 0 after ", " ", "steps") {
            // what earlier versions said of adapters
            format!("tutte le B sono 0 dopo {steps} passi")
        } else if let Some((now, was)) = between("", " MiB, was ", " MiB") {
            format!("{now} MiB, erano {was} MiB")
        } else if let Some((found, rest)) = between("", " of ", "").filter(|(_, rest)| rest.contains(" examples (")) {
            format!("{found} di {}", rest.replacen(" examples (", " esempi (", 1))
        } else if let Some((targets, rest)) = between("", " of ", "").filter(|(_, rest)| rest.contains(" tokens")) {
            format!("{targets} di {}", rest.replacen(" tokens", " token", 1).replacen("usually", "di solito", 1))
        } else if let Some((count, rest)) = between("", " ", "").filter(|(_, rest)| rest.starts_with("row") && rest.contains(" at a time")) {
            let asked = rest.split_once(", ").and_then(|(_, asked)| asked.strip_suffix(" asked for"));
            format!("{count} {} per volta{}", if count == "1" { "riga" } else { "righe" }, asked.map_or_else(String::new, |size| format!(", chiesti {size}")))
        } else {
            seen.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemma::generate::BOS;

    fn calm(loss: f64) -> Observed {
        Observed { loss, entropy: 1.0, norm: 1.0, update_ratio: 0.01, moved: 1.0, memory: 1 << 30, size: [400, 60, 80] }
    }

    fn settled() -> Guard {
        let mut guard = Guard::default();
        for step in 1..=HISTORY {
            assert_eq!(guard.before_update(2.0, 1.0, 12.0), None);
            assert_eq!(guard.after_update(step, calm(2.0 - 0.05 * step as f64)), None);
        }
        guard
    }

    #[test]
    fn every_trouble_is_told_in_italian() {
        let seens = [
            ("loss NaN", "perdita NaN"),
            ("gradient norm inf", "norma del gradiente inf"),
            ("gradient norm 150.000, usually 1.000", "norma del gradiente 150,000, di solito 1,000"),
            ("a weight became NaN or infinite", "un peso è diventato NaN o infinito"),
            ("an update of 1.50 times its weights", "un aggiornamento pari a 1,50 volte i suoi pesi"),
            ("loss 9.000, was 1.000", "perdita 9,000, era 1,000"),
            ("nothing has moved after 3 steps", "nulla si è mosso dopo 3 passi"),
            ("all B are 0 after 3 steps", "tutte le B sono 0 dopo 3 passi"),
            ("2048 MiB, was 1024 MiB", "2048 MiB, erano 1024 MiB"),
            ("2 of 9 examples (1, 4)", "2 di 9 esempi (1, 4)"),
            ("on the validation set", "sull’insieme di validazione"),
            ("0 of 96 tokens", "0 di 96 token"),
            ("1 of 900 tokens, usually 12.5 %", "1 di 900 token, di solito 12,5 %"),
            ("loss 2.000, entropy 0.0010", "perdita 2,000, entropia 0,0010"),
            ("activation 5650.5, was 12.0", "attivazione 5650,5, era 12,0"),
            ("activation 5.7e19", "attivazione 5,7e19"),
            ("8 rows at a time", "8 righe per volta"),
            ("1 row at a time, 256 MiB asked for", "1 riga per volta, chiesti 256 MiB"),
        ];
        for (seen, expected) in seens {
            let told = Trouble { symptom: Symptom::Diverging, remedy: Remedy::HalveRate, seen: seen.into() };
            let (english, italian) = (told.message(Language::English, 7), told.message(Language::Italian, 7));
            assert!(english.contains(&format!("(step 7: {seen})")), "{english}");
            assert!(italian.contains(&format!("(passo 7: {expected})")), "{italian}");
        }
    }

    fn seen(t: Option<Trouble>) -> Option<(Symptom, Remedy)> {
        t.map(|t| (t.symptom, t.remedy))
    }

    #[test]
    fn numbers_that_are_none_are_named() {
        let mut guard = settled();
        assert_eq!(seen(guard.before_update(f64::NAN, 1.0, 12.0)), Some((Symptom::LossNotFinite, Remedy::HalveRate)));
        assert_eq!(seen(guard.before_update(1.0, f64::INFINITY, 12.0)), Some((Symptom::GradientNotFinite, Remedy::HalveRate)));
        assert_eq!(seen(guard.after_update(20, Observed { moved: f64::NAN, ..calm(1.0) })), Some((Symptom::GradientNotFinite, Remedy::HalveRate)));
    }

    #[test]
    fn a_loss_of_zero_from_the_first_step_is_seen_and_one_at_the_end_is_success() {
        let mut guard = settled();
        assert!((0..5).all(|_| guard.before_update(0.0, 0.0, 12.0).is_none()));
        let mut guard = Guard::default();
        assert_eq!(guard.before_update(0.0, 0.0, 12.0), None);
        assert_eq!(seen(guard.before_update(0.0, 0.0, 12.0)), Some((Symptom::LossZero, Remedy::Stop)));
    }

    #[test]
    fn one_hard_batch_is_no_divergence_but_three_are() {
        let mut guard = settled();
        assert_eq!(guard.after_update(20, calm(6.0)), None);
        assert_eq!(guard.after_update(21, calm(1.0)), None);
        assert_eq!(guard.after_update(22, calm(7.0)), None);
        assert_eq!(guard.after_update(23, calm(8.0)), None);
        assert_eq!(seen(guard.after_update(24, calm(9.0))), Some((Symptom::Diverging, Remedy::HalveRate)));
    }

    #[test]
    fn spikes_leaks_stillness_and_leaps_are_seen() {
        let mut guard = settled();
        assert_eq!(seen(guard.before_update(1.0, 150.0, 12.0)), Some((Symptom::GradientSpike, Remedy::SkipBatch)));
        assert_eq!(guard.before_update(1.0, 90.0, 12.0), None);
        assert_eq!(seen(guard.after_update(30, Observed { update_ratio: 1.5, ..calm(1.0) })), Some((Symptom::UpdateTooLarge, Remedy::HalveRate)));
        assert_eq!(seen(guard.after_update(40, Observed { memory: 2 << 30, ..calm(1.0) })), Some((Symptom::MemoryGrowing, Remedy::None)));
        assert_eq!(guard.after_update(41, Observed { memory: 2 << 30, ..calm(1.0) }), None, "told once");
        let mut guard = Guard::default();
        assert_eq!(guard.after_update(2, Observed { moved: 0.0, ..calm(1.0) }), None);
        assert_eq!(seen(guard.after_update(3, Observed { moved: 0.0, ..calm(1.0) })), Some((Symptom::AdapterStill, Remedy::Stop)));
    }

    #[test]
    fn activations_are_held_against_those_of_the_first_steps() {
        let told = Some((Symptom::ActivationRange, Remedy::HalveRate));
        let mut guard = Guard::default();
        assert_eq!(guard.before_update(1.0, 1.0, 1e6), None, "nothing to hold it against yet");
        assert_eq!(seen(guard.before_update(1.0, 1.0, 2e19)), told, "a norm squares it");
        assert_eq!(seen(guard.before_update(1.0, 1.0, f64::INFINITY)), told);
        assert_eq!(seen(guard.before_update(1.0, 1.0, f64::NAN)), told);
        let mut guard = settled();
        assert_eq!(guard.before_update(1.0, 1.0, 230.0), None);
        assert_eq!(seen(guard.before_update(1.0, 1.0, 250.0)), told);
        // what grows little by little does not become what is usual
        let mut guard = settled();
        let first = (1..=30).find(|&step| guard.before_update(1.0, 1.0, 12.0 * 1.5f64.powi(step)).is_some());
        assert_eq!(first, Some(8));
    }

    #[test]
    fn memory_that_larger_batches_or_a_validation_need_is_no_leak_and_what_grows_without_them_is() {
        let grown = |guard: &mut Guard, step: usize, mebibytes: u64, size: [usize; 3]| {
            seen(guard.after_update(step, Observed { memory: mebibytes << 20, size, ..calm(1.0) }))
        };
        // rows merely get longer, and their memory stays when they are short again
        for which in 0..3 {
            let mut guard = settled();
            for step in 17..=120 {
                let mut size = [400, 60, 80];
                size[which] += if step <= 80 { step } else { 0 };
                assert_eq!(grown(&mut guard, step, 1024 + 20 * step.min(80) as u64, size), None, "step {step}");
            }
            assert_eq!(grown(&mut guard, 121, 4096, [400, 60, 80]), Some((Symptom::MemoryGrowing, Remedy::None)));
        }
        // batches of one size that leak a little each
        let mut guard = settled();
        let told = (17..=120).filter_map(|step| grown(&mut guard, step, 1024 + 10 * (step as u64 - 16), [400, 60, 80])).count();
        assert_eq!(told, 1);
        // a larger batch now and then does not hide it
        let mut guard = settled();
        let size = |step: usize| [400 + step / 50, 60, 80];
        let told = (17..=400).filter_map(|step| grown(&mut guard, step, 1024 + 40 * (step as u64 - 16), size(step))).count();
        assert_eq!(told, 1);
        // the first validation takes what it takes, and the second no more
        let mut guard = settled();
        guard.after_validation(40);
        assert!((41..60).all(|step| grown(&mut guard, step, 2048, [400, 60, 80]).is_none()));
        guard.after_validation(80);
        assert_eq!(grown(&mut guard, 81, 4096, [400, 60, 80]), Some((Symptom::MemoryGrowing, Remedy::None)));
    }

    #[test]
    fn batches_with_few_targets_or_none_are_told_once() {
        let mut guard = Guard::default();
        assert!((0..HISTORY).all(|_| guard.before_forward(800, 160).is_none()));
        assert_eq!(guard.before_forward(800, 9), None, "unlike the others, yet not that unlike");
        assert_eq!(seen(guard.before_forward(800, 7)), Some((Symptom::FewTargets, Remedy::None)));
        assert_eq!(guard.before_forward(800, 7), None, "told once");
        assert_eq!(seen(guard.before_forward(800, 0)), Some((Symptom::NoTargets, Remedy::SkipBatch)));
        assert_eq!(guard.before_forward(800, 0), None, "told once");
    }

    #[test]
    fn a_model_that_is_sure_and_wrong_is_told_after_three_steps() {
        let wrong = Observed { entropy: 0.001, ..calm(1.5) };
        let mut guard = settled();
        assert_eq!(guard.after_update(20, wrong), None);
        assert_eq!(guard.after_update(21, Observed { loss: 0.5, ..wrong }), None, "sure and right");
        assert_eq!((22..24).map(|step| guard.after_update(step, wrong)).collect::<Vec<_>>(), [None, None]);
        assert_eq!(seen(guard.after_update(24, wrong)), Some((Symptom::SureAndWrong, Remedy::None)));
        assert_eq!(guard.after_update(25, wrong), None, "told once");
    }

    #[test]
    fn a_loss_on_its_way_up_is_no_state_to_go_back_to_and_what_was_told_stays_told() {
        let mut guard = settled();
        let earlier = guard.clone();
        assert!(guard.steady());
        assert_eq!(guard.after_update(20, calm(9.0)), None);
        assert!(!guard.steady());
        assert_eq!(guard.after_update(21, calm(1.0)), None);
        assert!(guard.steady());
        assert_eq!(seen(guard.after_update(40, Observed { memory: 2 << 30, ..calm(1.0) })), Some((Symptom::MemoryGrowing, Remedy::None)));
        guard.back_to(earlier);
        assert_eq!(guard.after_update(20, Observed { memory: 2 << 30, ..calm(1.0) }), None);
        // the checkpoint of an earlier version knows less
        let old: Guard = serde_json::from_str(
            r#"{"losses":[1.0],"norms":[2.0],"lowest":1.0,"first_memory":[1,2],"told_memory":true,"told_still":false,"zeros":0,"learned":true}"#,
        )
        .expect("read");
        assert!(old.told_memory && old.learned && old.shares.is_empty());
    }

    fn example(ids: &[u32], prompt: usize) -> Encoded {
        Encoded { ids: ids.to_vec(), prompt, marks: Vec::new(), repeated: 0 }
    }

    #[test]
    fn examples_that_teach_nothing_are_found_before_the_first_step() {
        let found = |examples: &[Encoded]| examine(examples, Objective::Completion).iter().map(|t| (t.symptom, t.remedy)).collect::<Vec<_>>();
        let good = example(&[BOS, 5, 6], 2);
        assert_eq!(found(std::slice::from_ref(&good)), []);
        assert_eq!(found(&[example(&[BOS, 5, 6], 3)]), [(Symptom::NoTargets, Remedy::Stop)]);
        assert_eq!(found(&[good.clone(), example(&[BOS, 7, 6], 3)]), [(Symptom::NoTargets, Remedy::None)]);
        assert_eq!(found(&[example(&[BOS, 5, EOS], 2)]), [(Symptom::EmptyTargets, Remedy::Stop)]);
        let doubled = Encoded { repeated: 1, ..good.clone() };
        assert_eq!(found(std::slice::from_ref(&doubled)), [(Symptom::DoubledStart, Remedy::DropStart)]);
        assert_eq!(found(&[good.clone(), doubled]), [(Symptom::DoubledStart, Remedy::DropStart)]);
        assert_eq!(found(&[good, example(&[BOS, 5, 7], 2)]), [(Symptom::Contradiction, Remedy::None)]);
        assert_eq!(examine(&[example(&[BOS, 5, 6], 3)], Objective::Head), []);
    }
}
