//! Rows of the library: filtered, sorted, ticked. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::measure::model::values_of;
use crate::domain::{MetricId, RunEntry, StageSummary, Summary, Variation};
use crate::stats::least_n;

/// The column that sorts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SortBy {
    #[default]
    Date,
    Label,
    Target,
    P50,
    P95,
    OutputRate,
    Verdict,
}

/// The library view's state.
#[derive(Clone, Debug)]
pub struct Library {
    pub folder: Option<PathBuf>,
    pub query: String,
    /// Only runs with this tag.
    pub tag: Option<String>,
    pub metric: MetricId,
    pub sort: SortBy,
    pub descending: bool,
    /// The run whose details are shown.
    pub selected: Option<PathBuf>,
    /// Texts under edit for the selected run.
    pub notes_edit: String,
    pub label_edit: String,
    pub tag_edit: String,
    pub adding_tag: bool,
    /// Load this file's plan as soon as it is open.
    pub load_plan_of: Option<PathBuf>,
    entries: Vec<RunEntry>,
    /// Runs that were opened from another place than the folder.
    elsewhere: Vec<RunEntry>,
    rows: Vec<Row>,
    ticked: BTreeSet<PathBuf>,
    version: u64,
    built: Option<BuiltFor>,
    shown: Arc<[usize]>,
}

/// What the shown rows were worked out for.
#[derive(Clone, Debug, PartialEq)]
struct BuiltFor {
    version: u64,
    query: String,
    tag: Option<String>,
    metric: MetricId,
    sort: SortBy,
    descending: bool,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            folder: None,
            query: String::new(),
            tag: None,
            metric: MetricId::Ttft,
            sort: SortBy::Date,
            descending: true,
            selected: None,
            notes_edit: String::new(),
            label_edit: String::new(),
            tag_edit: String::new(),
            adding_tag: false,
            load_plan_of: None,
            entries: Vec::new(),
            elsewhere: Vec::new(),
            rows: Vec::new(),
            ticked: BTreeSet::new(),
            version: 0,
            built: None,
            shown: Arc::from([]),
        }
    }
}

/// What a run amounts to, in one word.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    Valid,
    Cautions(usize),
    Invalid,
    Interrupted,
    /// The file cannot be read; why.
    Unreadable(String),
}

impl Verdict {
    pub fn of(entry: &RunEntry) -> Self {
        if let Some(error) = &entry.error {
            return Self::Unreadable(error.clone());
        }
        match &entry.summary {
            None => Self::Interrupted,
            Some(s) if s.verdict.is_interrupted() => Self::Interrupted,
            Some(s) if !s.verdict.valid => Self::Invalid,
            Some(s) if s.cautions.is_empty() => Self::Valid,
            Some(s) => Self::Cautions(s.cautions.len()),
        }
    }

    /// As the table says it.
    pub fn word(&self) -> String {
        match self {
            Self::Valid => "Valid".to_owned(),
            Self::Cautions(1) => "1 caution".to_owned(),
            Self::Cautions(n) => format!("{n} cautions"),
            Self::Invalid => "Invalid".to_owned(),
            Self::Interrupted => "Interrupted".to_owned(),
            Self::Unreadable(_) => "Unreadable".to_owned(),
        }
    }

    /// As the details say it.
    pub fn badge(&self) -> String {
        match self {
            Self::Cautions(_) => format!("Valid, {}", self.word()),
            _ => self.word(),
        }
    }
}

/// One run, as the table shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub path: PathBuf,
    /// `21 Nov 14:18`.
    pub date: String,
    pub label: String,
    pub target: String,
    pub load: String,
    pub p50: Option<f64>,
    /// `None` too where there are too few requests for it.
    pub p95: Option<f64>,
    pub output_rate: Option<f64>,
    /// p50 by stage.
    pub by_stage: Vec<f64>,
    pub tags: Vec<String>,
    /// `2/6 64`: which run of a varied plan it is.
    pub variation: String,
    pub verdict: Verdict,
    started_unix_ns: i64,
}

