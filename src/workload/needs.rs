//! What prompts are made of, gathered before a run: the plan's part, files of the Hub, and what the server can do.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::domain::{
    DatasetRef, Issue, Load, Plan, Protocol, Slot, StageEnd, StageIdx, Target, TokenizerRef,
    Traced, Workload,
};

use super::hub::{Hub, HubFile};
use super::tokenizer::{ServerTokenizer, TokenizeRoute, Tokenizer};
use super::trace::{self, TraceRow};

/// All that [`super::PromptSource::make`] works on.
#[derive(Clone, Debug)]
pub struct Needs {
    pub workload: Workload,
    pub seed: u64,
    /// What the target speaks, where it is known: a picture goes into a chat's message, or into a Gradio input.
    pub protocol: Protocol,
    /// What a template has slots for; all, where another wire is spoken.
    pub carries: Carries,
    /// Requests of the run, where the plan says how many.
    pub n_max: Option<u64>,
    /// The traces that stages replay.
    pub traces: Vec<WantedTrace>,
    /// Where the server may be asked for tokens; used only when the plan says `tokenizer = "server"`.
    pub tokenize: Option<TokenizeRoute>,
    /// What happened while gathering; it goes into the run file.
    pub notes: Vec<String>,
}

/// Of a prompt, what goes into a request beside the user's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carries {
    /// What was said before, and pictures.
    pub messages: bool,
    pub system: bool,
    pub max_tokens: bool,
}

impl Carries {
    const ALL: Self = Self {
        messages: true,
        system: true,
        max_tokens: true,
    };

    pub fn of(target: &Target) -> Self {
        match &target.template {
            Some(template) if target.protocol == Protocol::Http => {
                let messages = template.has_slot(Slot::Messages);
                Self {
                    messages,
                    system: messages || template.has_slot(Slot::System),
                    max_tokens: template.has_slot(Slot::MaxTokens),
                }
            }
            _ => Self::ALL,
        }
    }
}

/// A trace, and how much of it is replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedTrace {
    pub stage: StageIdx,
    pub path: PathBuf,
    /// Requests.
    pub n_max: Option<u64>,
    /// Of the trace's own time.
    pub until_secs: Option<f64>,
}

impl WantedTrace {
    /// Leaves out what the stage does not come to.
    pub(super) fn limit(&self, rows: &mut Vec<TraceRow>) {
        let n_max = self.n_max.and_then(|n| usize::try_from(n).ok());
        let within = |row: &TraceRow| {
            let secs = row.at_ns as f64 / 1e9;
            self.until_secs.is_none_or(|until| secs <= until)
        };
        let n = rows.iter().take_while(|row| within(row)).count();
        rows.truncate(n_max.map_or(n, |most| n.min(most)).max(1));
    }
}

impl Needs {
    /// Of a workload alone.
    pub fn of_workload(workload: &Workload, seed: u64) -> Self {
        Self {
            workload: workload.clone(),
            seed,
            protocol: Protocol::Auto,
            carries: Carries::ALL,
            n_max: None,
            traces: Vec::new(),
            tokenize: None,
            notes: Vec::new(),
        }
    }

    /// Of a whole plan.
    pub fn of(plan: &Plan) -> Self {
        let mut total = plan.stages.iter().map(|stage| stage.n_requests());
        let total = total.try_fold(0_u64, |sum, n| Some(sum.saturating_add(n?)));
        let traces = plan.stages.iter().enumerate().filter_map(|(i, stage)| {
            let Load::Replay {
                replay, time_scale, ..
            } = &stage.load
            else {
                return None;
            };
            let until_secs = match stage.end {
                StageEnd::DurationSecs(secs) => Some(secs * time_scale),
                _ => None,
            };
            Some(WantedTrace {
                stage: StageIdx::from_index(i),
                path: replay.clone(),
                n_max: stage.n_requests(),
                until_secs,
            })
        });
        Self {
            n_max: total,
            carries: Carries::of(&plan.target),
            traces: traces.collect(),
            ..Self::of_workload(&plan.workload, plan.seed)
        }
    }

    /// Reads the traces, for what their stages will send and when. Blocks.
    ///
    /// # Errors
    /// What is wrong with a trace, at its stage.
    pub fn traced(plan: &Plan) -> Result<Vec<(StageIdx, Traced)>, Issue> {
        let scale = |stage: StageIdx| match plan.stage(stage).map(|s| &s.load) {
            Some(Load::Replay { time_scale, .. }) => *time_scale,
            _ => 1.0,
        };
        let wanted = Self::of(plan).traces.into_iter();
        let read = |wanted: WantedTrace| {
            let field = || format!("stages.{}.load.replay", wanted.stage.index());
            let trace = trace::read(&wanted.path);
            let mut rows = trace.map_err(|why| Issue::new(field(), why))?.rows;
            wanted.limit(&mut rows);
            let last_ns = rows.last().map_or(0, |row| row.at_ns);
            let traced = Traced {
                requests: rows.len() as f64,
                secs: last_ns as f64 / 1e9 / scale(wanted.stage),
            };
            Ok((wanted.stage, traced))
        };
        wanted.map(read).collect()
    }

