//! The measured HTTP client (hyper's connection API over an I/O type of our own that reads the kernel's receive stamps),
//! and [`control`], the reqwest client for everything unmeasured. Knows bytes, not JSON.

pub mod control;
pub mod limits;

mod clock;
mod connect;
mod connection;
mod decode;
mod drive;
mod error;
mod route;
mod stamped;
mod tls;
mod wire;

pub use clock::Clock;
pub use connect::{ConnectTimes, Connector};
pub use connection::{Chunk, Connection, RequestMarks, ResponseHead};
pub use control::{Answer, Control, Options};
pub use error::{TransportError, TransportErrorKind};
pub use route::{HttpVersion, Route};
pub use stamped::Mark;

/// How both clients name themselves.
const USER_AGENT: &str = concat!("inferometer/", env!("CARGO_PKG_VERSION"));
