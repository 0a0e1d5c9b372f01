#![doc = include_str!("ARCHITECTURE.md")]

pub mod stats;

pub mod domain;

pub mod chart;

pub mod transport;

pub mod protocol;

pub mod workload;

pub mod engine;

pub mod store;

pub mod demo;

pub mod session;

pub mod cli;

#[cfg(feature = "gui")]
pub mod app;
