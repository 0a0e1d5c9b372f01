//! Files that are torn, changed, hostile or of another kind.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use inferometer::domain::*;
use inferometer::stats::SplitMix64;
use inferometer::store::*;
use serde_json::{Value, json};

use super::*;

fn hostile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile")
}

#[test]
fn a_file_cut_anywhere_opens_as_interrupted() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    write_run(&path);
    let whole = std::fs::read(&path).unwrap();
    let head_bytes = lines(&path)[0].len();
    let mut rng = SplitMix64::new(50);
    let mut cuts: Vec<usize> = (0..50).map(|_| rng.index(whole.len())).collect();
    cuts.extend([
        0,
        1,
        head_bytes - 1,
        head_bytes,
        head_bytes + 1,
        whole.len() - 2,
    ]);
    let torn = folder.path().join("torn.run.jsonl");
    for cut in cuts {
        std::fs::write(&torn, &whole[..cut]).unwrap();
        match open_run(&torn) {
            Ok(run) => {
                assert!(cut >= head_bytes, "{cut}");
                assert_eq!(run.state, RunState::Interrupted);
                let text = String::from_utf8_lossy(&whole[..cut]);
                let n_whole = text.matches("\"type\":\"request\"").count();
                let n = run.points.len();
                assert!(n == n_whole || n + 1 == n_whole, "{cut}: {n} of {n_whole}");
                assert!(!run.summary.verdict.valid, "{cut}");
                let reasons = run.summary.verdict.reasons.join(" ").to_lowercase();
                assert!(reasons.contains("interrupted"), "{reasons}");
            }
            Err(e) => assert!(cut < head_bytes, "{cut}: {e}"),
        }
        assert_eq!(
            std::fs::read(&torn).unwrap().len(),
            cut,
            "opening changes nothing"
        );
        let entry = read_entry(&torn);
        assert_eq!(entry.error.is_some(), cut < head_bytes);
        assert!(entry.summary.is_none());
    }
    // A power loss leaves zeros.
    let mut zeros = whole[..whole.len() / 2].to_vec();
    zeros.extend([0; 4096]);
    std::fs::write(&torn, zeros).unwrap();
    assert_eq!(open_run(&torn).unwrap().state, RunState::Interrupted);
}

