//! The measured HTTP client (hyper's connection API over an I/O type of our own that reads the kernel's receive stamps),
//! and [`control`], the reqwest client for everything unmeasured. Knows bytes, not JSON.

pub mod control;

mod error;
mod tls;

pub use control::{Answer, Control, Options};
pub use error::{TransportError, TransportErrorKind};