impl Library {
    /// Takes what the folder holds; runs opened from elsewhere stay in the list.
    pub fn set_entries(&mut self, entries: Vec<RunEntry>) {
        self.entries = entries;
        let of_folder: BTreeSet<&PathBuf> = self.entries.iter().map(|e| &e.path).collect();
        self.elsewhere.retain(|e| !of_folder.contains(&e.path));
        self.entries.extend(self.elsewhere.iter().cloned());
        self.version += 1;
        let known: BTreeSet<&PathBuf> = self.entries.iter().map(|e| &e.path).collect();
        self.ticked.retain(|p| known.contains(p));
        if self.selected.as_ref().is_some_and(|p| !known.contains(p)) {
            self.selected = None;
        }
        if self.tag.as_ref().is_some_and(|t| !self.tags().contains(t)) {
            self.tag = None;
        }
    }

    /// Takes a run that was opened: one that is not in the folder stands in the list from now on.
    pub fn add_opened(&mut self, entry: RunEntry) {
        if self.entry(&entry.path).is_none() {
            self.elsewhere.push(entry.clone());
            self.entries.push(entry);
            self.version += 1;
        }
    }

    /// The run was deleted.
    pub fn forget(&mut self, path: &Path) {
        self.elsewhere.retain(|e| e.path != path);
    }

    pub fn entries(&self) -> &[RunEntry] {
        &self.entries
    }

    pub fn entry(&self, path: &Path) -> Option<&RunEntry> {
        self.entries.iter().find(|e| e.path == path)
    }

    /// Tags in use, most used first.
    pub fn tags(&self) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for tag in self.entries.iter().flat_map(|e| &e.tags) {
            *counts.entry(tag).or_default() += 1;
        }
        let mut tags: Vec<(&str, usize)> = counts.into_iter().collect();
        tags.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        tags.into_iter().map(|(tag, _)| tag.to_owned()).collect()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.bytes).sum()
    }

    /// The rows to show, worked out anew only when something they depend on changed.
    pub fn rows(&mut self) -> Vec<&Row> {
        let wanted = BuiltFor {
            version: self.version,
            query: self.query.clone(),
            tag: self.tag.clone(),
            metric: self.metric,
            sort: self.sort,
            descending: self.descending,
        };
        if self.built.as_ref() != Some(&wanted) {
            self.build();
            self.built = Some(wanted);
        }
        self.shown
            .iter()
            .filter_map(|i| self.rows.get(*i))
            .collect()
    }

    fn build(&mut self) {
        let rows = self.entries.iter().map(|e| Row::of(e, self.metric));
        self.rows = rows.collect();
        let words: Vec<String> = self
            .query
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let matches = |i: &usize| {
            let has_tag = |t: &String| self.entries[*i].tags.contains(t);
            self.tag.as_ref().is_none_or(has_tag) && is_found(&self.entries[*i], &words)
        };
        let mut shown: Vec<usize> = (0..self.rows.len()).filter(matches).collect();
        shown.sort_by(|a, b| compare(&self.rows[*a], &self.rows[*b], self.sort, self.descending));
        self.shown = shown.into();
    }

    /// Sorts by a column; by the same again turns it round.
    pub fn sort_by(&mut self, column: SortBy) {
        if self.sort == column {
            self.descending = !self.descending;
        } else {
            self.sort = column;
            self.descending = column == SortBy::Date;
        }
    }

    /// Changes with every change of the entries.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Varied plans with a run in the library: their group and the label of one of its runs, newest first.
    pub fn groups(&self) -> Vec<(String, String)> {
        let mut entries: Vec<&RunEntry> = self.entries.iter().collect();
        entries.sort_by_key(|e| std::cmp::Reverse(e.started_unix_ns));
        let mut groups: Vec<(String, String)> = Vec::new();
        for entry in entries {
            if let Some(variation) = &entry.variation
                && groups.iter().all(|(id, _)| *id != variation.group)
            {
                let words = match entry.label.as_str() {
                    "" => varied_fields(variation),
                    label => label.to_owned(),
                };
                let words = format!("{words}, {}", short_date(&entry.started));
                groups.push((variation.group.clone(), words));
            }
        }
        groups
    }

    /// The runs of a varied plan that are in the library, in the order of the plan.
    pub fn runs_of<'a>(&'a self, group: &'a str) -> Vec<&'a RunEntry> {
        let of = |e: &&RunEntry| e.variation.as_ref().is_some_and(|v| v.group == group);
        let mut runs: Vec<&RunEntry> = self.entries.iter().filter(of).collect();
        runs.sort_by_key(|e| e.variation.as_ref().map(|v| v.index));
        runs
    }

    /// The group of which all ticked runs are.
    pub fn ticked_group(&self) -> Option<String> {
        let ticked = self
            .entries
            .iter()
            .filter(|e| self.ticked.contains(&e.path));
        let mut groups = ticked.map(|e| e.variation.as_ref().map(|v| &v.group));
        let first = groups.next()??;
        groups.all(|g| g == Some(first)).then(|| first.clone())
    }

    pub fn is_ticked(&self, path: &Path) -> bool {
        self.ticked.contains(path)
    }

    pub fn tick(&mut self, path: &Path, on: bool) {
        if on {
            self.ticked.insert(path.to_owned());
        } else {
            self.ticked.remove(path);
        }
    }

    pub fn n_ticked(&self) -> usize {
        self.ticked.len()
    }

    /// The ticked runs in the order they were made: A is the older one.
    pub fn ticked_oldest_first(&self) -> Vec<PathBuf> {
        let mut ticked: Vec<&RunEntry> = self
            .entries
            .iter()
            .filter(|e| self.ticked.contains(&e.path))
            .collect();
        ticked.sort_by_key(|e| e.started_unix_ns);
        ticked.into_iter().map(|e| e.path.clone()).collect()
    }

    /// Chooses the run whose details are shown.
    pub fn select(&mut self, path: &Path) {
        if let Some(entry) = self.entries.iter().find(|e| e.path == path) {
            self.notes_edit.clone_from(&entry.notes);
            self.label_edit.clone_from(&entry.label);
            self.tag_edit.clear();
            self.adding_tag = false;
            self.selected = Some(path.to_owned());
        }
    }

    /// Changes what a person wrote, at once; the file follows.
    pub(crate) fn annotate(
        &mut self,
        path: &Path,
        label: Option<&str>,
        tags: Option<&[String]>,
        notes: Option<&str>,
    ) {
        let (of_folder, elsewhere) = (self.entries.iter_mut(), self.elsewhere.iter_mut());
        for entry in of_folder.chain(elsewhere).filter(|e| e.path == path) {
            write_on(entry, label, tags, notes);
        }
        self.version += 1;
    }
}

