use proptest::{collection::vec, prelude::*};

use super::*;

const START: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn observed(ring: &KeyRing) -> ObservedRing {
    let KeyRing { keys, progress, followed } = ring.clone();
    // As it comes back from the Secret: through text.
    let progress = Some(progress.to_string().parse().unwrap());
    ObservedRing { keys, progress, followed }
}

fn keys(ring: &KeyRing) -> Vec<&str> {
    ring.keys.iter().map(String::as_str).collect()
}

#[test]
fn key_is_replaced_after_a_month_in_three_steps() {
    const MONTH: i64 = 30 * 24 * 3600;
    let mut ring = plan_ring(ObservedRing::default(), None, "one", at(0));
    let steps: [(i64, &[&str], Stage); 8] = [
        (0, &["one"], Stage::Settled),
        (MONTH - 1, &["one"], Stage::Settled),
        (MONTH, &["one", "two"], Stage::Introduced),
        (MONTH + 599, &["one", "two"], Stage::Introduced),
        (MONTH + 600, &["two", "one"], Stage::Switched),
        (MONTH + 1199, &["two", "one"], Stage::Switched),
        (MONTH + 1200, &["two"], Stage::Settled),
        (2 * MONTH + 1199, &["two"], Stage::Settled),
    ];
    for (second, expected, stage) in steps {
        ring = plan_ring(observed(&ring), None, "two", at(second));
        assert_eq!((keys(&ring), ring.progress.stage), (expected.to_vec(), stage), "after {second} s");
    }
}

#[test]
fn wish_is_followed_once_and_a_new_one_again() {
    let ring = plan_ring(ObservedRing::default(), Some("a"), "one", at(0));
    assert_eq!(plan_ring(observed(&ring), Some("a"), "two", at(60)), ring, "a new ring needs no replacement");
    assert_eq!(plan_ring(observed(&ring), None, "two", at(60)), ring);
    let wished = plan_ring(observed(&ring), Some("b"), "two", at(60));
    assert_eq!((keys(&wished), wished.followed.as_deref()), (vec!["one", "two"], Some("b")));
    let mut ring = wished;
    for second in [700, 1400, 2100, 2800] {
        ring = plan_ring(observed(&ring), Some("b"), "three", at(second));
    }
    assert_eq!((keys(&ring), ring.progress.stage), (vec!["two"], Stage::Settled));
}

#[test]
fn ring_whose_progress_was_lost_keeps_every_key_for_a_step() {
    for (lost, stage, after) in
        [(vec!["one"], Stage::Settled, vec!["one"]), (vec!["one", "two"], Stage::Switched, vec!["one"])]
    {
        let keys_of = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        for progress in
            [None, Some("Introduced since 2026-01-01T00:00:00Z"), Some("Settled since 2001-01-01T00:00:00Z")]
        {
            let progress: Option<Progress> = progress.map(|text| text.parse().unwrap());
            let is_true =
                progress.is_some_and(|progress| (progress.stage == Stage::Settled) == (lost.len() == 1));
            let observed_ring = ObservedRing { keys: keys_of(&lost), progress, followed: None };
            if is_true {
                continue;
            }
            let ring = plan_ring(observed_ring, None, "fresh", at(0));
            assert_eq!((ring.keys.clone(), ring.progress.stage), (keys_of(&lost), stage));
            assert_eq!(plan_ring(observed(&ring), None, "fresh", at(600)).keys, keys_of(&after));
        }
    }
}

#[test]
fn settled_ring_is_left_as_it_is() {
    let ring = plan_ring(ObservedRing::default(), None, "one", at(0));
    assert_eq!(plan_ring(observed(&ring), None, "other", at(1_000_000)), ring);
}

/// How late a pod may know of a Secret, in seconds.
const MOST_LATE: i64 = 120;

proptest! {
    /// Whatever pods know how late, and whenever the operator has its rounds: what one pod signs, every
    /// other one accepts.
    #[test]
    fn no_pod_refuses_what_another_one_signs(
        pauses in vec(1_i64..900, 1..60),
        wishes in vec(0_usize..4, 60),
        lags in vec((0..=MOST_LATE, 0..=MOST_LATE, 0..40_000_i64), 200),
    ) {
        let mut history: Vec<(i64, KeyRing)> = Vec::new();
        let mut second = 0;
        for (round, pause) in pauses.iter().enumerate() {
            let before = history.last().map(|(_, ring)| observed(ring)).unwrap_or_default();
            let wish = wishes[round].to_string();
            let ring = plan_ring(before, Some(&wish), &format!("key-{round}"), at(second));
            history.push((second, ring));
            second += pause;
        }
        let known = |second: i64| {
            let written = history.iter().rev().find(|(written, _)| *written <= second);
            &written.unwrap_or(&history[0]).1
        };
        for (signer_lag, reader_lag, moment) in lags {
            let signer = known(moment - signer_lag);
            // What was signed is read up to a minute later, by a pod that has learned more or less since.
            for travel in [0, 60] {
                let reader = known(moment + travel - reader_lag);
                prop_assert!(reader.keys.contains(&signer.keys[0]), "{signer:?} is refused by {reader:?}");
            }
        }
    }

    /// Rounds that go on without a wish come to one key and stay there.
    #[test]
    fn replacement_ends(pauses in vec(600_i64..3000, 3..20)) {
        let mut ring = plan_ring(ObservedRing::default(), None, "one", at(0));
        ring = plan_ring(observed(&ring), Some("now"), "two", at(1));
        let mut second = 1;
        for pause in pauses {
            second += pause;
            ring = plan_ring(observed(&ring), Some("now"), "three", at(second));
        }
        prop_assert_eq!(keys(&ring), vec!["two"]);
    }
}
