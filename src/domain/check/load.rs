//! What is wrong with stages, their loads and the traffic beside them.

use super::super::{
    Load, MAX_RATE, MAX_REQUESTS, MAX_STAGES, MAX_USERS, MixedTraffic, Over, Ramp, Stage, StageEnd,
};
use super::{Found, Zero};

impl Stage {
    pub(super) fn check_into(&self, i: usize, found: &mut Found) {
        self.load.check_into(&format!("stages.{i}.load"), found);
        let too_many = self.n_requests().is_some_and(|n| n > MAX_REQUESTS);
        match self.end {
            StageEnd::Requests(n) if too_many => {
                let message = format!("“{n}” is above {MAX_REQUESTS}");
                found.add(format!("stages.{i}.requests"), message);
            }
            StageEnd::RequestsPerUser(n) => self.check_per_user(i, n.get(), too_many, found),
            StageEnd::DurationSecs(secs) => {
                found.secs(format!("stages.{i}.duration_secs"), secs, Zero::Refused);
            }
            StageEnd::WholeTrace(is_whole) => {
                if !is_whole || !matches!(self.load, Load::Replay { .. }) {
                    let message = "goes with a replay only, and is always true: give requests or duration_secs";
                    found.add(format!("stages.{i}.whole_trace"), message);
                }
            }
            StageEnd::Requests(_) => {}
        }
        self.check_ramp_has_time(i, found);
    }

    fn check_per_user(&self, i: usize, n: u32, too_many: bool, found: &mut Found) {
        let field = format!("stages.{i}.requests_per_user");
        if !matches!(self.load.over(), Some(Over::Users)) {
            let message = "goes with users only: give requests in all, or duration_secs";
            found.add(field, message);
        } else if too_many {
            let users = self.load.max_in_flight();
            let message = format!("“{n}” for each of {users} users is above {MAX_REQUESTS}");
            found.add(field, message);
        }
    }

    fn check_ramp_has_time(&self, i: usize, found: &mut Found) {
        let Load::Closed { ramp: Some(_), .. } = self.load else {
            return;
        };
        if !matches!(self.end, StageEnd::DurationSecs(_)) {
            let message = "needs a stage with duration_secs, over which it grows";
            found.add(format!("stages.{i}.load.ramp"), message);
        }
    }
}

impl Load {
    pub(super) fn check_into(&self, field: &str, found: &mut Found) {
        let users = |name: &str, n: u32, found: &mut Found| {
            if u64::from(n) > MAX_USERS {
                found.add(
                    format!("{field}.{name}"),
                    format!("“{n}” is above {MAX_USERS}"),
                );
            }
        };
        let limit = |n: &Option<std::num::NonZeroU32>, found: &mut Found| {
            if let Some(n) = n {
                users("max_in_flight", n.get(), found);
            }
        };
        match self {
            Self::Closed { users: n, ramp, .. } => {
                users("users", n.get(), found);
                check_ramp(field, ramp.as_ref(), f64::from(n.get()), "users", found);
            }
            Self::Open {
                rate,
                ramp,
                max_in_flight,
                ..
            } => {
                check_rate(&format!("{field}.rate"), *rate, found);
                check_ramp(field, ramp.as_ref(), *rate, "rate", found);
                limit(max_in_flight, found);
            }
            Self::Replay {
                replay,
                time_scale,
                max_in_flight,
                ..
            } => {
                if replay.as_os_str().is_empty() {
                    let message = "is empty: name a trace (CSV or JSONL) or a run file";
                    found.add(format!("{field}.replay"), message);
                }
                if !(*time_scale > 0.0 && *time_scale <= 1e6) {
                    let message = format!("“{time_scale}” must be above 0 and at most 1000000");
                    found.add(format!("{field}.time_scale"), message);
                }
                limit(max_in_flight, found);
            }
            Self::Sweep {
                steps, max_users, ..
            } => {
                users("max_users", max_users.get(), found);
                if steps.get() as usize >= MAX_STAGES {
                    let message = format!("“{steps}” must be at most {}", MAX_STAGES - 1);
                    found.add(format!("{field}.steps"), message);
                }
            }
            Self::Search {
                over, from, max, ..
            } => {
                let most = match over {
                    Over::Rate => MAX_RATE,
                    Over::Users => MAX_USERS as f64,
                };
                let least = match over {
                    Over::Rate => f64::MIN_POSITIVE,
                    Over::Users => 1.0,
                };
                if !(*from >= least && *max >= *from && *max <= most) {
                    let message = format!(
                        "from “{from}” to “{max}” is no range of {}: it must go up from above 0, and not above {most}",
                        over.unit()
                    );
                    found.add(format!("{field}.max"), message);
                }
            }
        }
    }
}

fn check_rate(field: &str, rate: f64, found: &mut Found) {
    if !(rate > 0.0 && rate <= MAX_RATE) {
        let message =
            format!("“{rate}” must be above 0 and at most {MAX_RATE} requests per second");
        found.add(field, message);
    }
}

fn check_ramp(field: &str, ramp: Option<&Ramp>, level: f64, name: &str, found: &mut Found) {
    if let Some(ramp) = ramp
        && (ramp.to - level).abs() > level * 1e-9
    {
        let message = format!(
            "“{ramp}” ends at {} but {name} is {level}: make them the same",
            ramp.to
        );
        found.add(format!("{field}.ramp"), message);
    }
}

impl MixedTraffic {
    pub(super) fn check_into(&self, found: &mut Found) {
        for (field, n) in [
            ("mixed_traffic.page_loads", self.page_loads),
            ("mixed_traffic.uploads", self.uploads),
            ("mixed_traffic.downloads", self.downloads),
        ] {
            found.count(field, n, 0, MAX_VISITORS);
        }
        if self.page_loads + self.uploads + self.downloads == 0 {
            let message =
                "has no visitors: give page_loads, uploads or downloads, or leave the table out";
            found.add("mixed_traffic", message);
        }
        found.count(
            "mixed_traffic.file_bytes",
            self.file_bytes,
            1,
            MAX_BESIDE_BYTES,
        );
        found.count("mixed_traffic.pause_ms", self.pause_ms, 0, 3_600_000);
    }
}

/// The most visitors of a kind beside the measured requests, and the largest file that one uploads.
pub const MAX_VISITORS: u32 = 1_000;
pub const MAX_BESIDE_BYTES: u32 = 100_000_000;
