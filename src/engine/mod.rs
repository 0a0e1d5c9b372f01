//! Runs a plan against an adapter: when requests are sent, what became of each, and whether this machine kept up.
//!
//! Knows no files and no window. Measured I/O has a thread of its own with a current-thread runtime; records leave it
//! through a bounded queue to the recorder's thread, which hashes, counts and publishes.

mod arrivals;
mod closed;
mod conduct;
mod control;
mod driver;
mod epoch;
mod guard;
mod live;
mod outbox;

pub use conduct::CONNECT_WAVE;
pub use control::{Order, StopReason};
pub use driver::{Driver, Hints, Job, Performed};
pub use epoch::Epoch;
pub use guard::ALIKE_MAX;
pub use live::Live;
pub use outbox::OUTBOX_MAX;
