use proptest::prelude::*;

use super::*;

fn queued(id: i64) -> Queued {
    Queued { id, created: Timestamp(0), attempts: 0, next: Timestamp(0) }
}

#[test]
fn pauses_grow_and_are_spread() {
    let policy = RetryPolicy::default();
    for (attempts, from_s, to_s) in
        [(1, 0.5, 1.0), (2, 1.0, 2.0), (5, 8.0, 16.0), (10, 256.0, 512.0), (11, 300.0, 600.0), (90, 300.0, 600.0)]
    {
        let mut seen = BTreeSet::new();
        for id in 0..100 {
            let pause = policy.pause_ns(id, attempts);
            let seconds = pause as f64 / 1e9;
            assert!((from_s..=to_s).contains(&seconds), "{attempts}: {seconds}");
            assert_eq!(pause, policy.pause_ns(id, attempts), "the same seed, the same pause");
            seen.insert(pause);
        }
        assert!(seen.len() > 90, "{attempts}");
    }
    assert_ne!(policy.pause_ns(1, 1), RetryPolicy { seed: 1, ..policy }.pause_ns(1, 1));
}

#[test]
fn retry_after_is_honoured_for_the_whole_target() {
    let policy = RetryPolicy::default();
    let mut queue = Queue::default();
    queue.push("t", "a", queued(1));
    queue.push("t", "b", queued(2));
    queue.push("other", "a", queued(3));
    let attempts = queue.take(Timestamp(0), 2);
    assert_eq!(attempts.iter().map(|a| a.id).collect::<Vec<_>>(), [3, 1]);
    let outcome = Outcome::Failed { retry_after_ns: Some(30 * SECOND_NS) };
    let step = queue.judge(&attempts[1], outcome, &policy, Timestamp(0));
    assert_eq!(step, Step::Again { next: Timestamp(30 * SECOND_NS), attempts: 1 });
    queue.apply(&attempts[1], outcome, step, Timestamp(0));
    assert_eq!(queue.next_due(), Some(Timestamp(30 * SECOND_NS)));
    assert_eq!(queue.take(Timestamp(29 * SECOND_NS), 9), []);
    // One place while it fails.
    assert_eq!(queue.take(Timestamp(30 * SECOND_NS), 9).len(), 1);
    // Nobody may ask for more than an hour.
    let asks = Outcome::Failed { retry_after_ns: Some(i64::MAX) };
    assert_eq!(
        queue.judge(&attempts[0], asks, &policy, Timestamp(0)),
        Step::Again { next: Timestamp(HOUR_NS), attempts: 1 }
    );
}

#[test]
fn what_fails_for_too_long_or_is_refused_is_set_aside() {
    let policy = RetryPolicy::default();
    let mut queue = Queue::default();
    queue.push("t", "g", queued(1));
    let attempt = queue.take(Timestamp(0), 1).remove(0);
    let failed = Outcome::Failed { retry_after_ns: None };
    for (now, outcome, dead) in
        [(0, failed, false), (23 * HOUR_NS, failed, false), (24 * HOUR_NS, failed, true), (0, Outcome::Refused, true)]
    {
        let step = queue.judge(&attempt, outcome, &policy, Timestamp(now));
        assert_eq!(matches!(step, Step::Dead { .. }), dead, "{now} {outcome:?}");
    }
}

