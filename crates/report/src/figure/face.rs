//! What a face reads of a figure: the values that it tells, and what stands where.

use serde::{Deserialize, Serialize};
use tasks::score::entities::MistakeKind;
use ts_rs::TS;

/// What a face reads of [`super::Figure::data`], where programs find more. A value that is no number is none.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FigureData {
    /// Losses of a run.
    Loss {
        /// Training loss by step.
        training: Vec<(usize, Option<f64>)>,
        /// Its moving mean.
        smoothed: Vec<(usize, Option<f64>)>,
        /// Validations.
        validation: Vec<ValidationLoss>,
    },
    /// Losses of several runs.
    Curves {
        /// A curve each.
        curves: Vec<LossCurve>,
    },
    /// A quantity by step: learning rate, gradient norm, speed, memory.
    Series {
        /// What it is.
        name: String,
        /// Its unit; empty where it has none.
        unit: String,
        /// Values by step.
        points: Vec<(usize, Option<f64>)>,
    },
    /// Who was taken for whom.
    Confusion {
        /// The labels.
        labels: Vec<String>,
        /// A row for each expected label, in it a number for each answered one; the last is of answers that are no label.
        counts: Vec<Vec<usize>>,
        /// In which order labels stand, by their numbers; of very many not all do.
        order: Vec<usize>,
    },
    /// Examples, near ones alike.
    Map {
        /// Where each stands.
        pointer: Pointer,
    },
    /// Answers of a run, near ones alike.
    MistakesMap {
        /// Where each stands.
        pointer: Pointer,
    },
    /// How far probabilities can be trusted.
    Reliability {
        /// The bins.
        pointer: Pointer,
    },
    /// What is right if unsure answers are withheld.
    Coverage {
        /// Places on the curve.
        pointer: Pointer,
    },
    /// What became of entities.
    EntityErrors {
        /// The bars and their parts.
        pointer: Pointer,
    },
    /// A run beside what it is held against.
    Comparison {
        /// The bars.
        pointer: Pointer,
    },
    /// Scores of each label.
    ClassScores {
        /// The bars.
        pointer: Pointer,
    },
    /// Examples of each label.
    ClassBalance {
        /// The bars.
        pointer: Pointer,
    },
    /// What more examples bring.
    LearningCurve {
        /// What was measured.
        pointer: Pointer,
    },
    /// How long examples are.
    Lengths {
        /// The bars.
        pointer: Pointer,
    },
}

/// The loss of a validation.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
pub struct ValidationLoss {
    /// Steps done.
    pub step: usize,
    /// The loss.
    pub loss: Option<f64>,
    /// Was it the best so far?
    pub best: bool,
}

/// Losses of one of several runs.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
pub struct LossCurve {
    /// Name of the run.
    pub name: String,
    /// Training loss by step, as a trend.
    pub training: Vec<(usize, Option<f64>)>,
    /// Validation loss by step.
    pub validation: Vec<(usize, Option<f64>)>,
}

/// What stands where in a picture, in its pixels.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
pub struct Pointer {
    /// Which one is meant by a place.
    pub along: Along,
    /// The points, or cells with a width and a height; of cells that overlap, the later one lies on top.
    pub points: Vec<PointerPlace>,
}

/// Which point or cell is meant by a place in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Along {
    /// The nearest in the direction of x.
    X,
    /// The nearest.
    Nearest,
    /// The cell that holds it.
    Cells,
}

/// A point or a cell of a picture.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[ts(optional_fields)]
pub struct PointerPlace {
    /// Where it stands; of a cell its left edge.
    pub x: f64,
    /// Where it stands; of a cell its upper edge.
    pub y: f64,
    /// Width of a cell.
    pub width: Option<f64>,
    /// Height of a cell.
    pub height: Option<f64>,
    /// What is said of it.
    pub text: String,
    /// Which answers stand behind it, if any do.
    pub opens: Option<Opened>,
}

/// What leaves the answers behind a place of a picture, of all predictions of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields)]
pub struct Opened {
    /// Only those of this expected label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Only those with this answer; empty for outputs that are no label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Only the one of this number, from 0 in the order of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Only those whose probability lies in this range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<ProbabilityRange>,
    /// Only those with such a mistake about an entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake: Option<MistakeFilter>,
}

/// A range of probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct ProbabilityRange {
    /// At least this.
    pub from: f64,
    /// Less than this; without it there is no upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// The calibrated probability, not the one that the model gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
}

/// Mistakes about entities, as the figure of them counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields)]
pub struct MistakeFilter {
    /// Only of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MistakeKind>,
    /// Only about entities of this type: the expected one, or the one that was invented.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}
