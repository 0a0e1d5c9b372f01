//! The `data` of every request as text, so that only the prompts are written anew.

use serde_json::Value;

use crate::domain::Prompt;

/// `data` of every request, written once except for the prompts.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    System { otherwise: String },
    User,
}

impl Template {
    pub(super) fn render(&self, prompt: &Prompt) -> String {
        let mut data = String::new();
        for piece in &self.pieces {
            match (piece, &prompt.system) {
                (Piece::Text(text), _) => data.push_str(text),
                (Piece::System { .. }, Some(system)) => push_json(&mut data, system),
                (Piece::System { otherwise }, None) => data.push_str(otherwise),
                (Piece::User, _) => push_json(&mut data, &prompt.user),
            }
        }
        data
    }
}

fn push_json(data: &mut String, text: &str) {
    data.push_str(&Value::from(text).to_string());
}
