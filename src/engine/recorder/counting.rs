//! What the server did not count, counted by the plan's tokenizer: on the recorder's thread, never on the measuring one.

use crate::domain::{RequestRecord, TokenSource};
use crate::workload::Tokenizer;

/// Counts the answer's tokens in the place of its chunks or characters. An answer of which some went to reasoning or tool
/// calls is left as it is, since their text is not kept.
pub(super) fn count_answer(record: &mut RequestRecord, answer: &str, counter: Option<&Tokenizer>) {
    let is_guess = matches!(
        record.token_source,
        Some(TokenSource::Chunks | TokenSource::Estimate)
    );
    let is_all_answer = record.first_token_ns == record.first_answer_ns;
    let Some(counter) = counter.filter(|_| is_guess && is_all_answer && !answer.is_empty()) else {
        return;
    };
    if let Ok(n) = counter.count(answer) {
        record.tokens_out = Some(n as u64);
        record.token_source = Some(TokenSource::Tokenizer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::{bare, streamed};

    fn counted(source: Option<TokenSource>, change: fn(&mut RequestRecord)) -> RequestRecord {
        let mut record = streamed(0, 1.0, 2.0, &[3.0]);
        record.first_answer_ns = record.first_token_ns;
        record.tokens_out = Some(7);
        record.token_source = source;
        change(&mut record);
        count_answer(&mut record, "hello world", Some(&Tokenizer::O200k));
        record
    }

    #[test]
    fn only_guesses_are_counted_anew() {
        for guess in [TokenSource::Chunks, TokenSource::Estimate] {
            let record = counted(Some(guess), |_| ());
            assert_eq!(record.tokens_out, Some(2));
            assert_eq!(record.token_source, Some(TokenSource::Tokenizer));
        }
        for kept in [Some(TokenSource::Usage), None] {
            let record = counted(kept, |_| ());
            assert_eq!((record.tokens_out, record.token_source), (Some(7), kept));
        }
        let reasoned = counted(Some(TokenSource::Chunks), |r| {
            r.first_answer_ns = r.first_token_ns.map(|ns| ns + 1);
        });
        assert_eq!(reasoned.tokens_out, Some(7));
        let mut record = bare(0, 0, 1);
        record.token_source = Some(TokenSource::Estimate);
        count_answer(&mut record, "hello world", None);
        assert_eq!(record.token_source, Some(TokenSource::Estimate));
    }
}
