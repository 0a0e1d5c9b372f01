//! Which columns of the stage table there is room for, and where they stand.

use egui::{Rect, Ui};

use super::model::StageTable;
use crate::app::theme::Text;
use crate::app::widgets;

/// The columns that a table loses where it is too narrow, those of least worth first; a row's tooltip has them all.
const SPARED: [&str; 9] = [
    "SD", "Min", "Max", "p90", "Mean", "Within", "sent/s", "Good/s", "p99",
];
/// Between one column's words and the next.
const APART: f32 = 12.0;
const SIDE: f32 = 12.0;
/// Before a name stands its swatch.
const SWATCH: f32 = 18.0;
/// Rows that are measured: more of the same are no wider.
const MEASURED: usize = 100;

/// A column that is shown: its place in the table, and its right edge.
pub(super) type Shown = (usize, f32);

/// The columns that fit into `area`, as in the pictures where all have room there, else as wide as their words.
pub(super) fn shown(ui: &Ui, area: Rect, table: &StageTable) -> Vec<Shown> {
    let wide = |words: &str, kind| widgets::text_width(ui.painter(), words, kind);
    let rows = || table.rows.iter().take(MEASURED);
    let names = rows().map(|row| SWATCH + wide(&row.name, Text::Strong));
    let name = names.fold(wide(&table.title, Text::Label), f32::max).ceil();
    let needs = |(k, header): (usize, &&str)| {
        let cells = rows().filter_map(|row| row.cells.get(k));
        let cells = cells.map(|cell| wide(&cell.words, Text::Body));
        APART + cells.fold(wide(header, Text::Label), f32::max).ceil()
    };
    let needs: Vec<f32> = table.header.iter().enumerate().map(needs).collect();
    let room = area.width() - 2.0 * SIDE;
    let kept = kept(&table.header, &needs, room - name);
    let edges = edges(&table.header, (&kept, &needs), name, room);
    let at = |(k, edge): (usize, f32)| (k, (area.left() + SIDE + edge).round());
    kept.iter().copied().zip(edges).map(at).collect()
}

/// All columns but those that there is no room for.
fn kept(header: &[&str], needs: &[f32], room: f32) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..header.len()).collect();
    for spared in SPARED {
        let wanted: f32 = kept.iter().filter_map(|k| needs.get(*k)).sum();
        if wanted <= room {
            break;
        }
        kept.retain(|k| header.get(*k) != Some(&spared));
    }
    kept
}

/// Right edges, from the left of the name on.
fn edges(
    header: &[&str],
    (kept, needs): (&[usize], &[f32]),
    name: f32,
    room: f32,
) -> impl Iterator<Item = f32> {
    let of = |k: &usize| {
        let share = header.get(*k).map_or(0.0, |h| share(h));
        (share, needs.get(*k).copied().unwrap_or_default())
    };
    let columns: Vec<(f32, f32)> = kept.iter().map(of).collect();
    let unit = room / (NAME_SHARE + columns.iter().map(|c| c.0).sum::<f32>());
    let has_room = columns.iter().all(|(share, needs)| share * unit >= *needs);
    let as_drawn = NAME_SHARE * unit >= name && has_room;
    let left = room - name - columns.iter().map(|c| c.1).sum::<f32>();
    let extra = (left / columns.len().max(1) as f32).max(0.0);
    let mut right = if as_drawn { NAME_SHARE * unit } else { name };
    columns.into_iter().map(move |(share, needs)| {
        right += if as_drawn {
            share * unit
        } else {
            needs + extra
        };
        right
    })
}

/// Shares of the width, as in the pictures: the name, then each column by its header.
fn share(header: &str) -> f32 {
    match header {
        "n" => 68.0,
        "Errors" => 52.0,
        "Dropped" => 58.0,
        "Within" => 56.0,
        "Goal" => 88.0,
        "Min" | "SD" => 46.0,
        "p99" => 62.0,
        "tok/s" => 54.0,
        _ => 50.0,
    }
}

const NAME_SHARE: f32 = 132.0;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [&str; 8] = ["n", "Dropped", "Mean", "Max", "p50", "p99", "tok/s", "Goal"];

    #[test]
    fn a_narrow_table_loses_the_columns_of_least_worth_and_none_touches_the_next() {
        let needs = [50.0; 8];
        assert_eq!(kept(&HEADER, &needs, 400.0).len(), 8);
        assert_eq!(kept(&HEADER, &needs, 360.0), [0, 1, 2, 4, 5, 6, 7]);
        assert_eq!(kept(&HEADER, &needs, 300.0), [0, 1, 4, 5, 6, 7]);
        // What remains is never taken away, however narrow the table.
        assert_eq!(kept(&HEADER, &needs, 10.0), [0, 1, 4, 6, 7]);
        for room in [500.0, 640.0, 1200.0] {
            let columns = kept(&HEADER, &needs, room - 130.0);
            let edges: Vec<f32> = edges(&HEADER, (&columns, &needs), 130.0, room).collect();
            let first = edges.first().copied().unwrap_or_default();
            assert!(first >= 180.0 - 0.1);
            assert!(edges.windows(2).all(|e| e[1] - e[0] >= 49.9), "{edges:?}");
            assert!(edges.last().is_some_and(|e| *e <= room + 0.1));
        }
    }
}
