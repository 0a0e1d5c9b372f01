//! How the demo server behaves: a seeded TOML script.

use serde::Deserialize;

/// The numbers of the service model. All are of one server; nothing of it is random but for `seed`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub seed: u64,
    /// The model's name in `/v1/models`.
    pub model: String,
    /// Requests that decode at once; more wait in line.
    pub slots: usize,
    /// Requests that may wait; the next one gets 503.
    pub max_waiting: usize,
    /// Prefill: fixed part and part per prompt token.
    pub prefill_ms: f64,
    pub prefill_ms_per_token: f64,
    /// One decode step with one running request, and what each further one adds.
    pub step_ms: f64,
    pub step_ms_per_running: f64,
    /// Relative spread of prefill and steps: 0.1 is ±10 %.
    pub jitter: f64,
    /// Extra time of the first request after the start.
    pub cold_ms: f64,
    /// The server is cold again after that much silence; 0 for never.
    pub cold_after_secs: f64,
    /// Share of requests that fail: half of them with 500, half in the stream.
    pub error_share: f64,
    /// Share of tokens before which the stream stalls, and for how long.
    pub stall_share: f64,
    pub stall_ms: f64,
    /// Tokens of an answer when the request does not say, and the most there can be.
    pub output_tokens: u64,
    pub max_output_tokens: u64,
    /// The first that many tokens are reasoning.
    pub reasoning_tokens: u64,
    pub tokens_per_chunk: u64,
    /// Whether `stream_options` is taken, and whether `[DONE]` ends a stream.
    pub usage: bool,
    pub done: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 1,
            model: "demo-small".to_owned(),
            slots: 8,
            max_waiting: 512,
            prefill_ms: 18.0,
            prefill_ms_per_token: 0.35,
            step_ms: 5.0,
            step_ms_per_running: 0.9,
            jitter: 0.12,
            cold_ms: 900.0,
            cold_after_secs: 0.0,
            error_share: 0.0,
            stall_share: 0.0,
            stall_ms: 250.0,
            output_tokens: 32,
            max_output_tokens: 4096,
            reasoning_tokens: 0,
            tokens_per_chunk: 1,
            usage: true,
            done: true,
        }
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the demo script is not valid TOML, or has a field that there is not: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("the demo script's `{field}` is {value}: {fix}")]
    Value {
        field: &'static str,
        value: String,
        fix: &'static str,
    },
}

impl Script {
    /// Reads a script; every field has a default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)?;
        let durations = [
            ("prefill_ms", script.prefill_ms),
            ("prefill_ms_per_token", script.prefill_ms_per_token),
            ("step_ms", script.step_ms),
            ("step_ms_per_running", script.step_ms_per_running),
            ("cold_ms", script.cold_ms),
            ("cold_after_secs", script.cold_after_secs),
            ("stall_ms", script.stall_ms),
        ];
        for (field, value) in durations {
            if !(0.0..=3_600_000.0).contains(&value) {
                return Err(ScriptError::Value {
                    field,
                    value: value.to_string(),
                    fix: "use 0 to 3600000",
                });
            }
        }
        for (field, value) in [
            ("jitter", script.jitter),
            ("error_share", script.error_share),
            ("stall_share", script.stall_share),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ScriptError::Value {
                    field,
                    value: value.to_string(),
                    fix: "use 0 to 1",
                });
            }
        }
        for (field, value) in [
            ("slots", script.slots as u64),
            ("tokens_per_chunk", script.tokens_per_chunk),
            ("output_tokens", script.output_tokens),
        ] {
            if value == 0 {
                return Err(ScriptError::Value {
                    field,
                    value: value.to_string(),
                    fix: "use at least 1",
                });
            }
        }
        Ok(script)
    }

    /// Time of one decode step in ms with that many running.
    pub(super) fn step_ms(&self, running: usize) -> f64 {
        self.step_ms + self.step_ms_per_running * running.saturating_sub(1) as f64
    }

    /// What the server can do at most.
    pub fn capacity(&self) -> String {
        let step_ms = self.step_ms(self.slots).max(1e-3);
        let tokens_per_sec = self.slots as f64 / step_ms * 1e3;
        let answer_ms = self.prefill_ms + step_ms * self.output_tokens as f64;
        let requests_per_sec = self.slots as f64 / answer_ms.max(1e-3) * 1e3;
        format!(
            "{} slots, at most {tokens_per_sec:.0} tokens/s and about {requests_per_sec:.1} requests/s of {} tokens",
            self.slots, self.output_tokens
        )
    }
}
