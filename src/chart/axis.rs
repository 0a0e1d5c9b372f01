//! Axes: how a value becomes a place, and which ticks there is room for.

use super::format;

/// What an axis counts, and with it its scale and its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AxisKind {
    /// Plain numbers from 0.
    #[default]
    Number,
    /// Plain numbers on log10.
    LogNumber,
    /// Milliseconds on log10: `50 ms`, `2 s`.
    LogMs,
    /// Milliseconds from 0.
    Ms,
    /// 0 to 1, shown in percent.
    Share,
    /// Seconds from the run's start, shown `m:ss`.
    Time,
    /// Plain numbers with a tick at each of these only: a low pane.
    Levels(Vec<f64>),
    /// Users on log2; a tick at each of these only.
    Users(Vec<f64>),
    /// Plain numbers with a tick at each of these only, on log2 or from the first to the last; `unit` follows them in words.
    Marked {
        values: Vec<f64>,
        is_log: bool,
        unit: String,
    },
    /// Requests per second from 0.
    Rate,
    /// Words beside each other, at 0, 1, 2 …
    Words(Vec<String>),
    /// Quantiles at log10(1/(1 − p)): p50, p90, p95, p99, p99.9.
    Percentile,
}

/// One axis of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// `TTFT, log scale`: what, unit, scale. Painted horizontally above the y axis.
    pub caption: String,
    pub kind: AxisKind,
    /// First and last place that is drawn.
    pub range: (f64, f64),
}

/// A tick at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub place: f64,
    pub label: String,
}

