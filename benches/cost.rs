//! What measuring costs: CPU seconds per million events of the whole engine (journal and live statistics on) at 512 paced
//! streams, beside a bare socket reader against the same server in the same run, and peak memory. Prints; never fails.
//!
//! `cargo bench --bench cost` — Linux only, since it reads `/proc` and uses epoll.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop where it stands"
)]

#[cfg(target_os = "linux")]
#[path = "cost/bare.rs"]
mod bare;

#[cfg(target_os = "linux")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--bare") {
        Some(at) => bare::read(
            &args[at + 1],
            args[at + 2].parse().unwrap(),
            args[at + 3].parse().unwrap(),
        ),
        None => linux::main(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark needs Linux: it reads /proc and uses epoll");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use nix::sys::resource::{UsageWho, getrusage};

    const STREAMS: u32 = 512;
    const REQUESTS_EACH: u32 = 4;
    const TOKENS: u32 = 128;
    const ROUNDS: u32 = 3;

    pub(super) fn main() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script.toml");
        let text = format!(
            "slots = {STREAMS}\nmax_waiting = 4096\nprefill_ms = 50\nprefill_ms_per_token = 0\nstep_ms = 10\n\
             step_ms_per_running = 0\njitter = 0\ncold_ms = 0\n"
        );
        std::fs::write(&script, text).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_inferometer"))
            .args(["serve-demo", "--script"])
            .arg(&script)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap()
            .to_owned();
        println!("{STREAMS} streams, {REQUESTS_EACH} requests each, {TOKENS} tokens at 10 ms");
        let events = f64::from(STREAMS * REQUESTS_EACH * TOKENS) / 1e6;
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let bare = cpu_of(&mut bare_reader(&url));
            let engine = cpu_of(&mut engine(&url, folder.path(), round));
            let ratio = engine.0 / bare.0;
            ratios.push(ratio);
            println!(
                "round {}: bare reader {:.2} s CPU per 1M events, {} MB; engine {:.2} s, {} MB; ratio {ratio:.2}",
                round + 1,
                bare.0 / events,
                bare.1 / 1024,
                engine.0 / events,
                engine.1 / 1024,
            );
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "median ratio {:.2} (goal 1.35, never above 2)",
            ratios[ratios.len() / 2]
        );
        server.kill().ok();
        server.wait().ok();
    }

    fn bare_reader(url: &str) -> Child {
        let address = url.trim_start_matches("http://").trim_end_matches("/v1");
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--bare",
                address,
                &STREAMS.to_string(),
                &REQUESTS_EACH.to_string(),
            ])
            .spawn()
            .unwrap()
    }

    fn engine(url: &str, folder: &Path, round: u32) -> Child {
        let out = folder.join(format!("{round}.run.jsonl"));
        Command::new(env!("CARGO_BIN_EXE_inferometer"))
            .args([
                "run",
                "--url",
                url,
                "--protocol",
                "openai-chat",
                "--tiers",
                &STREAMS.to_string(),
            ])
            .args([
                "--requests-per-user",
                &REQUESTS_EACH.to_string(),
                "--max-tokens",
                &TOKENS.to_string(),
                "--quiet",
                "--json",
                "-o",
            ])
            .arg(out)
            .env("INFEROMETER_HOME", folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// CPU seconds of a child and its peak memory in kB, once it has ended.
    fn cpu_of(child: &mut Child) -> (f64, u64) {
        let secs = || {
            let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
            let of = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
            of(usage.user_time()) + of(usage.system_time())
        };
        let (before, mut peak) = (secs(), 0);
        let status = format!("/proc/{}/status", child.id());
        while child.try_wait().unwrap().is_none() {
            let held = std::fs::read_to_string(&status).unwrap_or_default();
            let line = held.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = line
                .and_then(|kb| kb.split_whitespace().next()?.parse().ok())
                .unwrap_or(peak);
            std::thread::sleep(Duration::from_millis(50));
        }
        (secs() - before, peak)
    }
}
