//! One request's text.

use std::sync::Arc;

use serde_json::Value;

/// What one request asks; made before the clock starts, but for what the model itself answered before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prompt {
    pub system: Option<Arc<str>>,
    /// The conversation before this turn, oldest first.
    pub history: Arc<[Turn]>,
    pub user: Arc<str>,
    /// Pictures that go with the user's text.
    pub images: Arc<[ImageData]>,
    /// The most tokens of this request's answer, instead of the workload's.
    pub output_tokens: Option<u32>,
    /// Tokens that the prompt was made to have, where it was.
    pub input_tokens: Option<u32>,
    /// Gradio: an array is the whole `data`, an object sets inputs by their names.
    pub payload: Option<Arc<Value>>,
}

impl Prompt {
    /// One user's text and nothing else.
    pub fn of(user: impl Into<Arc<str>>) -> Self {
        Self {
            user: user.into(),
            ..Self::default()
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub text: Arc<str>,
}

/// Who said it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    User,
    Assistant,
}

impl Role {
    /// As chat protocols name it.
    pub fn id(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A picture as it is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageData {
    /// `image/png`.
    pub mime: Arc<str>,
    /// The file's bytes in base64, without line breaks.
    pub base64: Arc<str>,
}
