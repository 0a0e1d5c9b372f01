//! All integration tests, in one binary.
#![expect(clippy::unwrap_used, reason = "a test may stop here")]

mod cli;
mod demo_server;
mod engine;
mod faults;
mod files;
mod gradio_wires;
mod layers;
mod openai_wires;
mod plans;
mod real;
mod reliability;
mod truth;
#[cfg(feature = "testing")]
mod window;
#[cfg(feature = "testing")]
mod window_forms;
