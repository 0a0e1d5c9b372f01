//! Holds the table of ARCHITECTURE.md: who may name whom. Reads the sources for `crate::x`.

use std::collections::BTreeSet;
use std::path::Path;

/// A folder of `src/` and the folders it may name.
const TABLE: [(&str, &[&str]); 13] = [
    ("stats", &[]),
    ("domain", &["stats"]),
    ("chart", &["domain", "stats"]),
    ("transport", &[]),
    ("protocol", &["domain", "transport"]),
    ("workload", &["domain", "stats", "transport"]),
    (
        "engine",
        &["domain", "protocol", "transport", "workload", "stats"],
    ),
    ("store", &["domain", "stats"]),
    ("demo", &[]),
    (
        "session",
        &[
            "stats",
            "domain",
            "chart",
            "transport",
            "protocol",
            "workload",
            "engine",
            "store",
            "demo",
        ],
    ),
    ("cli", &["domain", "session"]),
    ("app", &["domain", "session", "stats", "chart"]),
    ("main", &["cli", "app"]),
];

/// Module names that follow `crate::` (or `inferometer::` in the binary) in a text, groups included.
fn named(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for marker in ["crate::", "inferometer::"] {
        for (at, _) in code.match_indices(marker) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"') {
                continue;
            }
            let rest = &code[at + marker.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(group_heads(group));
            } else {
                found.insert(word(rest));
            }
        }
    }
    found.remove("");
    found
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// First words of the items of `a::b, c::{d, e}}…`, up to the closing brace.
fn group_heads(text: &str) -> Vec<String> {
    let (mut depth, mut heads, mut item) = (0_i32, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(word(std::mem::take(&mut item).trim())),
            c if depth == 0 => item.push(c),
            _ => {}
        }
    }
    heads.push(word(item.trim()));
    heads
}

fn sources(path: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push((
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

fn crossings(layer: &str, file: &str, text: &str) -> Vec<String> {
    let layers: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    let allowed = TABLE
        .iter()
        .find(|(name, _)| *name == layer)
        .map(|(_, allowed)| *allowed)
        .unwrap();
    named(text)
        .into_iter()
        .filter(|name| {
            layers.contains(name.as_str()) && name != layer && !allowed.contains(&name.as_str())
        })
        .map(|name| format!("{file}: {layer} may not name {name}"))
        .collect()
}

#[test]
fn no_layer_names_what_it_may_not() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for (layer, _) in TABLE {
        let mut files = Vec::new();
        if layer == "main" {
            files.push((
                "src/main.rs".to_owned(),
                std::fs::read_to_string(src.join("main.rs")).unwrap(),
            ));
        } else if src.join(layer).exists() {
            sources(&src.join(layer), &mut files);
            assert!(!files.is_empty(), "src/{layer} has no sources");
        }
        found.extend(
            files
                .iter()
                .flat_map(|(file, text)| crossings(layer, file, text)),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_folder_of_the_source_stands_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(src).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                TABLE.iter().any(|(layer, _)| *layer == name),
                "src/{name} is in no row of the table"
            );
        }
    }
}

#[test]
fn a_planted_crossing_is_found() {
    assert_eq!(
        crossings("stats", "x.rs", "use crate::domain::Plan;").len(),
        1
    );
    assert_eq!(
        crossings(
            "app",
            "x.rs",
            "use crate::{domain::{Plan, Stage}, engine::run};"
        )
        .len(),
        1
    );
    assert_eq!(
        crossings("engine", "x.rs", "let x = crate::store::open(p);").len(),
        1
    );
    assert!(
        crossings(
            "engine",
            "x.rs",
            "// crate::store would be wrong\nuse crate::domain::Plan;"
        )
        .is_empty()
    );
}

#[test]
fn architecture_md_shows_the_same_table() {
    let page = include_str!("../src/ARCHITECTURE.md");
    for (layer, allowed) in TABLE {
        let names = if allowed.is_empty() {
            "–".to_owned()
        } else {
            allowed.join(", ")
        };
        let row = format!("| `{layer}` | {names} |");
        assert!(page.contains(&row), "ARCHITECTURE.md lacks the row: {row}");
    }
}