    /// The plan wants the server's own tokenizer.
    pub fn wants_server(&self) -> bool {
        self.workload.tokenizer == Some(TokenizerRef::Server)
    }

    /// Fetches what the plan names of the Hub into the Hub's cache. A tokenizer that cannot be had is noted, since another
    /// can stand in for it.
    ///
    /// # Errors
    /// At `workload.dataset`, when the dataset cannot be had: what was asked, and what to do.
    pub async fn fetch(&mut self) -> Result<(), Issue> {
        let hub = Hub::from_env();
        if let Some(DatasetRef::Hub { repo, file }) = &self.workload.dataset {
            let wanted = HubFile::Dataset {
                repo: repo.clone(),
                file: file.clone(),
            };
            let fetched = hub.fetch(&wanted).await;
            fetched.map_err(|why| {
                Issue::new("workload.dataset", format!("“hf:{repo}/{file}” {why}"))
            })?;
        }
        if let Some(TokenizerRef::Hub(repo)) = &self.workload.tokenizer {
            let wanted = HubFile::Tokenizer { repo: repo.clone() };
            if let Err(why) = hub.fetch(&wanted).await {
                self.notes.push(format!("The tokenizer “hf:{repo}” {why}."));
            }
        }
        Ok(())
    }

    /// The dataset's path on this disk.
    pub(super) fn dataset_path(&self) -> Result<Option<PathBuf>, Issue> {
        match &self.workload.dataset {
            None => Ok(None),
            Some(DatasetRef::Path(path)) => Ok(Some(path.clone())),
            Some(DatasetRef::Hub { repo, file }) => {
                let wanted = HubFile::Dataset {
                    repo: repo.clone(),
                    file: file.clone(),
                };
                let cached = Hub::from_env().cached(&wanted);
                let message = || format!("“hf:{repo}/{file}” is not in the Hub's cache");
                cached
                    .map(Some)
                    .ok_or_else(|| Issue::new("workload.dataset", message()))
            }
        }
    }

    /// Lengths are asked, so that something must count tokens.
    fn makes_lengths(&self) -> bool {
        self.workload.input_tokens.is_some() || !self.traces.is_empty()
    }

    /// The tokenizer that the plan names or, where lengths are asked, the embedded one; it stands in for one of a server or
    /// of the Hub that cannot be had, and a note says so.
    pub(super) fn tokenizer(&mut self) -> Result<Option<Arc<Tokenizer>>, Issue> {
        let found = match &self.workload.tokenizer {
            None if !self.makes_lengths() => return Ok(None),
            None | Some(TokenizerRef::O200k) => Ok(Tokenizer::O200k),
            Some(TokenizerRef::Path(path)) => {
                let read = Tokenizer::from_file(path, &path.display().to_string());
                let read = read.map_err(|why| Issue::new("workload.tokenizer", why))?;
                return Ok(Some(Arc::new(read)));
            }
            Some(TokenizerRef::Hub(repo)) => Self::of_hub(repo),
            Some(TokenizerRef::Server) => self.of_server(),
        };
        Ok(Some(Arc::new(found.unwrap_or_else(|why| {
            self.notes.push(format!(
                "{why}; tokens are counted with the embedded o200k_base instead, so lengths are not the model's own."
            ));
            Tokenizer::O200k
        }))))
    }

    fn of_hub(repo: &str) -> Result<Tokenizer, String> {
        let wanted = HubFile::Tokenizer {
            repo: repo.to_owned(),
        };
        let name = format!("hf:{repo}");
        let path = Hub::from_env().cached(&wanted);
        let path =
            path.ok_or_else(|| format!("The tokenizer “{name}” is not in the Hub's cache"))?;
        Tokenizer::from_file(&path, &name).map_err(|why| format!("The tokenizer “{name}” {why}"))
    }

    fn of_server(&self) -> Result<Tokenizer, String> {
        let route = self.tokenize.clone();
        let route = route.ok_or("The target's protocol has no /tokenize")?;
        let runtime = Handle::try_current().map_err(|e| format!("No runtime is there ({e})"))?;
        let found = ServerTokenizer::find(&route, &runtime);
        let found = found.map_err(|why| format!("The tokenizer cannot be the server's: {why}"))?;
        Ok(Tokenizer::Server(Box::new(found)))
    }
}
