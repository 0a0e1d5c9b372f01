//! What measuring costs, beside a bare socket reader against the same server in the same run, at 512 paced streams with
//! journal and live statistics on: CPU seconds per million events, peak memory, the time from the start of the process to
//! its first request, and how true TTFT and gaps are. Then what the recorder's thread costs by itself. Prints; never fails.
//!
//! `cargo bench --no-default-features --bench cost [-- recorder|streams]` — Linux only, since it reads `/proc` and uses
//! epoll.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop where it stands"
)]

#[cfg(target_os = "linux")]
#[path = "cost/bare.rs"]
mod bare;

#[cfg(target_os = "linux")]
#[path = "cost/pace.rs"]
mod pace;

#[cfg(target_os = "linux")]
#[path = "cost/recorder.rs"]
mod recorder;

#[cfg(target_os = "linux")]
#[path = "cost/streams.rs"]
mod streams;

#[cfg(target_os = "linux")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--bare") {
        return bare::read(
            &args[at + 1],
            args[at + 2].parse().unwrap(),
            args[at + 3].parse().unwrap(),
        );
    }
    let parts: [(&str, fn()); 3] = [
        ("streams", streams::measure),
        ("recorder", recorder::measure),
        ("pace", pace::measure),
    ];
    let is_asked = |name: &str| args.iter().any(|arg| arg == name);
    let all = parts.iter().all(|(name, _)| !is_asked(name));
    for (name, measure) in parts {
        if all || is_asked(name) {
            measure();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark needs Linux: it reads /proc and uses epoll");
}
