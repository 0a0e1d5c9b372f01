//! Traffic beside the measured requests in numbers.

use std::collections::BTreeMap;

use crate::stats;

use super::super::{BesideKind, BesideRecord, BesideSummary};
use super::stage::Sorted;

#[derive(Clone, Debug, Default)]
pub(super) struct Beside(BTreeMap<BesideKind, OfKind>);

#[derive(Clone, Debug, Default)]
struct OfKind {
    failed: u64,
    first_error: Option<String>,
    ms: Sorted,
}

impl Beside {
    pub(super) fn push(&mut self, record: &BesideRecord) {
        let kind = self.0.entry(record.kind).or_default();
        if let Some(error) = &record.error {
            kind.failed += 1;
            kind.first_error.get_or_insert_with(|| error.clone());
        } else {
            let ns = record.end_ns.saturating_sub(record.start_ns);
            kind.ms.push(ns as f64 / 1e6);
        }
    }

    pub(super) fn summaries(&mut self) -> Vec<BesideSummary> {
        let summary = |(kind, of): (&BesideKind, &mut OfKind)| {
            let n = of.failed + of.ms.len() as u64;
            let sorted = of.ms.sorted();
            let at = |q| stats::nearest_rank(sorted, q);
            BesideSummary {
                kind: *kind,
                n,
                failed: of.failed,
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                first_error: of.first_error.clone(),
            }
        };
        self.0.iter_mut().map(summary).collect()
    }
}
