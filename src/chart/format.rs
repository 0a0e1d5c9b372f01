//! Numbers as a person reads them (`look/tokens.md` section 3): three significant digits, U+202F between thousands,
//! U+2212 for minus, `–` for unknown.

/// Unknown, or none.
pub const UNKNOWN: &str = "–";
const THIN_SPACE: char = '\u{202f}';
const MINUS: char = '\u{2212}';

/// With a fixed number of decimals, thousands apart.
pub fn decimals(value: f64, n_decimals: usize) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let text = format!("{:.n_decimals$}", value.abs());
    let (whole, rest) = match text.find('.') {
        Some(dot) => text.split_at(dot),
        None => (text.as_str(), ""),
    };
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let mut out = String::new();
    if value < 0.0 && !is_zero {
        out.push(MINUS);
    }
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(THIN_SPACE);
        }
        out.push(c);
    }
    out.push_str(rest);
    out
}

/// A whole number: `1 500`.
pub fn count(value: f64) -> String {
    decimals(value, 0)
}

/// Three significant digits without trailing zeros after the point: `0.123`, `4 031`, `38.2`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    let n_decimals = if size >= 99.95 {
        0
    } else if size >= 9.995 {
        1
    } else if size >= 0.995 || size == 0.0 {
        2
    } else {
        let lead = -size.log10().floor();
        // At most 9 places: below that it is 0 to any reader.
        if lead > 7.0 { 9 } else { digits(lead) + 2 }
    };
    trim_zeros(decimals(value, n_decimals))
}

fn digits(lead: f64) -> usize {
    (1..=9)
        .find(|n| f64::from(*n) >= lead)
        .unwrap_or(9)
        .try_into()
        .unwrap_or(9)
}

fn trim_zeros(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `6.6 ms`, `184 ms`, `1.59 s`, `12.3 s`: below 10 ms one decimal, from 1 s two, from 10 s one.
pub fn ms(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    if size >= 99_950.0 {
        format!("{} s", decimals(value / 1e3, 0))
    } else if size >= 9_995.0 {
        format!("{} s", decimals(value / 1e3, 1))
    } else if size >= 999.5 {
        format!("{} s", decimals(value / 1e3, 2))
    } else if size >= 9.95 {
        format!("{} ms", decimals(value, 0))
    } else if size >= 0.095 || size == 0.0 {
        format!("{} ms", decimals(value, 1))
    } else {
        format!("{} ms", number(value))
    }
}

/// As a tick: `50 ms`, `2 s`, `1.5 s`.
pub fn ms_tick(value: f64) -> String {
    if value.abs() >= 999.5 {
        format!("{} s", number(value / 1e3))
    } else {
        format!("{} ms", number(value))
    }
}

/// Milliseconds in a column whose header has the unit.
pub fn ms_cell(value: Option<f64>) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(v) if v.abs() >= 9.95 => decimals(v, 0),
        Some(v) => decimals(v, 1),
    }
}

/// A rate without its unit: under 100 one decimal.
pub fn rate(value: f64) -> String {
    decimals(value, usize::from(value.abs() < 99.95))
}

/// A value of a metric with its unit; `–` where there is none.
pub fn value(value: Option<f64>, unit: crate::domain::Unit) -> String {
    use crate::domain::Unit;
    let Some(v) = value.filter(|v| v.is_finite()) else {
        return UNKNOWN.to_owned();
    };
    match unit {
        Unit::Ms => ms(v),
        Unit::TokensPerSec => format!("{} tok/s", rate(v)),
        Unit::RequestsPerSec => format!("{} req/s", rate(v)),
        Unit::Share => percent(v),
    }
}

/// Of a share: `0.3 %`, `12 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return UNKNOWN.to_owned();
    }
    let p = share * 100.0;
    let text = if p.abs() >= 9.95 || (p - p.round()).abs() < 1e-6 {
        decimals(p, 0)
    } else if p.abs() >= 0.095 {
        decimals(p, 1)
    } else {
        number(p)
    };
    format!("{text} %")
}

/// `4:41` of seconds; hours as `1:02:03`.
pub fn clock(secs: f64) -> String {
    if !secs.is_finite() {
        return UNKNOWN.to_owned();
    }
    let total = secs.abs().floor();
    let (h, m, s) = (
        (total / 3600.0).floor(),
        (total / 60.0).floor() % 60.0,
        total % 60.0,
    );
    let sign = if secs <= -1.0 { "\u{2212}" } else { "" };
    if h >= 1.0 {
        format!("{sign}{h:.0}:{m:02.0}:{s:02.0}")
    } else {
        format!("{sign}{m:.0}:{s:02.0}")
    }
}