fn write_on(
    entry: &mut RunEntry,
    label: Option<&str>,
    tags: Option<&[String]>,
    notes: Option<&str>,
) {
    if let Some(label) = label {
        label.clone_into(&mut entry.label);
    }
    if let Some(tags) = tags {
        tags.clone_into(&mut entry.tags);
    }
    if let Some(notes) = notes {
        notes.clone_into(&mut entry.notes);
    }
}

/// `max_tokens, model varied`.
fn varied_fields(variation: &Variation) -> String {
    let fields = variation.values.keys();
    let short = fields.map(|f| f.rsplit('.').next().unwrap_or(f));
    format!("{} varied", short.collect::<Vec<_>>().join(", "))
}

fn is_found(entry: &RunEntry, words: &[String]) -> bool {
    let mut text = format!(
        "{} {} {} {} {} {} {} {}",
        entry.label,
        entry
            .variation
            .as_ref()
            .map(variation_words)
            .unwrap_or_default(),
        entry.target,
        entry.load,
        entry.notes,
        entry.server.name,
        entry.server.model.as_deref().unwrap_or_default(),
        entry.tags.join(" "),
    )
    .to_lowercase();
    text.push_str(&entry.path.to_string_lossy().to_lowercase());
    words.iter().all(|w| text.contains(w.as_str()))
}