#[test]
fn lines_that_no_run_could_have_are_told_with_their_number() {
    let folder = folder();
    let good = folder.path().join("a.run.jsonl");
    write_run(&good);
    let lines = lines(&good);
    let path = folder.path().join("b.run.jsonl");
    let request = |field: &str, value: Value| {
        let mut line: Value = serde_json::from_str(&lines[3]).unwrap();
        assert_eq!(line["type"], "request");
        line[field] = value;
        line.to_string()
    };
    for (bad, words) in [
        ("{]".to_owned(), "key must be"),
        ("[1]".to_owned(), "invalid type"),
        ("{\"a\":1}".to_owned(), "missing field `type`"),
        (lines[0].clone(), "a second “run” line"),
        (request("stage", json!(7)), "stage 7 of a plan with 2"),
        (request("end_ns", json!(0)), "before it starts"),
        (request("end_ns", json!(u64::MAX)), "beyond ten years"),
        (
            request("chunk_ns", json!([u64::MAX, u64::MAX])),
            "beyond ten years",
        ),
        (request("tokens_out", json!(u64::MAX)), "tokens"),
        (request("end_ns", json!(-5)), "invalid value"),
        (request("outcome", json!("fine")), "unknown variant"),
        (
            request("x", Value::Null).replace(
                "null}",
                &format!("{}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
            ),
            "recursion limit",
        ),
        (
            "{\"type\":\"request\",\"seq\":NaN}".to_owned(),
            "expected value",
        ),
        (
            "{\"type\":\"stage\",\"stage\":0,\"stage\":0,\"start_ns\":1}".to_owned(),
            "duplicate field",
        ),
    ] {
        let (before, after) = (lines[..3].join("\n"), lines[4..].join("\n"));
        std::fs::write(&path, format!("{before}\n{bad}\n{after}\n")).unwrap();
        let error = open_run(&path).unwrap_err();
        assert_eq!(error.line(), Some(4), "{error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let after = format!("{}\n{}\n", lines.join("\n"), lines[3]);
    std::fs::write(&path, after).unwrap();
    assert!(
        open_run(&path)
            .unwrap_err()
            .to_string()
            .contains("after the “end” line")
    );
    // Lines of a later version, blank lines and CRLF are no reason to refuse.
    let later = format!(
        "\u{feff}{}\r\n\r\n{{\"type\":\"gpu\"}}\r\n{}\r\n",
        lines[0],
        lines[1..].join("\r\n")
    );
    std::fs::write(&path, later).unwrap();
    assert_eq!(open_run(&path).unwrap().points.len(), 17);
}

#[test]
fn a_file_that_was_changed_is_not_valid() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    write_run(&path);
    let mut lines = lines(&path);
    lines.remove(5);
    std::fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
    let run = open_run(&path).unwrap();
    let reasons = run.summary.verdict.reasons.join(" ");
    assert!(
        !run.summary.verdict.valid && reasons.contains("holds 15"),
        "{reasons}"
    );
}

#[test]
fn hostile_files_are_refused_and_left_as_they_are() {
    let mut n_files = 0;
    for entry in std::fs::read_dir(hostile()).unwrap() {
        let path = entry.unwrap().path();
        let before = std::fs::read(&path).unwrap();
        let error = open_run(&path).unwrap_err();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = match name.as_str() {
            "empty.json" => matches!(error, OpenError::Empty { .. }),
            "future-schema.json" => matches!(error, OpenError::Newer { found: 9999, .. }),
            "gzip-bomb.json.gz" => matches!(error, OpenError::Gzip { .. }),
            _ => matches!(error, OpenError::Foreign { line: 1, .. }),
        };
        assert!(expected, "{name}: {error}");
        let text = error.to_string();
        assert!(!text.ends_with('.') && text.contains(&name), "{text}");
        assert_eq!(read_entry(&path).error, Some(text));
        assert!(annotate(&path, Some("x"), None, None).is_err());
        assert!(check_file(&path).unwrap().plan.is_none());
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
        n_files += 1;
    }
    assert_eq!(n_files, 18);
}

#[test]
fn foreign_files_are_told_by_what_they_look_like() {
    let folder = folder();
    let path = folder.path().join("x.run.jsonl");
    write_run(&path);
    let lines = lines(&path);
    let end: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    for (text, words) in [
        ("<!doctype html><p>hi", "HTML"),
        ("schema = 1\n[target]\nurl = \"a/b\"\n", "a plan"),
        (
            "{\"metadata\": {\"guidellm_version\": \"0.8.1\"}}",
            "GuideLLM",
        ),
        ("{\n  \"summary\": {\n    \"successRate\": 1.0\n}}", "oha"),
        ("{\"date\":\"x\",\"request_throughput\":1}", "vLLM"),
        ("a,b,c\n1,2,3\n", "CSV"),
        ("PAR1xxxx", "Parquet"),
        ("\0\0\0\0", "zero bytes"),
        ("  \n", "blank"),
        ("hello", "some other text"),
        (&lines[3], "lost its first line"),
        (&end["summary"].to_string(), "run --json"),
        ("[1]", "some other JSON"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = open_run(&path).unwrap_err();
        let OpenError::Foreign {
            line: 1,
            looks_like,
            ..
        } = &error
        else {
            panic!("{text}: {error}");
        };
        assert!(looks_like.contains(words), "{words}: {error}");
    }
    assert!(matches!(
        open_run(folder.path()),
        Err(OpenError::Read { .. })
    ));
    assert!(matches!(
        open_run(&path.join("none")),
        Err(OpenError::Read { .. })
    ));
    let broken_head = lines[0].replace("\"seed\":1", "\"seed\":\"x\"");
    std::fs::write(&path, format!("{broken_head}\n")).unwrap();
    assert!(matches!(open_run(&path), Err(OpenError::Head { .. })));
}

#[test]
fn packed_bombs_and_endless_lines_are_refused() {
    let folder = folder();
    let path = folder.path().join("x.run.jsonl.zst");
    let good = folder.path().join("a.run.jsonl");
    write_run(&good);
    let head = lines(&good)[0].clone();
    let file = std::fs::File::create(&path).unwrap();
    let mut encoder = zstd::Encoder::new(file, 1).unwrap();
    encoder.write_all(head.as_bytes()).unwrap();
    let mut blank = vec![b' '; 1 << 20];
    blank.push(b'\n');
    for _ in 0..200 {
        encoder.write_all(&blank).unwrap();
    }
    encoder.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 100_000);
    assert!(matches!(open_run(&path), Err(OpenError::TooDense { .. })));
    assert!(read_entry(&path).summary.is_none());

    let endless = folder.path().join("e.run.jsonl");
    let mut file = std::fs::File::create(&endless).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    file.write_all(b"\n").unwrap();
    // Sparse: no bytes on the disk, and 100 MiB without a line break.
    file.set_len(100 << 20).unwrap();
    assert!(matches!(
        open_run(&endless),
        Err(OpenError::LineTooLong { line: 2, .. })
    ));

    std::fs::write(&path, b"\x28\xb5\x2f\xfd garbage").unwrap();
    assert!(matches!(open_run(&path), Err(OpenError::Damaged { .. })));
}
