//! How many sockets this process may hold: the limit of open descriptors, raised once at the start.

use std::fmt;

/// Descriptors kept free for everything that is no measured connection: files, the window, DNS, scraping.
const SPARE_DESCRIPTORS: u64 = 64;
/// What macOS allows when its hard limit says “infinite” (`OPEN_MAX`, setrlimit(2)).
#[cfg(unix)]
const OPEN_MAX: u64 = 10_240;

/// Whether a load fits into this process's limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Preflight {
    /// In flight and spare.
    pub n_needed: u64,
    /// `None`: this system does not tell.
    pub limit: Option<u64>,
    /// Open already, besides what is needed; 0 where the system does not tell.
    pub n_open: u64,
}

impl Preflight {
    pub fn fits(&self) -> bool {
        self.limit
            .is_none_or(|limit| self.n_needed.saturating_add(self.n_open) <= limit)
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.n_needed.saturating_add(self.n_open);
        match self.limit {
            Some(limit) if !self.fits() => write!(
                f,
                "The load needs {needed} open descriptors, the limit is {limit}: raise it (ulimit -n) or lower the users"
            ),
            _ => write!(f, "The load needs {needed} open descriptors"),
        }
    }
}

/// Says whether `n_in_flight` connections and 64 spare descriptors fit besides those open now.
pub fn preflight(n_in_flight: u64) -> Preflight {
    Preflight {
        n_needed: n_in_flight.saturating_add(SPARE_DESCRIPTORS),
        limit: descriptor_limit(),
        n_open: open_descriptors().unwrap_or(0),
    }
}

/// Raises the soft limit to the hard one; the limit that then holds. `None` where there is none.
#[cfg(unix)]
pub fn raise_descriptor_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        // A refusal leaves the limit as it was; preflight then tells.
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(OPEN_MAX).max(soft), hard).ok();
    }
    descriptor_limit()
}

#[cfg(not(unix))]
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// The soft limit.
#[cfg(unix)]
pub fn descriptor_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE)
        .ok()
        .map(|(soft, _hard)| soft)
}

#[cfg(not(unix))]
pub fn descriptor_limit() -> Option<u64> {
    None
}

/// Open now.
#[cfg(target_os = "linux")]
pub fn open_descriptors() -> Option<u64> {
    let n = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory being read.
    u64::try_from(n).ok()?.checked_sub(1)
}

#[cfg(not(target_os = "linux"))]
pub fn open_descriptors() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n_needed: u64, n_open: u64, limit: Option<u64>, fits: bool) {
        let preflight = Preflight {
            n_needed,
            limit,
            n_open,
        };
        assert_eq!(preflight.fits(), fits);
        assert_eq!(preflight.to_string().contains("ulimit"), !fits);
    }

    #[test]
    fn the_last_descriptor_counts() {
        check(164, 20, Some(184), true);
        check(165, 20, Some(184), false);
        check(u64::MAX, 20, None, true);
        check(u64::MAX, 20, Some(u64::MAX - 1), false);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_is_counted() {
        // Other tests open and close files meanwhile: hold enough that they do not matter.
        let before = open_descriptors().unwrap();
        let files: Vec<_> = (0..200)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        assert!(open_descriptors().unwrap() >= before + 100);
        drop(files);
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        use nix::sys::resource::{Resource, getrlimit};
        let raised = raise_descriptor_limit().unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(raised == hard || raised >= OPEN_MAX, "{raised} of {hard}");
    }
}