#[test]
fn a_full_target_loses_its_oldest_and_no_other() {
    let mut queue = Queue::default();
    queue.push("other", "g", queued(0));
    for id in 1..=QUEUE_PER_TARGET_MAX as i64 {
        assert_eq!(queue.push("t", if id == 1 { "busy" } else { "g" }, queued(id)), None);
    }
    // The oldest is under way.
    let under_way = queue.take(Timestamp(0), 2);
    assert_eq!(under_way.iter().map(|a| a.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(queue.push("t", "g", queued(1_000_000)), Some(2));
    assert_eq!(queue.of_target("t").0, QUEUE_PER_TARGET_MAX);
    assert_eq!(queue.drop_target("t").len(), QUEUE_PER_TARGET_MAX);
    queue.apply(&under_way[1], Outcome::Delivered, Step::Delivered, Timestamp(0));
    assert_eq!(queue.len(), 1);
}

proptest! {
    /// Whatever receivers and crashes do: nothing is lost, each group's deliveries arrive in order, other targets are not held up.
    #[test]
    fn nothing_is_lost_and_order_is_kept(
        pushes in prop::collection::vec((0usize..3, 0usize..3), 1..60),
        fates in prop::collection::vec(0u8..8, 400),
        crash_every in 5usize..50,
    ) {
        let policy = RetryPolicy { give_up_ns: i64::MAX, ..RetryPolicy::default() };
        let name = |target: usize| ["t0", "t1", "t2"][target].to_owned();
        // What is durable: state by id.
        let mut kept: BTreeMap<i64, (String, String, Queued)> = BTreeMap::new();
        for (id, (target, group)) in pushes.iter().enumerate() {
            let id = id as i64;
            kept.insert(id, (name(*target), format!("g{group}"), queued(id)));
        }
        let load = |kept: &BTreeMap<i64, (String, String, Queued)>| {
            let mut queue = Queue::default();
            for (target, group, delivery) in kept.values() {
                queue.push(target, group, *delivery);
            }
            queue
        };
        let total = kept.len();
        let (mut queue, mut now, mut arrived) = (load(&kept), Timestamp(0), Vec::<(String, String, i64)>::new());
        let mut fates = fates.into_iter().chain(std::iter::repeat(0));
        let mut rounds = 0;
        while !kept.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 10_000);
            let Some(next) = queue.next_due() else {
                return Err(TestCaseError::fail("nothing is due and something waits"));
            };
            now = now.max(next);
            for attempt in queue.take(now, 2) {
                let outcome = match fates.next() {
                    Some(0..=3) => Outcome::Delivered,
                    Some(4) => Outcome::Failed { retry_after_ns: Some(SECOND_NS) },
                    Some(5) => {
                        // It arrived, but the answer was lost.
                        arrived.push((attempt.target.clone(), attempt.group.clone(), attempt.id));
                        Outcome::Failed { retry_after_ns: None }
                    }
                    _ => Outcome::Failed { retry_after_ns: None },
                };
                if outcome == Outcome::Delivered {
                    arrived.push((attempt.target.clone(), attempt.group.clone(), attempt.id));
                }
                let step = queue.judge(&attempt, outcome, &policy, now);
                match step {
                    Step::Delivered => { kept.remove(&attempt.id); }
                    Step::Again { next, attempts } => {
                        if let Some((_, _, delivery)) = kept.get_mut(&attempt.id) {
                            (delivery.next, delivery.attempts) = (next, attempts);
                        }
                    }
                    Step::Dead { .. } => return Err(TestCaseError::fail("nobody gives up here")),
                }
                queue.apply(&attempt, outcome, step, now);
            }
            if rounds % crash_every == 0 {
                queue = load(&kept);
            }
        }
        prop_assert!(queue.is_empty() && queue.next_due().is_none());
        prop_assert!(arrived.iter().map(|a| a.2).collect::<BTreeSet<_>>().len() == total);
        let mut last: BTreeMap<(String, String), i64> = BTreeMap::new();
        for (target, group, id) in arrived {
            let before = last.insert((target, group), id);
            prop_assert!(before.is_none_or(|before| before <= id));
        }
    }

    #[test]
    fn one_target_never_takes_the_places_of_others(hanging in 1usize..6) {
        let mut queue = Queue::default();
        for target in 0..hanging {
            for id in 0..20 {
                queue.push(&format!("hangs{target}"), &format!("g{id}"), queued((target * 20) as i64 + id));
            }
        }
        queue.push("well", "g", queued(10_000));
        let attempts = queue.take(Timestamp(0), hanging * IN_FLIGHT_PER_TARGET_MAX + 1);
        prop_assert!(attempts.iter().any(|a| a.target == "well"));
        prop_assert_eq!(attempts.len(), hanging * IN_FLIGHT_PER_TARGET_MAX + 1);
    }
}
