//! The window's own widgets. Each names itself, so that a screen reader and a test find it.

mod badge;
mod banner;
mod button;
mod choice;
mod field;
mod paint;
mod section;
mod switch;
mod tile;

pub use badge::{Level, badge, tag};
pub use banner::{BANNER_HEIGHT, Banner};
pub(crate) use button::focus_ring;
pub use button::{Button, link, tick};
pub use choice::{choice, item};
pub use field::{Field, error_ui, label_ui};
pub use paint::{elided, icon, text, text_width};
pub use section::{Section, sub_heading};
pub use switch::Switch;
pub use tile::{TILES_HEIGHT, Tile, tiles};