/// `1 user`, `32 users`.
pub fn users(value: f64) -> String {
    let n = value.round();
    if n > 0.5 && n < 1.5 {
        "1 user".to_owned()
    } else {
        format!("{} users", count(n))
    }
}

/// `p50`, `p99.9` of a share.
pub fn quantile(q: f64) -> String {
    let text = format!("{:.2}", q * 100.0);
    format!("p{}", trim_zeros(text))
}

/// A ratio: `0.87`, `1.06`, `12.3`.
pub fn ratio(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite()) {
        None => UNKNOWN.to_owned(),
        Some(v) if v >= 99.5 => decimals(v, 0),
        Some(v) if v >= 9.95 => decimals(v, 1),
        Some(v) => decimals(v, 2),
    }
}

/// Bytes: `820 B`, `1.3 MB`.
pub fn bytes(n: u64) -> String {
    let v = n as f64;
    if v < 1e3 {
        format!("{n} B")
    } else if v < 999_500.0 {
        format!("{} kB", decimals(v / 1e3, usize::from(v < 9_950.0)))
    } else if v < 999_500_000.0 {
        format!("{} MB", decimals(v / 1e6, usize::from(v < 99_950_000.0)))
    } else {
        format!("{} GB", decimals(v / 1e9, 1))
    }
}

/// With a capital at its beginning.
pub fn capital(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: &str, expected: &str) {
        assert_eq!(got, expected);
    }

    #[test]
    fn milliseconds_change_to_seconds_at_one_second() {
        check(&ms(184.2), "184 ms");
        check(&ms(1590.0), "1.59 s");
        check(&ms(6.62), "6.6 ms");
        check(&ms(9.96), "10 ms");
        check(&ms(999.6), "1.00 s");
        check(&ms(12_340.0), "12.3 s");
        check(&ms(123_400.0), "123 s");
        check(&ms(0.0), "0.0 ms");
        check(&ms(0.012), "0.012 ms");
        check(&ms(-2.5), "\u{2212}2.5 ms");
        check(&ms(f64::NAN), "–");
        check(&ms_tick(50.0), "50 ms");
        check(&ms_tick(2000.0), "2 s");
        check(&ms_tick(1500.0), "1.5 s");
        check(&ms_cell(None), "–");
        check(&ms_cell(Some(3882.0)), "3\u{202f}882");
    }

    #[test]
    fn three_digits_and_thin_spaces() {
        check(&number(4031.4), "4\u{202f}031");
        check(&number(1_234_567.0), "1\u{202f}234\u{202f}567");
        check(&number(38.24), "38.2");
        check(&number(0.1234), "0.123");
        check(&number(0.001234), "0.00123");
        check(&number(5.0), "5");
        check(&number(0.0), "0");
        check(&number(-0.0), "0");
        check(&number(f64::INFINITY), "–");
        check(&rate(15.93), "15.9");
        check(&rate(4031.0), "4\u{202f}031");
        check(&count(999_999.6), "1\u{202f}000\u{202f}000");
    }

    #[test]
    fn shares_clocks_ratios_bytes() {
        check(&percent(0.003), "0.3 %");
        check(&percent(0.25), "25 %");
        check(&percent(1.0), "100 %");
        check(&percent(0.0), "0 %");
        check(&clock(281.4), "4:41");
        check(&clock(3723.0), "1:02:03");
        check(&clock(0.0), "0:00");
        check(&ratio(Some(0.868)), "0.87");
        check(&ratio(None), "–");
        check(&bytes(1_310_000), "1.3 MB");
        check(&bytes(5), "5 B");
        check(&users(1.0), "1 user");
        check(&users(32.0), "32 users");
        check(&quantile(0.999), "p99.9");
        check(&quantile(0.5), "p50");
    }

    #[test]
    fn units_follow_the_metric() {
        use crate::domain::Unit;
        check(&value(Some(250.0), Unit::Ms), "250 ms");
        check(
            &value(Some(4031.0), Unit::TokensPerSec),
            "4\u{202f}031 tok/s",
        );
        check(&value(None, Unit::Share), "–");
    }
}
