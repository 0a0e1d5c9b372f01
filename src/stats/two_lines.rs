//! Two straight lines that meet: where a curve of throughput over load bends (Hudson, "Fitting segmented curves whose
//! join points have to be estimated", JASA 61, 1966).

/// The best fit of two lines that meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoLines {
    /// Where they meet.
    pub x: f64,
    pub y: f64,
    /// Slopes before and after.
    pub before: f64,
    pub after: f64,
    /// By how much the squared error is smaller than that of one line, 0 to 1.
    pub improvement: f64,
}

/// Fewer points tell a bend from noise too seldom.
pub const KNEE_MIN_POINTS: usize = 5;
/// The slope after a knee as a share of that before it, at most (these three after guidellm).
pub const KNEE_MAX_TAIL_SLOPE: f64 = 0.25;
/// How much better two lines must fit than one.
pub const KNEE_MIN_IMPROVEMENT: f64 = 0.5;
/// Throughput at the knee as a share of the largest, at least.
pub const KNEE_MIN_SHARE_OF_PEAK: f64 = 0.85;

/// The fit with the least squared error; `None` below [`KNEE_MIN_POINTS`] different x or where a value is no number.
pub fn two_line_fit(points: &[(f64, f64)]) -> Option<TwoLines> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let scale = Scale::of(&points)?;
    let points: Vec<(f64, f64)> = points.iter().map(|p| scale.unit(*p)).collect();
    let one = line(&points)?;
    let one_error = error(&points, |x| one.at(x));

    let mut best: Option<(f64, Bend)> = None;
    for split in 2..points.len().saturating_sub(1) {
        let (left, right) = points.split_at(split);
        let joins = left.last().zip(right.first());
        let Some(((from, _), (to, _))) = joins.filter(|(l, r)| l.0 < r.0) else {
            continue;
        };
        // The two free lines, where they meet between their points; else the best that bends at one of the points.
        let met = line(left).zip(line(right)).and_then(|(l, r)| l.meet(r));
        let free = met.filter(|bend| (*from..=*to).contains(&bend.x));
        let at_points = [*from, *to].map(|x| bend_at(&points, x));
        for bend in free.into_iter().chain(at_points.into_iter().flatten()) {
            let error = error(&points, |x| bend.at(x));
            if best.is_none_or(|(least, _)| error < least) {
                best = Some((error, bend));
            }
        }
    }
    let (error, bend) = best?;
    // A straight line has nothing that could be improved but rounding.
    let is_straight = one_error <= 1e-18 * points.len() as f64;
    let improvement = if is_straight {
        0.0
    } else {
        1.0 - error / one_error
    };
    Some(scale.back(bend, improvement.max(0.0)))
}

/// The bend of `points` where it is a knee: a rise that all but ends, clearly better told by two lines, near the peak.
pub fn knee(points: &[(f64, f64)]) -> Option<TwoLines> {
    let fit = two_line_fit(points)?;
    let peak = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let is_knee = fit.before > 0.0
        && fit.after <= KNEE_MAX_TAIL_SLOPE * fit.before
        && fit.improvement >= KNEE_MIN_IMPROVEMENT
        && fit.y >= KNEE_MIN_SHARE_OF_PEAK * peak;
    is_knee.then_some(fit)
}

#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    at_0: f64,
}

/// `y` at `x`, and a slope on either side.
#[derive(Clone, Copy)]
struct Bend {
    x: f64,
    y: f64,
    before: f64,
    after: f64,
}

impl Line {
    fn at(self, x: f64) -> f64 {
        self.at_0 + self.slope * x
    }

    fn meet(self, after: Self) -> Option<Bend> {
        let x = (after.at_0 - self.at_0) / (self.slope - after.slope);
        x.is_finite().then(|| Bend {
            x,
            y: self.at(x),
            before: self.slope,
            after: after.slope,
        })
    }
}

impl Bend {
    fn at(self, x: f64) -> f64 {
        let slope = if x < self.x { self.before } else { self.after };
        self.y + slope * (x - self.x)
    }
}

/// Least squares; `None` where x does not vary.
fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let (sxx, sxy) = points.iter().fold((0.0, 0.0), |(xx, xy), (x, y)| {
        (xx + (x - mx).powi(2), xy + (x - mx) * (y - my))
    });
    (sxx > 1e-18).then(|| {
        let slope = sxy / sxx;
        Line {
            slope,
            at_0: my - slope * mx,
        }
    })
}

/// The best two lines that meet at `x`: least squares of y over 1, min(x' − x, 0) and max(x' − x, 0).
fn bend_at(points: &[(f64, f64)], x: f64) -> Option<Bend> {
    let mut sums = [[0.0; 4]; 3];
    for (px, y) in points {
        let basis = [1.0, (px - x).min(0.0), (px - x).max(0.0)];
        for (row, a) in sums.iter_mut().zip(basis) {
            for (sum, b) in row.iter_mut().zip(basis.into_iter().chain([*y])) {
                *sum += a * b;
            }
        }
    }
    let [y, before, after] = solve(sums)?;
    Some(Bend {
        x,
        y,
        before,
        after,
    })
}

