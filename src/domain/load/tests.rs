use super::super::Issue;
use super::*;

fn tiers(users: &str, length: TierLength<'_>) -> Result<Vec<Stage>, Vec<Issue>> {
    Stage::closed_tiers(users, ClosedMode::Steady, length)
}

#[track_caller]
fn stages(users: &str, length: TierLength<'_>, expected: &[(u32, StageEnd)]) {
    let got: Vec<(u32, StageEnd)> = tiers(users, length)
        .unwrap()
        .into_iter()
        .map(|s| (s.load.max_in_flight(), s.end))
        .collect();
    assert_eq!(got, expected);
}

#[track_caller]
fn issues(users: &str, length: TierLength<'_>, expected: &[(&str, &str)]) {
    let got = tiers(users, length).unwrap_err();
    let got: Vec<(&str, &str)> = got
        .iter()
        .map(|i| (i.field.as_str(), i.message.as_str()))
        .collect();
    assert_eq!(got, expected);
}

fn requests(n: u64) -> StageEnd {
    StageEnd::Requests(NonZeroU64::new(n).unwrap())
}

#[test]
fn tiers_parse() {
    let all = [(1, requests(20)), (10, requests(20)), (100, requests(20))];
    stages("1, 10, 100", TierLength::Requests("20"), &all);
    stages("1;10; 100", TierLength::Requests(" 20 "), &all);
    stages(
        "1,10",
        TierLength::Requests("80, 1\u{202f}600"),
        &[(1, requests(80)), (10, requests(1600))],
    );
    let per_user = StageEnd::RequestsPerUser(NonZeroU32::new(5).unwrap());
    stages("2", TierLength::RequestsPerUser("5"), &[(2, per_user)]);
    stages(
        "2, 4",
        TierLength::Duration("1.5m"),
        &[
            (2, StageEnd::DurationSecs(90.0)),
            (4, StageEnd::DurationSecs(90.0)),
        ],
    );
}

#[test]
fn each_bad_value_is_named_with_its_repair() {
    let n = TierLength::Requests("10");
    issues(
        "1, 10, 1oo",
        n,
        &[(
            "users",
            "Third value “1oo” is not a whole number. Did you mean 100?",
        )],
    );
    issues(
        "0, -3, 2.5,",
        n,
        &[
            ("users", "First value “0” must be at least 1"),
            (
                "users",
                "Second value “-3” is not a whole number. Use digits, as in 1, 10, 100",
            ),
            (
                "users",
                "Third value “2.5” is not a whole number. Use digits, as in 1, 10, 100",
            ),
            (
                "users",
                "Fourth value is empty: whole numbers with commas between, as in 1, 10, 100",
            ),
        ],
    );
    issues(
        "20001",
        n,
        &[("users", "First value “20001” is above 20000")],
    );
    issues(
        "1, 2",
        TierLength::Requests("1, 2, 3"),
        &[(
            "requests",
            "3 values for 2 stages: give one number for all, or one for each",
        )],
    );
    issues(
        "1",
        TierLength::Requests("1, 2"),
        &[("requests", "2 values for 1 stage: give one number")],
    );
    issues(
        "x",
        TierLength::RequestsPerUser("99999999999999999999"),
        &[
            (
                "users",
                "First value “x” is not a whole number. Use digits, as in 1, 10, 100",
            ),
            (
                "requests_per_user",
                "First value “99999999999999999999” is not a whole number. Use digits, as in 1, 10, 100",
            ),
        ],
    );
    issues(
        "1",
        TierLength::Duration("0s"),
        &[("duration_secs", "must be more than 0 s")],
    );
    let many = vec!["1"; 65].join(",");
    issues(&many, n, &[("users", "65 values; at most 64 stages")]);
}

#[test]
fn durations() {
    for (text, secs) in [
        ("10", 10.0),
        (" 10s ", 10.0),
        ("1.5m", 90.0),
        ("2 h", 7200.0),
        ("200ms", 0.2),
        ("0", 0.0),
    ] {
        let got = parse_duration_secs(text).unwrap();
        assert!((got - secs).abs() < 1e-12, "{text}: {got}");
    }
    for text in [
        "",
        "-1s",
        "ten",
        "10 parsecs",
        "1e3",
        "inf",
        "NaN",
        "1h30m",
        "9999999h",
    ] {
        let message = parse_duration_secs(text).unwrap_err();
        assert!(message.contains(&format!("“{text}”")), "{message}");
    }
}

#[test]
fn warmup_is_requests_or_seconds() {
    let n = |n| Warmup::Requests(NonZeroU32::new(n).unwrap());
    for (text, expected) in [
        ("20", n(20)),
        ("10s", Warmup::Secs(10.0)),
        ("", Warmup::None),
        ("0", Warmup::None),
        ("0s", Warmup::None),
    ] {
        assert_eq!(Warmup::parse(text), Ok(expected), "{text}");
    }
    assert!(Warmup::parse("soon").is_err());
    assert_eq!(
        (n(20).n_requests(), Warmup::Secs(1.0).n_requests()),
        (Some(20), None)
    );
}

#[test]
fn counts_and_labels() {
    let of = |users, length| tiers(users, length).unwrap().remove(0);
    assert_eq!(
        of("4", TierLength::RequestsPerUser("5")).n_requests(),
        Some(20)
    );
    assert_eq!(of("4", TierLength::Duration("5")).n_requests(), None);
    assert_eq!(of("1", TierLength::Requests("5")).load.label(), "1 user");
    assert_eq!(of("32", TierLength::Requests("5")).load.label(), "32 users");
    assert_eq!(StageIdx::from_index(70_000), StageIdx(u16::MAX));
}

#[test]
fn a_stage_reads_back_as_it_was_written() {
    for stage in [
        tiers("8", TierLength::Requests("5")).unwrap().remove(0),
        tiers("8", TierLength::Duration("5")).unwrap().remove(0),
        Stage {
            load: Load::Closed {
                users: NonZeroU32::MIN,
                mode: ClosedMode::Wave,
                ramp: None,
            },
            end: StageEnd::RequestsPerUser(NonZeroU32::MIN),
        },
    ] {
        let text = serde_json::to_string(&stage).unwrap();
        assert_eq!(
            serde_json::from_str::<Stage>(&text).unwrap(),
            stage,
            "{text}"
        );
        let text = toml::to_string(&stage).unwrap();
        assert_eq!(toml::from_str::<Stage>(&text).unwrap(), stage, "{text}");
    }
}
