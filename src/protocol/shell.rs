//! A command line as a POSIX shell splits it, for pasted commands. Nothing is run or expanded: `$NAME` stays `$NAME`.

/// The words of the first command of a text: up to a pipe, `;`, `&`, a redirection or an unescaped line end.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => {}
                // A line break from Windows.
                Some('\r') => {
                    chars.next_if_eq(&'\n');
                }
                Some(next) => word.get_or_insert_default().push(next),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|&c| c != '\''));
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default()),
            '$' if chars.next_if_eq(&'\'').is_some() => {
                ansi_quoted(&mut chars, word.get_or_insert_default());
            }
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\n' => {
                words.extend(word.take());
                if !words.is_empty() {
                    break;
                }
            }
            '|' | ';' | '&' | '>' | '<' => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn double_quoted(chars: &mut Chars<'_>, word: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '"' => return,
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(next @ ('$' | '`' | '"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
            },
            _ => word.push(c),
        }
    }
}

/// `$'…'`, as browsers copy bodies with quotes or line breaks.
fn ansi_quoted(chars: &mut Chars<'_>, word: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '\'' => return,
            '\\' => match chars.next() {
                Some('n') => word.push('\n'),
                Some('r') => word.push('\r'),
                Some('t') => word.push('\t'),
                Some('x') => word.extend(code_point(chars, 2)),
                Some('u') => word.extend(utf16_escape(chars)),
                Some('U') => word.extend(code_point(chars, 8)),
                Some(next) => word.push(next),
                None => return,
            },
            _ => word.push(c),
        }
    }
}

fn hex(chars: &mut Chars<'_>, max_digits: usize) -> u32 {
    let mut value = 0;
    for _ in 0..max_digits {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) else {
            break;
        };
        value = value * 16 + digit;
        chars.next();
    }
    value
}

fn code_point(chars: &mut Chars<'_>, max_digits: usize) -> Option<char> {
    char::from_u32(hex(chars, max_digits))
}

/// Browsers write characters beyond the BMP as two `\u` escapes.
fn utf16_escape(chars: &mut Chars<'_>) -> Option<char> {
    let high = hex(chars, 4);
    if !(0xD800..0xDC00).contains(&high) {
        return char::from_u32(high);
    }
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return None;
    }
    let low = hex(chars, 4).checked_sub(0xDC00)?;
    char::from_u32(0x10000 + ((high - 0xD800) << 10) + low)
}

/// A text as one single-quoted word.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{quote, words};

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text), expected, "{text}");
    }

    #[test]
    fn quotes_and_escapes() {
        check(
            r#"a 'b c' "d \"e\" \n $X" f\ g ''"#,
            &["a", "b c", "d \"e\" \\n $X", "f g", ""],
        );
        check("a \\\n  b \\\r\n c\nd", &["a", "b", "c"]);
        check("curl x | jq .", &["curl", "x"]);
        check("curl 'a|b;c' ; ls", &["curl", "a|b;c"]);
        check(r"$'it\'s\n\u00e9 \ud83d\ude00\x41'", &["it's\né 😀A"]);
        check("a'b'\"c\"d", &["abcd"]);
        check("'open", &["open"]);
        check("\n\ncurl x", &["curl", "x"]);
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_one_word(text in "[^\r]*") {
            prop_assert_eq!(words(&quote(&text)), vec![text]);
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            words(&text);
        }
    }
}
