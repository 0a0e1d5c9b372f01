//! All integration tests, in one binary.
#![expect(clippy::unwrap_used, reason = "a test may stop here")]

/// Held for writing by a test that takes the whole machine, for reading by those whose outcome depends on a quiet one.
static MACHINE: std::sync::RwLock<()> = std::sync::RwLock::new(());

mod cli;
mod demo_server;
mod engine;
mod faults;
mod files;
mod flags;
mod gradio_wires;
mod layers;
mod native_wires;
mod openai_wires;
mod plans;
mod prompts;
mod real;
mod reliability;
mod steer;
mod truth;
mod vary;
mod visitors;
#[cfg(feature = "testing")]
mod window;
#[cfg(feature = "testing")]
mod window_forms;
