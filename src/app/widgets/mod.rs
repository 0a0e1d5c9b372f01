//! The window's own widgets. Each names itself, so that a screen reader and a test find it.

mod badge;
mod banner;
mod button;
mod choice;
mod field;
mod paint;
mod rows;
mod section;
mod switch;
mod tile;

pub use badge::{Level, badge, tag};
pub use banner::{BANNER_HEIGHT, Banner};
pub(crate) use button::focus_ring;
pub use button::{Button, link, tick};
pub use choice::{choice, choice_box, item, item_with_words};
pub use field::{Field, error_ui, label_ui};
pub use paint::{elided, icon, text, text_width};
pub use rows::{Cell, CellInk, Table, TableRow, rows_ui};
pub use section::{Section, sub_heading};
pub use switch::Switch;
pub use tile::{Tile, tiles, tiles_height};

/// Draws into `rect` without moving the place where `ui` goes on.
pub fn inside<R>(
    ui: &mut egui::Ui,
    rect: egui::Rect,
    layout: egui::Layout,
    salt: impl std::hash::Hash + std::fmt::Debug,
    contents: impl FnOnce(&mut egui::Ui) -> R,
) -> R {
    let builder = egui::UiBuilder::new()
        .max_rect(rect)
        .layout(layout)
        .id_salt(egui::IdSalt::new(salt));
    contents(&mut ui.new_child(builder))
}
