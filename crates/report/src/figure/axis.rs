//! Number lines: where a value stands on the picture, and which values are written beside it.

use crate::text::Lang;

/// A number line on the picture, linear or in decades.
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Axis {
    /// `low..high` of the values onto `from..to` of the pixels.
    pub(super) fn new(low: f64, high: f64, from: f64, to: f64, log: bool) -> Self {
        let f = |v: f64| if log { v.log10() } else { v };
        Self { low: f(low), high: f(high), from, to, log }
    }

    /// Pixel of a value; values outside stand on the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let v = if self.log { value.log10() } else { value };
        let share = ((v - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Pixels of its ends.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Values at its ends; of a linear axis only.
    pub(super) fn values(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// About `wanted` round values with their texts.
    pub(super) fn ticks(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        if self.log { self.decades(wanted, lang) } else { self.round_steps(wanted, false, lang) }
    }

    /// Whole numbers only.
    pub(super) fn whole_ticks(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        self.round_steps(wanted, true, lang)
    }

    fn round_steps(&self, wanted: usize, whole: bool, lang: Lang) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        if !rough.is_finite() || rough <= 0.0 {
            return Vec::new();
        }
        let ten = 10f64.powf(rough.log10().floor());
        let mut step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * ten).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * ten);
        if whole {
            step = step.max(1.0).round();
        }
        let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.low / step - 1e-9).ceil();
        (0..=2 * wanted + 2)
            .map(|i| (first + i as f64) * step)
            .take_while(|v| *v <= self.high + step * 1e-9)
            .map(|v| {
                let plain = v.abs() < 1e6 && (v == 0.0 || v.abs() >= 1e-4);
                let text = if whole && plain {
                    lang.integer(v.max(0.0) as u64)
                } else if plain {
                    lang.decimal(v, places)
                } else {
                    lang.significant(v)
                };
                (v, text)
            })
            .collect()
    }

    fn decades(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let within = |v: f64| (self.low - 1e-9..=self.high + 1e-9).contains(&v.log10());
        let text =
            |v: f64| if (1e-4..1e5).contains(&v) { lang.decimal(v, (-(v * 1.0001).log10().floor()).clamp(0.0, 9.0) as usize) } else { lang.significant(v) };
        let steps: &[f64] = if self.high - self.low <= 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = ((self.high - self.low) / wanted.max(1) as f64).ceil().max(1.0) as usize;
        (first..=last).step_by(stride).flat_map(|d| steps.iter().map(move |m| m * 10f64.powi(d))).filter(|v| within(*v)).map(|v| (v, text(v))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few_and_in_the_language() {
        let texts = |a: &Axis, n| a.ticks(n, Lang::Italian).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(&Axis::new(0.0, 2.6, 0.0, 1.0, false), 5), ["0", "1", "2"]);
        assert_eq!(texts(&Axis::new(0.0, 0.9, 0.0, 1.0, false), 5), ["0,0", "0,2", "0,4", "0,6", "0,8"]);
        assert_eq!(texts(&Axis::new(0.03, 6.0, 0.0, 1.0, true), 5), ["0,1", "1"]);
        assert_eq!(texts(&Axis::new(0.3, 6.0, 0.0, 1.0, true), 5), ["0,5", "1", "2", "5"]);
        for (low, high, log) in [(1e-300, 1e300, true), (1e-9, 2e-9, false), (-5.0, 1e12, false), (3.0, 3.0, false)] {
            assert!(Axis::new(low, high, 0.0, 1.0, log).ticks(5, Lang::English).len() <= 12, "{low} {high}");
        }
        let whole = Axis::new(0.0, 2.0, 0.0, 1.0, false).whole_ticks(6, Lang::English);
        assert_eq!(whole.into_iter().map(|t| t.1).collect::<Vec<_>>(), ["0", "1", "2"]);
    }
}
