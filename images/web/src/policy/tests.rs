use pipeline::{
    manifest::{Closure, MANIFEST_VERSION},
    names::{Digest, JobId},
};

use super::*;

const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(1),
    max_stale: Duration::from_hours(1),
    backoff: Backoff::PRODUCTION,
    purged: None,
};
const SHOWN: Policy = Policy { errors: ErrorDisplay::Show, ..POLICY };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn manifest(outcome: Outcome, second: i64, last_good: Option<Good>) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        outcome,
        closure: Closure::default(),
        sources_read_at: at(second),
        modified_at: None,
        engine: "grass/0".to_owned(),
        job: JobId::random(),
        failures: 1,
        last_good,
    }
}

fn compiled(second: i64) -> Manifest {
    manifest(Outcome::Compiled { digest: Digest::of(b""), encodings: Vec::new() }, second, None)
}

fn wrong() -> Outcome {
    Outcome::CompileError { message: "m".to_owned() }
}

fn gone() -> Outcome {
    Outcome::SourceNotFound { message: "m".to_owned() }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Serve { staleness: Staleness::Fresh, .. } => "fresh",
        Verdict::Serve { staleness: Staleness::Refresh, .. } => "refresh",
        Verdict::Serve { staleness: Staleness::InsteadOfFailure, .. } => "instead",
        Verdict::Fail { failure: Failure::CompileErrorShown, .. } => "shown",
        Verdict::Fail { failure: Failure::CompileErrorStatus, .. } => "422",
        Verdict::Fail { failure: Failure::SourceNotFound, .. } => "404",
        Verdict::Fail { failure: Failure::Origin(OriginFailure::Failed), .. } => "502",
        Verdict::Fail { failure: Failure::Origin(OriginFailure::TimedOut), .. } => "504",
        Verdict::Fail { failure: Failure::Abandoned, .. } => "503",
        Verdict::Wait => "wait",
    }
}

/// The verdict on a manifest of second 1000, for a visitor of second `now`.
fn judged(policy: Policy, manifest: &Manifest, now: i64) -> &'static str {
    word(&policy.judge(Some(manifest), at(now)))
}

#[test]
fn compiled_file_is_fresh_then_refreshed_then_waited_for() {
    let file = compiled(1000);
    let cases = [(1000, "fresh"), (1059, "fresh"), (1060, "refresh"), (4599, "refresh"), (4600, "wait")];
    for (now, expected) in cases {
        assert_eq!(judged(POLICY, &file, now), expected, "{now}");
    }
    assert_eq!(word(&POLICY.judge(None, at(0))), "wait");
}

#[test]
fn failures_have_their_statuses_and_are_asked_for_again() {
    let failed = |failure| Outcome::OriginFailed { failure, message: "m".to_owned() };
    let cases = [
        (wrong(), "422"),
        (gone(), "404"),
        (failed(OriginFailure::Failed), "502"),
        (failed(OriginFailure::TimedOut), "504"),
        (Outcome::Abandoned { message: "m".to_owned() }, "503"),
    ];
    for (outcome, expected) in cases {
        let failure = manifest(outcome, 1000, None);
        assert_eq!(judged(POLICY, &failure, 1004), expected);
        assert_eq!(judged(POLICY, &failure, 1005), "wait");
    }
}

#[test]
fn earlier_good_file_is_served_instead_of_a_failure_but_not_of_a_shown_error() {
    for outcome in [wrong(), gone()] {
        let failure = manifest(outcome, 1000, compiled(500).good());
        assert_eq!(judged(POLICY, &failure, 1004), "instead");
        assert_eq!(judged(POLICY, &failure, 1005), "refresh");
        assert_eq!(judged(POLICY, &failure, 4100), "wait");
    }
    let failure = manifest(wrong(), 1000, compiled(500).good());
    assert_eq!(judged(SHOWN, &failure, 1004), "shown");
    assert_eq!(judged(SHOWN, &failure, 1005), "wait");
    let failure = manifest(gone(), 1000, compiled(500).good());
    assert_eq!(judged(SHOWN, &failure, 1004), "instead");
}

#[test]
fn outcome_of_the_awaited_job_is_the_answer_whatever_the_ages_and_clocks() {
    let never = Policy {
        max_age: Duration::ZERO,
        max_stale: Duration::ZERO,
        backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
        ..SHOWN
    };
    for (manifest, expected) in [(compiled(1000), "fresh"), (manifest(wrong(), 1000, None), "shown")] {
        for now in [999, 1000, 1020, 90_000] {
            assert_eq!(word(&never.judge_answer(&manifest, at(now))), expected);
            assert_eq!(word(&never.judge(Some(&manifest), at(now))), "wait");
        }
    }
    let failure = manifest(wrong(), 1000, compiled(500).good());
    assert_eq!(word(&POLICY.judge_answer(&failure, at(90_000))), "instead");
}

#[test]
fn clock_ahead_of_ours_makes_no_negative_age() {
    let Verdict::Serve { age, .. } = POLICY.judge(Some(&compiled(1002)), at(1001)) else {
        panic!("a fresh file was not served")
    };
    assert_eq!(age, Duration::ZERO);
}

#[test]
fn failures_in_a_row_are_believed_for_longer_and_longer() {
    let waits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000, u32::MAX];
    let seconds = waits.map(|failures| Backoff::PRODUCTION.after(failures).as_secs());
    assert_eq!(seconds, [5, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300]);
    assert!(waits.map(|failures| Backoff::DEVELOPMENT.after(failures).as_secs()).iter().all(|one| *one == 1));
    let third = Manifest { failures: 3, ..manifest(wrong(), 1000, None) };
    assert_eq!(judged(POLICY, &third, 1019), "422");
    assert_eq!(judged(POLICY, &third, 1020), "wait");
    assert_eq!(judged(Policy { backoff: Backoff::DEVELOPMENT, ..SHOWN }, &third, 1001), "wait");
}

#[test]
fn nothing_from_before_a_purge_is_served_in_whatever_place_it_stands() {
    let purged = |second| Policy { purged: Some(at(second)), ..POLICY };
    let file = compiled(1000);
    assert_eq!(judged(purged(1000), &file, 1010), "fresh");
    assert_eq!(judged(purged(1001), &file, 1010), "wait");
    assert_eq!(word(&purged(1001).judge_answer(&file, at(1010))), "wait");
    let failure = manifest(wrong(), 1000, compiled(500).good());
    for (second, expected) in [(500, "instead"), (501, "422"), (1000, "422"), (1001, "wait")] {
        assert_eq!(judged(purged(second), &failure, 1004), expected, "{second}");
        assert_eq!(word(&purged(second).judge_answer(&failure, at(1004))), expected, "{second}");
    }
    assert_eq!(judged(purged(501), &failure, 1005), "wait", "what bridges a failure was purged");
}