/// Gauss with pivots; `None` where there is no single answer.
fn solve(mut m: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot =
            (column..3).max_by(|a, b| m[*a][column].abs().total_cmp(&m[*b][column].abs()))?;
        m.swap(column, pivot);
        let pivot = m[column];
        if pivot[column].abs() < 1e-14 {
            return None;
        }
        for (_, row) in m.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column] / pivot[column];
            for (value, above) in row.iter_mut().zip(pivot) {
                *value -= factor * above;
            }
        }
    }
    Some([0, 1, 2].map(|i| m[i][3] / m[i][i]))
}

fn error(points: &[(f64, f64)], at: impl Fn(f64) -> f64) -> f64 {
    points.iter().map(|(x, y)| (y - at(*x)).powi(2)).sum()
}

/// Brings points into the unit square, so that thresholds need no unit.
struct Scale {
    x: f64,
    width: f64,
    y: f64,
    height: f64,
}

impl Scale {
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return None;
        }
        let mut xs: Vec<f64> = points.iter().map(|p| p.0).collect();
        xs.dedup();
        let (first, last) = (xs.first()?, xs.last()?);
        let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
        let high = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        (xs.len() >= KNEE_MIN_POINTS).then(|| Self {
            x: *first,
            width: last - first,
            y: low,
            height: if high > low { high - low } else { 1.0 },
        })
    }

    fn unit(&self, (x, y): (f64, f64)) -> (f64, f64) {
        ((x - self.x) / self.width, (y - self.y) / self.height)
    }

    fn back(&self, bend: Bend, improvement: f64) -> TwoLines {
        let slope = self.height / self.width;
        TwoLines {
            x: self.x + bend.x * self.width,
            y: self.y + bend.y * self.height,
            before: bend.before * slope,
            after: bend.after * slope,
            improvement,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::SplitMix64;
    use crate::stats::vectors::near;

    fn curve(xs: impl IntoIterator<Item = u32>, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let xs = xs.into_iter().map(f64::from);
        xs.map(|x| (x, y(x))).collect()
    }

    #[test]
    fn two_lines_are_found_exactly_wherever_they_meet() {
        for bend in [3.0, 3.5, 4.2, 8.0] {
            let y = |x: f64| 5.0 + 10.0 * x.min(bend) + 1.0 * (x - bend).max(0.0);
            let fit = two_line_fit(&curve(1..=10, y)).unwrap();
            near(fit.x, bend, 1e-9);
            near(fit.y, 5.0 + 10.0 * bend, 1e-9);
            near(fit.before, 10.0, 1e-9);
            near(fit.after, 1.0, 1e-8);
            near(fit.improvement, 1.0, 1e-9);
        }
    }

    #[test]
    fn a_server_of_known_capacity_has_its_knee_there() {
        // Throughput grows with users until 40 answers a second, over geometric steps.
        let levels = [1, 2, 4, 8, 16, 32, 64, 128];
        let found = knee(&curve(levels, |users| (2.5 * users).min(40.0))).unwrap();
        near(found.x, 16.0, 1e-6);
        near(found.y, 40.0, 1e-6);
        let mut rng = SplitMix64::new(3);
        let mut noisy = curve(1..=30, |users| (2.0 * users).min(40.0));
        for point in &mut noisy {
            point.1 *= 1.0 + 0.02 * rng.normal();
        }
        near(knee(&noisy).unwrap().x, 20.0, 0.05);
    }

    #[test]
    fn what_does_not_bend_near_its_peak_has_no_knee() {
        assert_eq!(knee(&curve(1..=10, |x| 3.0 * x)), None, "a straight rise");
        assert_eq!(
            knee(&curve(1..=10, |x| 3.0 * x.min(5.0) + (x - 5.0).max(0.0))),
            None,
            "a tail of a third"
        );
        assert_eq!(knee(&curve(1..=10, |_| 7.0)), None, "flat from the start");
        assert_eq!(knee(&curve(1..=10, |x| -x)), None, "a fall");
        // A climb that goes on past a plateau: the bend is far below the peak.
        assert_eq!(
            knee(&curve(1..=10, |x| if x > 8.5 {
                60.0
            } else {
                3.0 * x.min(4.0)
            })),
            None
        );
        let falling = knee(&curve(1..=12, |x| {
            3.0 * x.min(6.0) - 0.5 * (x - 6.0).max(0.0)
        }));
        near(falling.unwrap().x, 6.0, 1e-9);
    }

    #[test]
    fn too_few_points_tell_nothing() {
        assert_eq!(two_line_fit(&curve(1..=4, |x| x.min(2.0))), None);
        assert_eq!(two_line_fit(&[(1.0, 1.0); 9]), None);
        assert_eq!(
            two_line_fit(&curve(1..=9, |x| if x > 3.0 { f64::NAN } else { x })),
            None
        );
        assert_eq!(two_line_fit(&[]), None);
    }
}