/// The smallest value that a log axis places, so that 0 does not become −∞.
const LOG_FLOOR: f64 = 1e-6;
/// Room per decade (points) from which a log axis has ticks at 1, 2, 5; from which at 1, 3 (look/tokens.md section 6).
const ROOM_125: f64 = 150.0;
const ROOM_13: f64 = 84.0;
/// Room that a tick of a linear axis needs, in points.
const ROOM_LINEAR: f64 = 40.0;
const TIME_STEPS: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    14400.0,
];
const QUANTILES: [(f64, &str); 6] = [
    (0.5, "p50"),
    (0.9, "p90"),
    (0.95, "p95"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
];

impl Axis {
    pub fn new(caption: impl Into<String>, kind: AxisKind, range: (f64, f64)) -> Self {
        Self {
            caption: caption.into(),
            kind,
            range,
        }
    }

    pub fn is_log(&self) -> bool {
        matches!(self.kind, AxisKind::LogMs | AxisKind::LogNumber)
    }

    /// Where a value stands.
    pub fn place(&self, value: f64) -> f64 {
        match self.kind {
            AxisKind::LogMs | AxisKind::LogNumber => value.max(LOG_FLOOR).log10(),
            AxisKind::Users(_) | AxisKind::Marked { is_log: true, .. } => {
                value.max(LOG_FLOOR).log2()
            }
            AxisKind::Percentile => -(1.0 - value).max(1e-9).log10(),
            _ => value,
        }
    }

    /// The value at a place: the inverse of [`Axis::place`].
    pub fn value(&self, place: f64) -> f64 {
        match self.kind {
            AxisKind::LogMs | AxisKind::LogNumber => 10f64.powf(place),
            AxisKind::Users(_) | AxisKind::Marked { is_log: true, .. } => place.exp2(),
            AxisKind::Percentile => 1.0 - 10f64.powf(-place),
            _ => place,
        }
    }

    /// The value at a place in words, for the cursor and tooltips.
    pub fn text(&self, place: f64) -> String {
        let value = self.value(place);
        match &self.kind {
            AxisKind::Number | AxisKind::LogNumber | AxisKind::Levels(_) => format::number(value),
            AxisKind::LogMs | AxisKind::Ms => format::ms(value),
            AxisKind::Share => format::percent(value),
            AxisKind::Time => format::clock(value),
            AxisKind::Users(_) => format::users(value),
            AxisKind::Marked { unit, .. } => {
                let words = format!("{} {unit}", format::number(value));
                words.trim_end().to_owned()
            }
            AxisKind::Rate => format!("{} req/s", format::number(value)),
            AxisKind::Words(words) => word_at(words, value).cloned().unwrap_or_default(),
            AxisKind::Percentile => format::quantile(value),
        }
    }

    /// Ticks for an axis that is `room` points long.
    pub fn ticks(&self, room: f32) -> Vec<Tick> {
        if !(self.range.0.is_finite() && self.range.1.is_finite()) {
            return Vec::new();
        }
        let room = f64::from(room).max(1.0);
        match &self.kind {
            AxisKind::LogMs | AxisKind::LogNumber => self.log_ticks(room),
            AxisKind::Users(levels) => self.at(levels, format::count),
            AxisKind::Levels(levels) => self.at(levels, format::number),
            AxisKind::Marked { values, .. } => self.at(values, format::number),
            AxisKind::Words(words) => self.word_ticks(words),
            AxisKind::Percentile => {
                let shown = QUANTILES.iter().map(|(q, label)| Tick {
                    place: self.place(*q),
                    label: (*label).to_owned(),
                });
                shown.filter(|t| self.holds(t.place)).collect()
            }
            AxisKind::Time => {
                let span = self.range.1 - self.range.0;
                let fits = |step: &&f64| span / **step * ROOM_LINEAR <= room;
                let step = TIME_STEPS.iter().find(fits).copied();
                let longest = (span / 6.0 / 3600.0).ceil().max(1.0) * 3600.0;
                self.every(step.unwrap_or(longest), format::clock)
            }
            AxisKind::Share => self.every(self.linear_step(room), format::percent),
            AxisKind::Ms => self.every(self.linear_step(room), format::ms_tick),
            AxisKind::Number | AxisKind::Rate => self.every(self.linear_step(room), format::number),
        }
    }

    fn holds(&self, place: f64) -> bool {
        let slack = (self.range.1 - self.range.0).abs() * 1e-9;
        place >= self.range.0 - slack && place <= self.range.1 + slack
    }

    fn at(&self, values: &[f64], label: fn(f64) -> String) -> Vec<Tick> {
        let tick = |v: &f64| Tick {
            place: self.place(*v),
            label: label(*v),
        };
        values
            .iter()
            .map(tick)
            .filter(|t| self.holds(t.place))
            .collect()
    }

    fn word_ticks(&self, words: &[String]) -> Vec<Tick> {
        let tick = |(i, word): (usize, &String)| Tick {
            place: i as f64,
            label: word.clone(),
        };
        let ticks = words.iter().enumerate().map(tick);
        ticks.filter(|t| self.holds(t.place)).collect()
    }

    /// 1, 2 or 5 times a power of ten, so that there is room for each label.
    fn linear_step(&self, room: f64) -> f64 {
        let least = (self.range.1 - self.range.0).abs() * ROOM_LINEAR / room;
        step_above(least)
    }

    fn every(&self, step: f64, label: fn(f64) -> String) -> Vec<Tick> {
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let first = (self.range.0 / step - 1e-9).ceil();
        let last = (self.range.1 / step + 1e-9).floor();
        let mut ticks = Vec::new();
        let mut i = first;
        while i <= last && ticks.len() < 64 {
            let place = i * step;
            ticks.push(Tick {
                place,
                label: label(place),
            });
            i += 1.0;
        }
        ticks
    }

    fn log_ticks(&self, room: f64) -> Vec<Tick> {
        let (low, high) = self.range;
        let decades = (high - low).max(1e-9);
        let per_decade = room / decades;
        let steps: &[f64] = if per_decade > ROOM_125 {
            &[1.0, 2.0, 5.0]
        } else if per_decade > ROOM_13 {
            &[1.0, 3.0]
        } else {
            &[1.0]
        };
        let label = match self.kind {
            AxisKind::LogMs => format::ms_tick,
            _ => format::number,
        };
        let mut ticks = Vec::new();
        let mut decade = low.floor();
        while decade <= high.ceil() && ticks.len() < 64 {
            for step in steps {
                ticks.extend(self.at(&[step * 10f64.powf(decade)], label));
            }
            decade += 1.0;
        }
        // Less than two decades' marks: a narrow range still needs something to read.
        if ticks.len() < 2 {
            let (a, b) = (self.value(low), self.value(high));
            let step = step_above((b - a) * ROOM_LINEAR / room);
            let mut value = (a / step).ceil() * step;
            ticks.clear();
            while value <= b && ticks.len() < 16 && step > 0.0 {
                ticks.extend(self.at(&[value], label));
                value += step;
            }
        }
        ticks
    }
}

/// The word whose place is nearest.
fn word_at(words: &[String], place: f64) -> Option<&String> {
    let away = |i: usize| (i as f64 - place).abs();
    let nearest = (0..words.len()).min_by(|a, b| away(*a).total_cmp(&away(*b)));
    words.get(nearest?)
}

/// The end of an axis from 0 that holds `most`: it moves in few steps, so that a growing run does not shake.
pub(super) fn top_above(most: f64) -> f64 {
    if !(most > 0.0 && most.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(most.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = |step: &&f64| **step * power >= most * (1.0 - 1e-9);
    steps.iter().find(fits).copied().unwrap_or(10.0) * power
}

/// The smallest of 1, 2, 5 × 10^k that is at least `least`.
pub(super) fn step_above(least: f64) -> f64 {
    if !(least > 0.0 && least.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    for step in [1.0, 2.0, 5.0] {
        if step * power >= least * (1.0 - 1e-9) {
            return step * power;
        }
    }
    10.0 * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, room: f32) -> Vec<String> {
        axis.ticks(room).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn log_ticks_follow_the_room_per_decade() {
        let axis = Axis::new("", AxisKind::LogMs, (1.9, 3.1));
        assert_eq!(labels(&axis, 60.0), ["100 ms", "1 s"]);
        assert_eq!(labels(&axis, 120.0), ["100 ms", "300 ms", "1 s"]);
        assert_eq!(labels(&axis, 240.0), ["100 ms", "200 ms", "500 ms", "1 s"]);
    }

    #[test]
    fn a_range_inside_one_decade_still_has_two_ticks() {
        let axis = Axis::new("", AxisKind::LogMs, (212f64.log10(), 298f64.log10()));
        let ticks = axis.ticks(200.0);
        assert!(ticks.len() >= 2, "{ticks:?}");
        for t in ticks {
            assert!(t.place >= axis.range.0 && t.place <= axis.range.1);
        }
    }

    #[test]
    fn time_reads_minutes_and_seconds() {
        let axis = Axis::new("", AxisKind::Time, (0.0, 281.0));
        assert_eq!(
            labels(&axis, 300.0),
            ["0:00", "1:00", "2:00", "3:00", "4:00"]
        );
        let week = Axis::new("", AxisKind::Time, (0.0, 604_800.0));
        assert!((2..=8).contains(&week.ticks(300.0).len()));
    }

    #[test]
    fn users_have_a_tick_at_each_stage_only() {
        let axis = Axis::new("", AxisKind::Users(vec![1.0, 10.0, 100.0]), (-0.2, 7.0));
        assert_eq!(labels(&axis, 300.0), ["1", "10", "100"]);
        assert!((axis.ticks(300.0)[1].place - 10f64.log2()).abs() < 1e-12);
    }

    #[test]
    fn percentiles_stand_at_the_log_of_what_is_left() {
        let axis = Axis::new("", AxisKind::Percentile, (0.0, 3.0));
        assert_eq!(labels(&axis, 300.0), ["p50", "p90", "p95", "p99", "p99.9"]);
        assert!((axis.place(0.99) - 2.0).abs() < 1e-12);
        assert!((axis.value(2.0) - 0.99).abs() < 1e-12);
    }

    #[test]
    fn linear_steps_are_1_2_5() {
        for (least, step) in [
            (0.3, 0.5),
            (1.0, 1.0),
            (1.1, 2.0),
            (6.0, 10.0),
            (2100.0, 5000.0),
        ] {
            assert!((step_above(least) - step).abs() < 1e-9 * step);
        }
        let axis = Axis::new("", AxisKind::Number, (0.0, 6100.0));
        assert_eq!(
            labels(&axis, 130.0),
            ["0", "2\u{202f}000", "4\u{202f}000", "6\u{202f}000"]
        );
    }

    #[test]
    fn tops_hold_what_they_are_asked_to() {
        for most in [0.03, 1.0, 64.0, 5_400.0, 9_999.0] {
            let top = top_above(most);
            assert!(top >= most && top <= most * 1.6, "{most} {top}");
        }
        assert!((top_above(0.0) - 1.0).abs() < 1e-12);
        let low = Axis::new("", AxisKind::Levels(vec![0.0, 64.0]), (0.0, 64.0));
        assert_eq!(labels(&low, 24.0), ["0", "64"]);
    }

    #[test]
    fn marked_values_and_words_have_a_tick_each() {
        let marked = |is_log| AxisKind::Marked {
            values: vec![16.0, 64.0, 256.0],
            is_log,
            unit: "tokens".to_owned(),
        };
        let axis = Axis::new("", marked(true), (3.5, 8.5));
        assert_eq!(labels(&axis, 300.0), ["16", "64", "256"]);
        assert_eq!(axis.text(6.0), "64 tokens");
        assert!((axis.place(64.0) - 6.0).abs() < 1e-12);
        let axis = Axis::new("", marked(false), (0.0, 300.0));
        assert!((axis.ticks(300.0)[2].place - 256.0).abs() < 1e-12);
        let words = vec!["q4".to_owned(), "q8".to_owned()];
        let axis = Axis::new("", AxisKind::Words(words), (-0.5, 1.5));
        assert_eq!(labels(&axis, 300.0), ["q4", "q8"]);
        assert_eq!(axis.text(0.8), "q8");
        let rate = Axis::new("", AxisKind::Rate, (0.0, 60.0));
        assert_eq!(labels(&rate, 150.0), ["0", "20", "40", "60"]);
        assert_eq!(rate.text(41.96), "42 req/s");
    }

    #[test]
    fn empty_and_absurd_ranges_end() {
        for range in [
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (5.0, -5.0),
        ] {
            for kind in [
                AxisKind::Number,
                AxisKind::LogMs,
                AxisKind::Time,
                AxisKind::Share,
                AxisKind::Percentile,
            ] {
                assert!(Axis::new("", kind, range).ticks(100.0).len() <= 80);
            }
        }
    }
}
