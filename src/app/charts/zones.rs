//! Names of stages above their zones.

use egui::{Align2, Painter, pos2};

use super::units;
use crate::app::theme::{Text, Theme};
use crate::app::widgets;

/// The least space between two names.
const APART: f32 = 6.0;
/// The space between the caption at the left and the first name.
const FROM_CAPTION: f32 = 8.0;
/// A name may be wider than its zone by this.
const OVER: f32 = 2.0;

type Ends = (f32, f32);

/// All whole where each has room in its zone, else all short; where that is not enough, those that have room between the
/// others. The tooltip names the rest.
pub(super) fn zone_names(
    painter: &Painter,
    theme: &Theme,
    mut zones: Vec<(Ends, &str)>,
    (from, y): (f32, f32),
) {
    zones.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    let names: Vec<&str> = zones.iter().map(|z| z.1).collect();
    let ends: Vec<Ends> = zones.iter().map(|z| z.0).collect();
    let kind = Text::CaptionStrong;
    let wide = |words: &String| widgets::text_width(painter, words, kind);
    let whole = names.iter().map(|n| (*n).to_owned()).collect();
    let mut best: Vec<(f32, String)> = Vec::new();
    let shortest = units::shortest(&names);
    for (words, is_over) in [
        (whole, false),
        (units::short(&names), false),
        (shortest.clone(), false),
        (shortest, true),
    ] {
        let widths: Vec<f32> = words.iter().map(wide).collect();
        let placed = place(&ends, &widths, (from + FROM_CAPTION, is_over));
        let named: Vec<(f32, String)> = placed
            .into_iter()
            .zip(words)
            .filter_map(|(x, words)| Some((x?, words)))
            .collect();
        if best.is_empty() || named.len() > best.len() {
            best = named;
        }
    }
    for (x, words) in best {
        let at = pos2(x, y);
        widgets::text(
            painter,
            at,
            Align2::LEFT_CENTER,
            words,
            kind,
            theme.secondary,
        );
    }
}

/// Where each name begins: over the middle of its zone, or as near to it as the one before leaves room. `is_over`: it may
/// be wider than its zone, then over the middle only.
fn place(zones: &[Ends], widths: &[f32], (from, is_over): (f32, bool)) -> Vec<Option<f32>> {
    let mut taken = from;
    let end = zones.last().map_or(0.0, |z| z.1) + APART;
    let mut place = |((left, right), width): (&Ends, &f32)| {
        let middle = f32::midpoint(*left, *right) - width / 2.0;
        if is_over && middle >= taken + APART && middle + width <= end {
            taken = middle + width;
            return Some(middle);
        }
        let x = middle.max(taken + APART);
        let fits = *width <= right - left + OVER && x + width <= right + OVER;
        if fits {
            taken = x + width;
        }
        fits.then_some(x)
    };
    zones
        .iter()
        .zip(widths)
        .map(|(z, w)| place((z, w)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_room_for_the_one_before_it_and_stays_in_its_zone() {
        let zones = [(0.0, 60.0), (60.0, 100.0), (100.0, 110.0)];
        // The first begins right of the caption, though it is then not in the middle.
        assert_eq!(
            place(&zones, &[30.0, 30.0, 30.0], (14.0, false)),
            [Some(20.0), Some(65.0), None]
        );
        assert_eq!(
            place(&zones, &[30.0, 30.0, 8.0], (40.0, false)),
            [None, Some(65.0), Some(101.0)]
        );
    }
}
