//! Keys and words that must not get where they do not belong: to another host, into a message, onto the screen.

use std::net::TcpListener;

use super::server::{Manners, body, good, serve, serve_with, write};
use super::{both, measure_with};
use crate::cli::{code, run};

const CANARY: &str = "sk-canary-51c0ffee9b7d4e20";

#[test]
fn a_refused_key_stops_after_ten_and_is_never_told() {
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {CANARY}"}}}}"#);
    let refusal = body(401, "", &echo);
    let script = refusal.clone();
    let server = serve_with(
        Manners {
            get: refusal,
            ..Manners::default()
        },
        move |_| vec![write(&script)],
    );
    let seen = measure_with(
        &server.url(),
        &[
            "--tiers",
            "4",
            "--requests",
            "400",
            "--key-env",
            "CANARY_KEY",
        ],
        |command| {
            command.env("CANARY_KEY", CANARY);
        },
    );
    seen.assert_code(4);
    assert!(
        (10..=14).contains(&server.n_posts()),
        "{}",
        server.n_posts()
    );
    let why = seen.caution("stopped_early").unwrap().to_string();
    assert!(why.contains("CANARY_KEY") && why.contains("401"), "{why}");
    let sent = server.log.texts.lock().unwrap().join("");
    assert!(sent.contains(CANARY), "the key did go to its own server");
    let left = format!("{}{}{:?}", seen.stdout, seen.stderr, seen.lines);
    assert!(!left.contains(CANARY), "{left}");

    // The server says it before the run, too: to who asks for its models, and to who looks.
    let home = tempfile::tempdir().unwrap();
    let url = server.url();
    let asks: [&[&str]; 3] = [
        &[
            "run",
            "--url",
            &url,
            "--protocol",
            "openai-chat",
            "--key-env",
            "CANARY_KEY",
        ],
        &["detect", &url, "--key-env", "CANARY_KEY"],
        &["detect", &url, "--key-env", "CANARY_KEY", "--json"],
    ];
    for ask in asks {
        let output = crate::cli::inferometer(home.path(), ask)
            .env("CANARY_KEY", CANARY)
            .output()
            .unwrap();
        let said = both(&output);
        assert!(said.contains("401"), "{ask:?}: {said}");
        assert!(!said.contains(CANARY), "{ask:?}: {said}");
    }
    let curl = format!(
        "curl {url}/chat/completions -H 'x-api-key: {CANARY}' -H 'Authorization: Bearer {CANARY}'"
    );
    for form in [&["detect", &curl][..], &["detect", &curl, "--json"]] {
        let output = run(home.path(), form);
        let said = both(&output);
        assert!(!said.contains(CANARY), "{form:?}: {said}");
    }
    let new = run(
        home.path(),
        &[
            "plan",
            "new",
            "--url",
            &format!("http://user:{CANARY}@127.0.0.1:1/v1"),
        ],
    );
    let said = both(&new);
    assert!(code(&new) == 2 && !said.contains(CANARY), "{said}");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let new_url = format!(
        "http://{}/v1/chat/completions",
        elsewhere.local_addr().unwrap()
    );
    let to = body(302, &format!("location: {new_url}\r\n"), "");
    let (posts, gets) = (
        to.clone(),
        Manners {
            get: to,
            ..Manners::default()
        },
    );
    let server = serve(move |_| vec![write(&posts)]);
    let seen = measure_with(
        &server.url(),
        &["--iterations", "3", "--key-env", "CANARY_KEY"],
        |command| {
            command.env("CANARY_KEY", CANARY);
        },
    );
    seen.assert_code(4);
    assert_eq!(server.n_posts(), 3);
    assert!(
        seen.requests()[0]["failure"]["message"]
            .as_str()
            .unwrap()
            .contains(&new_url)
    );

    let server = serve_with(gets, |_| good(1));
    let seen = measure_with(
        &server.url(),
        &["--iterations", "3", "--key-env", "CANARY_KEY"],
        |command| {
            command.env("CANARY_KEY", CANARY);
        },
    );
    seen.assert_code(2);
    assert!(seen.stderr.contains(&new_url), "{}", seen.stderr);
    assert_eq!(server.n_posts(), 0);
    let error = elsewhere.accept().unwrap_err();
    assert_eq!(
        error.kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody came there"
    );
}

#[test]
fn a_servers_words_cannot_move_the_cursor() {
    const HOSTILE: &str = r#"{"error":{"message":"a\u001b[2J\u0007\u202eb\r\nc"}}"#;
    let refusal = body(403, "", HOSTILE);
    let (posts, gets) = (refusal.clone(), refusal);
    let manners = Manners {
        get: gets,
        ..Manners::default()
    };
    let server = serve_with(manners, move |_| vec![write(&posts)]);
    let home = tempfile::tempdir().unwrap();
    let url = server.url();
    let asks: [&[&str]; 3] = [
        &[
            "run",
            "--url",
            &url,
            "--protocol",
            "openai-chat",
            "--model",
            "m\u{1b}]0;x\u{7}",
            "--iterations",
            "12",
        ],
        &["run", "--url", &url, "--protocol", "openai-chat"],
        &["detect", &url],
    ];
    for ask in asks {
        let output = run(home.path(), ask);
        let said = both(&output);
        assert!(
            said.contains("403") && said.contains("[2J"),
            "{ask:?}: {said}"
        );
        let is_bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.contains(is_bad), "{ask:?}: {said:?}");
    }
}
