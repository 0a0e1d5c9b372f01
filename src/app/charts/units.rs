//! Names of stages where there is little room: numbers that share a unit need it once, numbers of several keep theirs.

/// A name that is a number and its unit: `16`, `users`, and ` (2)` of the second one so called.
struct Level<'a> {
    number: &'a str,
    unit: &'a str,
    suffix: &'a str,
}

fn level(name: &str) -> Option<Level<'_>> {
    let (number, rest) = name.split_once(' ')?;
    let (unit, suffix) = rest.split_at(rest.find(" (").unwrap_or(rest.len()));
    let unit = if unit == "user" { "users" } else { unit };
    let is_number = number.starts_with(|c: char| c.is_ascii_digit());
    (is_number && matches!(unit, "users" | "req/s")).then_some(Level {
        number,
        unit,
        suffix,
    })
}

/// Whether all names that are levels count the same.
fn is_one_unit(names: &[&str]) -> bool {
    let mut units = names.iter().filter_map(|n| level(n)).map(|l| l.unit);
    let first = units.next();
    units.all(|unit| Some(unit) == first)
}

/// As short as they can be told apart: `1`, `10`, `100 users`; of several units `16 users`, `8.9/s`.
pub(super) fn short(names: &[&str]) -> Vec<String> {
    let is_one = is_one_unit(names);
    let last = names.iter().rposition(|n| level(n).is_some());
    let of = |(i, name): (usize, &&str)| match level(name) {
        Some(l) if is_one && last != Some(i) => format!("{}{}", l.number, l.suffix),
        Some(l) if !is_one && l.unit == "req/s" => format!("{}/s{}", l.number, l.suffix),
        _ => (*name).to_owned(),
    };
    names.iter().enumerate().map(of).collect()
}

/// Numbers alone where all count the same. Of several units users keep theirs and the first rate does, so that a number
/// alone is a rate.
pub(super) fn shortest(names: &[&str]) -> Vec<String> {
    let is_one = is_one_unit(names);
    let mut is_said = is_one;
    let mut of = |name: String| match level(&name) {
        Some(l) if is_one || (l.unit == "req/s" && is_said) => format!("{}{}", l.number, l.suffix),
        Some(l) if l.unit == "req/s" => {
            is_said = true;
            format!("{}/s{}", l.number, l.suffix)
        }
        _ => name,
    };
    names.iter().map(|name| of((*name).to_owned())).collect()
}

/// The first and the last of many: `1` and `100 users`, `16 users` and `24.5/s`.
pub(super) fn ends(names: &[&str]) -> Option<[String; 2]> {
    let (first, last) = (names.first()?, names.last()?);
    <[String; 2]>::try_from(short(&[first, last])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_unit_say_it_once_and_others_each() {
        assert_eq!(
            short(&["1 user", "10 users", "100 users"]),
            ["1", "10", "100 users"]
        );
        assert_eq!(
            short(&["0.5 req/s", "paused", "1 req/s"]),
            ["0.5", "paused", "1 req/s"]
        );
        assert_eq!(short(&["16 users", "8.9 req/s"]), ["16 users", "8.9/s"]);
        assert_eq!(short(&["2 users", "2 users (2)"]), ["2", "2 users (2)"]);
        assert_eq!(shortest(&["2 users", "2 users (2)"]), ["2", "2 (2)"]);
        assert_eq!(
            shortest(&["2 users", "4 req/s", "8 req/s"]),
            ["2 users", "4/s", "8"]
        );
        assert_eq!(short(&["warm", "2 cats"]), ["warm", "2 cats"]);
        assert_eq!(
            ends(&["1 user", "3 users", "100 users"]),
            Some(["1".to_owned(), "100 users".to_owned()])
        );
        assert_eq!(ends(&[]), None);
    }
}
