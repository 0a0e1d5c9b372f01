//! Mixed traffic as text.

use super::issues::Issues;
use crate::domain::MixedTraffic;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrafficForm {
    pub on: bool,
    pub page_loads: String,
    pub uploads: String,
    pub downloads: String,
    /// In kB.
    pub file: String,
    /// In ms.
    pub pause: String,
}

impl TrafficForm {
    pub(super) fn of(traffic: Option<MixedTraffic>) -> Self {
        let t = traffic.unwrap_or_default();
        Self {
            on: traffic.is_some(),
            page_loads: t.page_loads.to_string(),
            uploads: t.uploads.to_string(),
            downloads: t.downloads.to_string(),
            file: (f64::from(t.file_bytes) / 1000.0).to_string(),
            pause: t.pause_ms.to_string(),
        }
    }

    pub(super) fn read(&self, issues: &mut Issues) -> Option<MixedTraffic> {
        if !self.on {
            return None;
        }
        let whole = "a whole number, as in 2";
        Some(MixedTraffic {
            page_loads: issues.number("mixed_traffic.page_loads", &self.page_loads, whole),
            uploads: issues.number("mixed_traffic.uploads", &self.uploads, whole),
            downloads: issues.number("mixed_traffic.downloads", &self.downloads, whole),
            file_bytes: self.file_bytes(issues),
            pause_ms: issues.number("mixed_traffic.pause_ms", &self.pause, whole),
        })
    }

    fn file_bytes(&self, issues: &mut Issues) -> u32 {
        const FIELD: &str = "mixed_traffic.file_bytes";
        let kb: f64 = issues.number(FIELD, &self.file, "a number of kB, as in 100");
        let bytes = (kb * 1000.0).round();
        if !(0.0..=f64::from(u32::MAX)).contains(&bytes) {
            issues.add(
                FIELD,
                format!("“{}” is too much: write kB, as in 100", self.file.trim()),
            );
            return 1;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within a u32, as just looked at"
        )]
        let whole = bytes as u32;
        whole
    }
}
