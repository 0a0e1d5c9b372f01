//! A run's first line: what is run, by what and where.

use std::sync::Arc;

use crate::domain::{Environment, Plan, RunHead, SCHEMA, ServerFacts};
use crate::transport::Clock;

/// The run's first line, but for what it is a variation of.
pub(super) fn head(plan: &Arc<Plan>, server: ServerFacts, clock: &Clock) -> RunHead {
    let started_unix_ns = clock.epoch_unix_ns();
    let started = jiff::Timestamp::from_nanosecond(i128::from(started_unix_ns)).unwrap_or_default();
    RunHead {
        schema: SCHEMA,
        id: format!("{started_unix_ns:x}-{:x}", std::process::id()),
        tool: concat!("inferometer ", env!("CARGO_PKG_VERSION")).to_owned(),
        started: started
            .to_zoned(jiff::tz::TimeZone::system())
            .to_string_rfc3339(),
        started_unix_ns,
        label: plan.label.clone(),
        tags: plan.tags.clone(),
        notes: String::new(),
        plan: (**plan).clone(),
        environment: environment(),
        server,
        variation: None,
        workload: crate::domain::WorkloadFacts::default(),
    }
}

fn environment() -> Environment {
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing()
            .with_cpu(sysinfo::CpuRefreshKind::nothing())
            .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    )
    .ok();
    let cpus = system.as_ref().map_or(&[][..], sysinfo::System::cpus);
    Environment {
        os: sysinfo::System::long_os_version()
            .unwrap_or_else(|_unknown| std::env::consts::OS.to_owned()),
        cpu: cpus
            .first()
            .map(|cpu| cpu.brand().to_owned())
            .unwrap_or_default(),
        cores: u32::try_from(cpus.len()).unwrap_or(0),
        memory_bytes: system.as_ref().map_or(0, sysinfo::System::total_memory),
        max_files: crate::transport::limits::descriptor_limit(),
    }
}

/// RFC 3339, without the zone's name that other tools do not read.
pub(super) trait Rfc3339 {
    fn to_string_rfc3339(&self) -> String;
}

impl Rfc3339 for jiff::Zoned {
    fn to_string_rfc3339(&self) -> String {
        self.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }
}
