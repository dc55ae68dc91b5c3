//! What a symptom is called, what usually lies behind it, and what helps: for reports, which are read long after the run.

use crate::health::Symptom;
use say::Language;

/// A symptom in words, each without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What it is called.
    pub name: &'static str,
    /// What usually lies behind it.
    pub cause: &'static str,
    /// What a person can do about it.
    pub help: &'static str,
}

impl Symptom {
    /// What is known of it.
    pub fn diagnosis(self, language: Language) -> Diagnosis {
        let (english, italian) = self.both();
        let [name, cause, help] = if language == Language::Italian { italian } else { english };
        Diagnosis { name, cause, help }
    }

    /// Name, cause and help in English and in Italian.
    fn both(self) -> ([&'static str; 3], [&'static str; 3]) {
        match self {
            Self::LossNotFinite => (
                [
                    "the loss is not a number",
                    "a learning rate that is too high, or a device that computes wrongly",
                    "a lower train.learning_rate; if it is so from the first step, the processor as the device",
                ],
                [
                    "la perdita non è un numero",
                    "un tasso di apprendimento troppo alto, o un dispositivo che calcola male",
                    "un train.learning_rate più basso; se accade dal primo passo, il processore come dispositivo",
                ],
            ),
            Self::GradientNotFinite => (
                [
                    "gradients are not numbers",
                    "a learning rate that is too high, or a device that computes wrongly",
                    "a lower train.learning_rate; if it is so from the first step, a check of the device, or the processor in its place",
                ],
                [
                    "i gradienti non sono numeri",
                    "un tasso di apprendimento troppo alto, o un dispositivo che calcola male",
                    "un train.learning_rate più basso; se accade dal primo passo, una verifica del dispositivo, o il processore al suo posto",
                ],
            ),
            Self::LossZero => (
                [
                    "the loss is exactly 0",
                    "nothing is left to learn in any row: the answers are empty, masked or cut off",
                    "look at a row as the model sees it; fill in the answers, or raise max_tokens",
                ],
                [
                    "la perdita è esattamente 0",
                    "in nessuna riga resta qualcosa da imparare: le risposte sono vuote, mascherate o tagliate",
                    "guarda una riga come la vede il modello; completa le risposte, o alza max_tokens",
                ],
            ),
            Self::Diverging => (
                ["the loss ran away", "a learning rate that is too high", "a lower train.learning_rate, or a longer train.warmup"],
                ["la perdita è esplosa", "un tasso di apprendimento troppo alto", "un train.learning_rate più basso, o un train.warmup più lungo"],
            ),
            Self::GradientSpike => (
                [
                    "one batch has a gradient far larger than the others",
                    "rows that are unlike the others: damaged, contradictory or with a wrong answer",
                    "the deep check of the data names rows that look wrong; correct or delete them",
                ],
                [
                    "un lotto ha un gradiente molto più grande degli altri",
                    "righe diverse dalle altre: danneggiate, contraddittorie o con una risposta sbagliata",
                    "il controllo approfondito dei dati nomina le righe sospette; correggile o eliminale",
                ],
            ),
            Self::AdapterStill => (
                ["what is trained does not move", "a device that computes no gradients", "a check of the device, or the processor in its place"],
                [
                    "ciò che si addestra non si muove",
                    "un dispositivo che non calcola i gradienti",
                    "una verifica del dispositivo, o il processore al suo posto",
                ],
            ),
            Self::UpdateTooLarge => (
                ["one update replaced most of a weight matrix", "a learning rate that is too high", "a lower train.learning_rate, or a longer train.warmup"],
                [
                    "un aggiornamento ha sostituito quasi tutta una matrice",
                    "un tasso di apprendimento troppo alto",
                    "un train.learning_rate più basso, o un train.warmup più lungo",
                ],
            ),
            Self::NoTargets => (
                ["rows without anything to learn", "their answer is empty, or was cut off", "fill in the answers, or raise max_tokens"],
                ["righe senza nulla da imparare", "la risposta è vuota, o è stata tagliata", "completa le risposte, o alza max_tokens"],
            ),
            Self::EmptyTargets => (
                ["rows whose answer is only padding or the end of the text", "their answer is empty in the file", "fill in the answers, or delete the rows"],
                ["righe la cui risposta è solo riempimento o fine del testo", "nel file la risposta è vuota", "completa le risposte, o elimina le righe"],
            ),
            Self::DoubledStart => (
                [
                    "texts begin twice",
                    "the begin-of-text token stands in the file already",
                    "nothing has to be done, it is left out; or remove it from the texts",
                ],
                ["i testi cominciano due volte", "il token di inizio testo è già nel file", "non serve nulla, viene tolto; oppure toglilo dai testi"],
            ),
            Self::Contradiction => (
                [
                    "one text with several answers",
                    "the same text was answered differently in two rows",
                    "the check of the data names the rows; keep one answer for each text",
                ],
                [
                    "un testo con più risposte",
                    "lo stesso testo ha risposte diverse in due righe",
                    "il controllo dei dati nomina le righe; tieni una sola risposta per testo",
                ],
            ),
            Self::MemoryGrowing => (
                ["memory grows", "a leak in the driver or in this program", "a smaller train.batch; if it grows on, please report it with the run folder"],
                [
                    "la memoria cresce",
                    "una perdita di memoria del driver o di questo programma",
                    "un train.batch più piccolo; se continua a crescere, segnalalo con la cartella di esecuzione",
                ],
            ),
            Self::FewTargets => (
                [
                    "a batch has far less to learn than the others",
                    "answers of these rows were cut off, or are much shorter than the others",
                    "look at the rows as the model sees them; raise max_tokens, or a larger train.batch",
                ],
                [
                    "un lotto ha molto meno da imparare degli altri",
                    "le risposte di queste righe sono state tagliate, o sono molto più corte delle altre",
                    "guarda le righe come le vede il modello; alza max_tokens, o un train.batch più grande",
                ],
            ),
            Self::EmptyAnswers => (
                [
                    "empty answers to everything",
                    "the answers of the training rows are empty, or a learning rate that is too high",
                    "fill in the answers, or a lower train.learning_rate",
                ],
                [
                    "risposte vuote a tutto",
                    "le risposte delle righe di addestramento sono vuote, o un tasso di apprendimento troppo alto",
                    "completa le risposte, o un train.learning_rate più basso",
                ],
            ),
            Self::SureAndWrong => (
                ["the model is sure, and wrong", "a learning rate that is too high", "a lower train.learning_rate"],
                ["il modello è sicuro, e sbaglia", "un tasso di apprendimento troppo alto", "un train.learning_rate più basso"],
            ),
            Self::NoRoom => (
                [
                    "the device has no memory for a step",
                    "rows that are too many or too long for this device, or another program that holds its memory",
                    "a smaller train.batch with a larger train.accumulate, a smaller max_tokens, or the processor as the device",
                ],
                [
                    "il dispositivo non ha memoria per un passo",
                    "righe troppe o troppo lunghe per questo dispositivo, o un altro programma che ne tiene la memoria",
                    "un train.batch più piccolo con un train.accumulate più grande, un max_tokens più piccolo, o il processore come dispositivo",
                ],
            ),
            Self::ActivationRange => (
                [
                    "activations are far larger than at the beginning",
                    "rows with tokens that no other row has, or a learning rate that is too high",
                    "look at the rows as the model sees them; correct or delete those that are unlike the others, or a lower train.learning_rate",
                ],
                [
                    "le attivazioni sono molto più grandi che all’inizio",
                    "righe con token che nessun’altra riga ha, o un tasso di apprendimento troppo alto",
                    "guarda le righe come le vede il modello; correggi o elimina quelle diverse dalle altre, o un train.learning_rate più basso",
                ],
            ),
            Self::Collapse => (
                [
                    "one answer to everything",
                    "too few examples of the rarer answers, or a learning rate that is too high",
                    "more examples of the rarer answers, or a lower train.learning_rate",
                ],
                [
                    "una sola risposta a tutto",
                    "troppo pochi esempi delle risposte più rare, o un tasso di apprendimento troppo alto",
                    "più esempi delle risposte più rare, o un train.learning_rate più basso",
                ],
            ),
        }
    }
}
