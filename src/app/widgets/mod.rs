//! The window's own widgets. Each names itself, so that a screen reader and a test find it.

mod button;
mod choice;
mod field;
mod paint;
mod section;
mod switch;

pub use button::{Button, link, tick};
pub use choice::choice;
pub use field::Field;
pub(crate) use field::{error_ui, label_ui};
pub use paint::{elided, icon, text, text_width};
pub use section::{Section, sub_heading};
pub use switch::Switch;
