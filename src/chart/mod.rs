//! One chart model, drawn by whoever can draw: marks, axes, legend, and the text of the table beside it.
//!
//! Builders are pure functions from a [`crate::domain::RunData`]; the drawer needs no statistics. All coordinates of marks
//! are *places* on the axis (log10 of the value on a log axis, log2 of users, …): see [`Axis::place`]. Styles that
//! `look/tokens.md` section 6 fixes (widths of ink, opacities by theme) are named by [`Shape`] and [`Colour`], not numbered.

mod axis;
mod by_parameter;
mod distribution;
mod events;
pub mod format;
mod goal;
mod load_curve;
mod over_time;
mod overlay;
mod requests;
mod sent;
#[cfg(test)]
mod tests;
mod turns;

pub use axis::{Axis, AxisKind, Tick};
pub use by_parameter::{ByParameter, ParameterRun, by_parameter};
pub use distribution::{ecdf, histogram, percentiles};
pub use goal::goal_words;
pub use load_curve::{folds_back, has_rate_axis, load_curve};
pub use over_time::{Throughput, over_time};
pub use overlay::{Look, cold_over_warm, overlay};
pub use requests::requests;
pub use turns::turns;

/// A chart: one x axis, one or two panes above each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    pub title: String,
    /// Muted, beside the title; empty for none.
    pub subject: String,
    pub x: Axis,
    /// Upper pane first. Never empty in a built chart.
    pub panes: Vec<Pane>,
    /// One row above the plot. [`Mark::series`] holds an index into it.
    pub legend: Vec<LegendEntry>,
    /// The same as text: what a screen reader, a copy as Markdown and an export use.
    pub table: ChartTable,
    /// Said instead of the plot when there is nothing to draw (`no data yet`).
    pub empty: Option<String>,
}

/// One plot area.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pane {
    pub y: Axis,
    /// In the order of drawing.
    pub marks: Vec<Mark>,
    /// Share of the chart's height; all shares of a chart sum to 1.
    pub share: f32,
    /// Draw × of failed requests on a rail at the upper edge; their y is meaningless.
    pub has_rail: bool,
}

/// A name in the legend row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LegendEntry {
    pub name: String,
    /// For a narrow card; the same as the name where there is no shorter one.
    pub short: String,
    pub colour: Colour,
    pub swatch: Swatch,
}

/// What stands before a name in the legend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Swatch {
    Square,
    Dot,
    Ring,
    Cross,
}

/// What a colour means; the theme knows which it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// Stage `i` of `n`.
    Stage {
        i: u16,
        n: u16,
    },
    SideA,
    SideB,
    /// `text.primary`, `text.secondary`, `text.muted`: the three weights of ink.
    Primary,
    Secondary,
    Muted,
    /// Not supported by n.
    Disabled,
    /// Failed requests only.
    Failure,
    /// `line.strong`.
    Rule,
    /// A goal's line, and the zone in which it is met. A goal's rule may lie beyond the axis: it is drawn at the plot's edge.
    Ok,
    /// The zone in which a goal is missed.
    Caution,
    /// Parts of a request in the strip's stacked bars: waiting in a queue, waiting for the first token, streaming.
    PartQueue,
    PartWait,
    PartStream,
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The legend entry that it belongs to (switched on and off with it).
    pub series: Option<usize>,
    pub colour: Colour,
    pub shape: Shape,
}

/// How it is drawn. Every coordinate is a place on its axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Straight from point to point. Vertical steps are points of their own: do not step it again, and do not let
    /// the plotting library merge it into bands when `is_stepped`.
    Line {
        points: Vec<[f64; 2]>,
        width: f32,
        is_dashed: bool,
        is_stepped: bool,
        /// Direct label at the last point; empty for none.
        end_label: String,
    },
    /// Filled from `points` down to `base`, in the series' fill opacity.
    Area {
        points: Vec<[f64; 2]>,
        base: f64,
    },
    /// Filled between two lines of equal x: a confidence band.
    Band {
        points: Vec<[f64; 3]>,
    },
    Points {
        points: Vec<[f64; 2]>,
        dot: Dot,
        /// A label at each point; empty, or as long as `points`.
        labels: Vec<String>,
        side: LabelSide,
    },
    /// Vertical line with a label at its top.
    VLine {
        at: f64,
        label: String,
        side: LabelSide,
        style: Rule,
    },
    HLine {
        at: f64,
        label: String,
        style: Rule,
    },
    /// A zone of x over the whole height, with a top edge in full colour and its name above.
    Span {
        from: f64,
        to: f64,
        label: String,
    },
    /// A rectangle of the plot in a goal's faint tint; an infinite side reaches to the plot's edge.
    Zone {
        x: (f64, f64),
        y: (f64, f64),
    },
    /// Filled rectangles in the series' fill opacity: histogram bins, stacked request bars.
    Bars {
        bars: Vec<Bar>,
        is_solid: bool,
    },
}

/// A filled rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    pub x0: f64,
    pub x1: f64,
    pub y0: f64,
    pub y1: f64,
}

/// What a point is drawn as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dot {
    /// One request: 1.75, full colour.
    Request,
    /// One warm-up request: 1.75, pale.
    Pale,
    /// One cold request: ring of 4 in primary ink.
    Cold,
    /// ×, 3 half-width, on the rail.
    Cross,
    /// On a line, with a halo in the surface colour: 4, 3 and 2.5 for p50, p95, p99.
    Large,
    Medium,
    Small,
    /// The same as a ring: errors above 1 %, or a probe whose goals are not told yet.
    LargeRing,
    MediumRing,
    SmallRing,
    /// The same as a ×: a probe that missed its goals.
    LargeCross,
    MediumCross,
    SmallCross,
    /// Many requests in one place; drawn as a request dot.
    Binned,
}

/// Where a label stands relative to its mark.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LabelSide {
    Left,
    #[default]
    Right,
    UpLeft,
    DownRight,
}

/// The kinds of straight lines through a plot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Dashed 4/4, 1 wide.
    Dashed,
    /// Solid, 1 wide.
    Solid,
    /// Dashed 3/3: the knee.
    Knee,
}

/// A chart as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartTable {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Where each row stands on the x axis, in a chart of a few levels; empty in others. The first cell then names the level.
    pub places: Vec<f64>,
}

impl Chart {
    /// A chart that says why it has nothing to show.
    pub fn empty(title: &str, why: &str) -> Self {
        Self {
            title: title.to_owned(),
            empty: Some(why.to_owned()),
            ..Self::default()
        }
    }
}

impl Mark {
    fn new(colour: Colour, shape: Shape) -> Self {
        Self {
            series: None,
            colour,
            shape,
        }
    }

    fn of(series: usize, colour: Colour, shape: Shape) -> Self {
        Self {
            series: Some(series),
            colour,
            shape,
        }
    }
}

impl LegendEntry {
    fn new(name: impl Into<String>, colour: Colour, swatch: Swatch) -> Self {
        let name = name.into();
        Self {
            short: name.clone(),
            name,
            colour,
            swatch,
        }
    }

    fn short(self, short: &str) -> Self {
        Self {
            short: short.to_owned(),
            ..self
        }
    }
}

impl Pane {
    fn whole(y: Axis, marks: Vec<Mark>) -> Self {
        Self {
            y,
            marks,
            share: 1.0,
            has_rail: false,
        }
    }
}

impl ChartTable {
    fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
            places: Vec::new(),
        }
    }

    fn push_at(&mut self, place: f64, row: Vec<String>) {
        self.rows.push(row);
        self.places.push(place);
    }
}
