//! Printing that never ends the program: a closed pipe or a full disk behind stdout or stderr must not cost a run
//! (`println!` and `eprintln!` panic there).

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use super::exit;

/// Prints to stdout. Gives back the code, or 2 where stdout does not take the text.
pub(super) fn out(text: &str, code: u8) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes());
    match printed.and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::from(code),
        // The reader has seen enough, as `head` has.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(e) => {
            err(&format!("inferometer: the result cannot be printed: {e}"));
            ExitCode::from(exit::USAGE)
        }
    }
}

/// A line on stderr, if anybody takes it. It may hold a server's words.
pub(super) fn err(line: &str) {
    writeln!(std::io::stderr(), "{}", visible(line)).ok();
}

/// A part of a line on stderr.
pub(super) fn err_part(text: &str) {
    let mut stderr = std::io::stderr();
    write!(stderr, "{text}").and_then(|()| stderr.flush()).ok();
}

/// A server's text on a terminal: control and bidi characters become symbols.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}') => '\u{fffd}',
            c => c,
        })
        .collect()
}
