//! Text and icons at exact places.

use std::sync::Arc;

use egui::{
    Align2, Color32, Galley, Painter, Pos2, Rect,
    text::{LayoutJob, TextWrapping},
};

use crate::app::icons::MaterialIcon;
use crate::app::theme::{Text, icon_font};

/// Paints one line with `anchor` at `pos`, on whole points; gives back where it stands.
pub fn text(
    painter: &Painter,
    pos: Pos2,
    anchor: Align2,
    words: impl Into<String>,
    kind: Text,
    color: Color32,
) -> Rect {
    let galley = painter.layout_no_wrap(words.into(), kind.font(), color);
    place(painter, pos, anchor, galley, color)
}

/// As [`text`], cut with an ellipsis where it is wider than `width`.
pub fn elided(
    painter: &Painter,
    pos: Pos2,
    anchor: Align2,
    words: impl Into<String>,
    kind: Text,
    color: Color32,
    width: f32,
) -> Rect {
    let galley = elided_galley(painter, words.into(), kind, color, width);
    place(painter, pos, anchor, galley, color)
}

/// One line of at most `width`.
fn elided_galley(
    painter: &Painter,
    words: String,
    kind: Text,
    color: Color32,
    width: f32,
) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(words, kind.font(), color);
    job.wrap = TextWrapping {
        max_width: width.max(0.0),
        max_rows: 1,
        break_anywhere: true,
        overflow_character: Some('…'),
    };
    painter.layout_job(job)
}

fn place(
    painter: &Painter,
    pos: Pos2,
    anchor: Align2,
    galley: Arc<Galley>,
    color: Color32,
) -> Rect {
    let rect = anchor.anchor_size(pos, galley.size());
    let rect = rect.translate(rect.min.round() - rect.min);
    painter.galley(rect.min, galley, color);
    rect
}

/// Paints an icon with its centre at `center`.
pub fn icon(painter: &Painter, center: Pos2, icon: MaterialIcon, size: f32, color: Color32) {
    let galley = painter.layout_no_wrap(icon.codepoint.to_owned(), icon_font(size), color);
    place(painter, center, Align2::CENTER_CENTER, galley, color);
}

/// How wide that line is.
pub fn text_width(painter: &Painter, words: impl Into<String>, kind: Text) -> f32 {
    painter
        .layout_no_wrap(words.into(), kind.font(), Color32::PLACEHOLDER)
        .size()
        .x
}