/// Unknown values stand last, whichever way the column is turned.
fn compare(a: &Row, b: &Row, sort: SortBy, descending: bool) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let turn = |o: Ordering| if descending { o.reverse() } else { o };
    let number = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => turn(a.total_cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let text = |a: &str, b: &str| turn(a.to_lowercase().cmp(&b.to_lowercase()));
    let first = match sort {
        SortBy::Date => turn(a.started_unix_ns.cmp(&b.started_unix_ns)),
        SortBy::Label => text(&a.label, &b.label),
        SortBy::Target => text(&a.target, &b.target),
        SortBy::P50 => number(a.p50, b.p50),
        SortBy::P95 => number(a.p95, b.p95),
        SortBy::OutputRate => number(a.output_rate, b.output_rate),
        SortBy::Verdict => turn(a.verdict.cmp(&b.verdict)),
    };
    first.then_with(|| b.started_unix_ns.cmp(&a.started_unix_ns))
}

impl Row {
    pub(super) fn of(entry: &RunEntry, metric: MetricId) -> Self {
        let stages = entry.summary.as_deref().map_or(&[][..], |s| &s.stages);
        let spoken_of = entry.summary.as_deref().and_then(Summary::spoken_of);
        let best = spoken_of.and_then(|at| stages.get(at.index()));
        let of_best = best.and_then(|s| s.metric(metric));
        let p50_of = |s: &StageSummary| s.metric(metric).and_then(|d| d.p50);
        Self {
            path: entry.path.clone(),
            date: short_date(&entry.started),
            label: name_words(&entry.label, entry.variation.as_ref()),
            target: target_words(entry),
            load: load_of(entry),
            p50: of_best.and_then(|d| d.p50),
            p95: of_best.filter(|d| d.n >= least_n(0.95)).and_then(|d| d.p95),
            output_rate: best.and_then(|s| s.output_token_rate),
            by_stage: stages.iter().filter_map(p50_of).collect(),
            tags: entry.tags.clone(),
            variation: entry
                .variation
                .as_ref()
                .map(|v| match entry.label.as_str() {
                    // Its values are its name.
                    "" => format!("run {} of {}", v.index + 1, v.of),
                    _ => variation_words(v),
                })
                .unwrap_or_default(),
            verdict: Verdict::of(entry),
            started_unix_ns: entry.started_unix_ns,
        }
    }
}

/// What was varied stands by the name.
fn load_of(entry: &RunEntry) -> String {
    let plain = entry.load.split_once("; ").map(|(load, _)| load);
    let plain = plain.filter(|_| entry.variation.is_some());
    plain.unwrap_or(&entry.load).to_owned()
}

/// What a run is called: by its label, else by the values of the varied plan that it is a run of.
pub(crate) fn name_words(label: &str, variation: Option<&Variation>) -> String {
    let values = variation.map(values_of).unwrap_or_default();
    match (label, values.as_str()) {
        ("", "") => "unnamed".to_owned(),
        ("", _) => values,
        (label, _) => label.to_owned(),
    }
}

/// `2/6 max_tokens 64, model b`.
fn variation_words(variation: &Variation) -> String {
    let place = format!("{}/{}", variation.index + 1, variation.of);
    format!("{place} {}", values_of(variation))
}

/// The server's name and address: a whole URL would not fit its column.
fn target_words(entry: &RunEntry) -> String {
    let address = crate::app::state::address_of(&entry.target);
    let words = format!("{} {address}", entry.server.name);
    words.trim().to_owned()
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `21 Nov  14:18` of an RFC 3339 time.
pub(crate) fn short_date(rfc3339: &str) -> String {
    match date_parts(rfc3339) {
        Some((_, day, month, time)) => format!("{day} {month}  {time}"),
        None => rfc3339.to_owned(),
    }
}

/// `21 Nov 2026, 14:18`.
pub(crate) fn long_date(rfc3339: &str) -> String {
    match date_parts(rfc3339) {
        Some((year, day, month, time)) => format!("{day} {month} {year}, {time}"),
        None => rfc3339.to_owned(),
    }
}

fn date_parts(rfc3339: &str) -> Option<(&str, &str, &'static str, &str)> {
    let (date, time) = rfc3339.split_once('T')?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = month.parse::<usize>().ok()?.checked_sub(1)?;
    Some((year, day, MONTHS.get(month)?, time.get(..5)?))
}
