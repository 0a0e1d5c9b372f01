//! Run files while they are written: queue, kill, full disk, keys.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use inferometer::domain::*;
use inferometer::stats::SplitMix64;
use inferometer::store::*;
use serde_json::json;

use super::*;

const KEY: &str = "canary-5d41\"402abc/4b2a+76b";

#[test]
fn a_run_being_written_is_listed_but_not_changed() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    let journal = Journal::create(&path, &head(), Redactor::default(), no_news).unwrap();
    journal.flush().unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = annotate(&path, Some("x"), None, None);
    assert!(matches!(refused, Err(ChangeError::BeingWritten { .. })));
    assert!(matches!(
        save_run(&path, &folder.path().join("b.run.jsonl")),
        Err(ChangeError::BeingWritten { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let again = Journal::create(&path, &head(), Redactor::default(), no_news);
    assert!(
        matches!(again, Err(JournalError::Create { .. })),
        "never over another run"
    );
    drop(journal);
    let tags = ["x".to_owned()];
    annotate(&path, Some("new"), Some(&tags), None).unwrap();
    let entry = read_entry(&path);
    assert_eq!((entry.label.as_str(), entry.tags), ("new", tags.to_vec()));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn two_runs_of_one_minute_never_share_a_file() {
    let folder = folder();
    let path = Arc::new(folder.path().to_owned());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let folder = Arc::clone(&path);
            let work = move || {
                let journal = Journal::create_in(&folder, &head(), Redactor::default(), no_news);
                journal.unwrap().path()
            };
            std::thread::Builder::new().spawn(work).unwrap()
        })
        .collect();
    let paths: std::collections::BTreeSet<PathBuf> =
        threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(paths.len(), 8);
    assert!(paths.contains(&folder.path().join("2026-11-21-1432-two-tiers.run.jsonl")));
}

#[test]
fn no_key_reaches_the_file() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    let mut head = head();
    head.notes = format!("the key is {KEY}");
    head.plan
        .workload
        .inputs
        .insert("mode".to_owned(), json!(KEY));
    head.plan.target.url = "http://me:pass@h/v1?api_key=hidden".to_owned();
    let journal = Journal::create(
        &path,
        &head,
        Redactor::new([KEY, "measure", "12500"]),
        no_news,
    )
    .unwrap();
    let mut record = records().pop().unwrap();
    record.outcome = Outcome::Failed(Failure::new(
        FailureKind::HttpStatus,
        format!("bad key {KEY}; Authorization: Bearer abc123def456"),
    ));
    record.gradio.as_mut().unwrap().event_id = Some(KEY.to_owned());
    record.tokens_out = Some(12_500);
    journal.request(record.clone());
    let mut end = end_of(&[record], &[]);
    end.summary.errors[0].first_message = format!("{KEY} hf_abcdefghijklmnopqrstuvwxyz");
    end.facts.changed = vec![KEY.to_owned()];
    journal.finish(end).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in [
        "5d41",
        "4b2a+76b",
        "abc123def456",
        "hf_abc",
        "me:pass",
        "hidden",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // Words and numbers of the format are no keys, even if a key is such a word.
    let run = open_run(&path).unwrap();
    assert_eq!(run.points.iter().next().unwrap().phase, Phase::Measure);
    assert!(text.contains("\"tokens_out\":12500"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once_and_the_run_goes_on_elsewhere() {
    let folder = folder();
    let (sender, news) = sync_channel(8);
    let told = Mutex::new(sender);
    let tell = move |news| told.lock().unwrap().send(news).unwrap();
    let full = Path::new("/dev/full");
    let journal = Journal::create(full, &head(), Redactor::default(), tell).unwrap();
    for record in records() {
        journal.request(record);
    }
    let error = journal
        .finish(end_of(&records(), &borders()[1..]))
        .unwrap_err();
    assert!(
        error.to_string().contains("choose another place"),
        "{error}"
    );
    assert!(journal.trouble().is_some());
    assert!(matches!(news.recv().unwrap(), JournalNews::Failing { .. }));
    let elsewhere = folder.path().join("saved.run.jsonl");
    let n_bytes = journal.move_to(&elsewhere).unwrap();
    assert_eq!(n_bytes, elsewhere.metadata().unwrap().len());
    assert!(matches!(
        news.recv().unwrap(),
        JournalNews::Recovered { .. }
    ));
    assert!(news.try_recv().is_err(), "told once");
    assert_eq!(open_run(&elsewhere).unwrap().state, RunState::Finished);
    assert_eq!((journal.trouble(), journal.n_lost()), (None, 0));
}

#[test]
fn a_run_moves_with_what_was_already_written() {
    let folder = folder();
    let (old, new) = (
        folder.path().join("a.run.jsonl"),
        folder.path().join("b.run.jsonl"),
    );
    let journal = Journal::create(&old, &head(), Redactor::default(), no_news).unwrap();
    journal.request(record(0, 0, Phase::Cold));
    journal.flush().unwrap();
    assert!(
        journal
            .move_to(&folder.path().join("no/such/folder"))
            .is_err()
    );
    journal.move_to(&new).unwrap();
    journal.request(record(1, 0, Phase::Measure));
    journal.finish(end_of(&records()[..2], &[])).unwrap();
    assert!(!old.exists());
    assert_eq!(journal.path(), new);
    assert_eq!(open_run(&new).unwrap().points.len(), 2);
}

/// A pipe that nobody reads holds the writer as a stuck disk would.
#[cfg(unix)]
#[test]
fn a_full_queue_is_counted_and_never_waited_for() {
    use std::io::{BufRead as _, BufReader};
    let folder = folder();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Open for both, so that neither end waits for the other.
    let mut both = std::fs::OpenOptions::new();
    let pipe = both.read(true).write(true).open(&path).unwrap();
    let journal = Journal::create(&path, &head(), Redactor::default(), no_news).unwrap();
    let n = 3 * QUEUE_LINES as u64;
    for seq in 0..n {
        journal.request(record(seq, 0, Phase::Measure));
    }
    let n_lost = journal.n_lost();
    assert!(
        n_lost > 0,
        "the queue holds {QUEUE_LINES} and the pipe little"
    );
    let caution = journal.caution().unwrap();
    assert_eq!(caution.id, CautionId::Journal);
    assert!(caution.finding.contains(&n_lost.to_string()), "{caution:?}");

    let n_kept = usize::try_from(n - n_lost).unwrap();
    let read = std::thread::Builder::new()
        .spawn(move || BufReader::new(pipe).lines().take(n_kept + 1).count())
        .unwrap();
    journal.flush().unwrap();
    assert_eq!(read.join().unwrap(), n_kept + 1, "with the head, and whole");
}

/// Run as a process of its own by the next test, and then writes until it is killed; by itself it does nothing.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os("INFEROMETER_TEST_JOURNAL") else {
        return;
    };
    let journal = Journal::create(Path::new(&path), &head(), Redactor::default(), no_news).unwrap();
    journal.flush().unwrap();
    for seq in 0..20_000 {
        journal.request(record(seq, 0, Phase::Measure));
        std::thread::sleep(std::time::Duration::from_micros(300));
    }
}

#[cfg(unix)]
#[test]
fn a_kill_loses_only_the_end() {
    let folder = folder();
    let mut rng = SplitMix64::new(9);
    let mut n_points = 0;
    for i in 0..50 {
        let path = folder.path().join(format!("{i}.run.jsonl"));
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::journal::writes_until_killed"])
            .env("INFEROMETER_TEST_JOURNAL", &path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !path.metadata().is_ok_and(|m| m.len() > 0) {
            assert!(child.try_wait().unwrap().is_none(), "it began");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        std::thread::sleep(std::time::Duration::from_millis(rng.below(150)));
        child.kill().unwrap();
        child.wait().unwrap();
        let run = open_run(&path).unwrap();
        assert_eq!(run.state, RunState::Interrupted);
        n_points += run.points.len();
        // In order and without a hole.
        assert!(
            run.points
                .iter()
                .enumerate()
                .all(|(i, p)| p.seq == i as u64)
        );
        annotate(&path, Some("killed"), None, None).unwrap();
    }
    assert!(n_points > 50, "{n_points}");
}
