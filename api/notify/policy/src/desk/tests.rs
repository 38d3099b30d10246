use grid_model::time::{MINUTE_NS, SECOND_NS};
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::matcher::parse as matchers;
use crate::message::Status;

const CONFIG: &str = "
global: {resolve_timeout: 5m}
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 1h
  routes:
  - matchers: [team=night]
    receiver: ops
    mute_time_intervals: [early]
  - matchers: [team=quiet]
    receiver: quiet
inhibit_rules:
- source_matchers: [alertname=Outage]
  target_matchers: [severity=warning]
  equal: [site]
time_intervals: [{name: early, time_intervals: [{times: [{start_time: '00:00', end_time: '00:30'}]}]}]
receivers:
- name: ops
  webhook_configs: [{url: 'http://ops/'}]
- name: quiet
  webhook_configs: [{url: 'http://quiet/', send_resolved: false}]
";

fn labels(text: &str) -> LabelSet {
    text.split(',').filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// A desk in a play: minutes in, messages out.
struct Play {
    plan: Plan,
    desk: Desk,
}

impl Play {
    fn new() -> Self {
        Self { plan: Config::parse(CONFIG).unwrap().plan, desk: Desk::default() }
    }

    /// An alert that fires since a minute (`ends` absent: until it is heard no more), sent at a time in seconds.
    fn send(&mut self, second: i64, text: &str, ends: Option<i64>) {
        let now = Timestamp(second * SECOND_NS);
        let ends_at = ends.map(|s| Timestamp(s * SECOND_NS));
        let alert =
            Alert { labels: labels(text), starts_at: ends_at.unwrap_or(now).min(now), ends_at, ..Alert::default() };
        let admitted = self.desk.admit(&self.plan, vec![alert], now);
        assert_eq!(admitted.refused, []);
        self.desk.insert(&self.plan, admitted.held, now);
    }

    /// Lets time pass; what is told: `30 ops firing a,b resolved c`.
    fn until(&mut self, second: i64) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(next) = self.desk.next_due().filter(|next| next.0 <= second * SECOND_NS) {
            let due = self.desk.due(&self.plan, "", next);
            for out in &due.messages {
                let of = |status: Status| {
                    let names =
                        out.message.of_status(status).map(|a| a.labels.values().cloned().collect::<Vec<_>>().join("/"));
                    names.collect::<Vec<_>>().join(" ")
                };
                let (firing, resolved) = (of(Status::Firing), of(Status::Resolved));
                told.push(format!("{}s {}: +[{firing}] -[{resolved}]", next.0 / SECOND_NS, out.message.receiver));
            }
            self.desk.told(due);
        }
        told
    }

    /// What a restart leaves: alerts, log, silences.
    fn restart(&mut self, second: i64) {
        let before = std::mem::take(&mut self.desk);
        self.desk = Desk { alerts: before.alerts, silences: before.silences, log: before.log, ..Desk::default() };
        self.desk.regroup(&self.plan, Timestamp(second * SECOND_NS));
    }
}

#[test]
fn a_group_waits_then_tells_of_changes_then_repeats() {
    let mut play = Play::new();
    play.send(0, "alertname=A,i=1", Some(99_999));
    play.send(10, "alertname=A,i=2", Some(99_999));
    play.send(20, "alertname=B,i=1", Some(99_999));
    assert_eq!(play.until(29), [""; 0]);
    assert_eq!(play.until(60), ["30s ops: +[A/1 A/2] -[]", "50s ops: +[B/1] -[]"]);
    // Nothing new: nothing told until it is repeated.
    assert_eq!(play.until(3000), [""; 0]);
    play.send(3001, "alertname=A,i=2", Some(3001));
    assert_eq!(play.until(3300), ["3030s ops: +[A/1] -[A/2]"]);
    assert_eq!(play.until(7000), ["3950s ops: +[B/1] -[]", "6930s ops: +[A/1] -[]"]);
}

#[test]
fn all_resolved_is_told_once_and_what_was_never_told_is_not() {
    let mut play = Play::new();
    play.send(0, "alertname=A,i=1", Some(99_999));
    assert_eq!(play.until(40), ["30s ops: +[A/1] -[]"]);
    play.send(41, "alertname=A,i=1", Some(41));
    // It was short: nobody knew, nobody need know.
    play.send(50, "alertname=A,i=2", Some(51));
    assert_eq!(play.until(900), ["330s ops: +[] -[A/1 A/2]"]);
    assert_eq!(play.desk.groups().count(), 0);
    assert!(play.desk.alerts.values().all(|a| a.settled));
    // Repeated ends are no news; a new spell is.
    play.send(901, "alertname=A,i=1", Some(41));
    assert_eq!(play.until(2000), [""; 0]);
    play.send(2001, "alertname=A,i=1", Some(99_999));
    assert_eq!(play.until(2100), ["2031s ops: +[A/1] -[]"]);
    let stale = play.desk.stale(&play.plan, Timestamp(3000 * SECOND_NS));
    assert_eq!(stale.forget.len(), 1);
}

#[test]
fn what_is_heard_no_more_resolves() {
    let mut play = Play::new();
    play.send(0, "alertname=A", None);
    assert_eq!(play.until(100), ["30s ops: +[A] -[]"]);
    play.send(200, "alertname=A", None);
    assert_eq!(play.until(499), [""; 0]);
    assert_eq!(play.until(700), ["630s ops: +[] -[A]"]);
}

#[test]
fn receivers_that_do_not_want_resolved_are_spared() {
    let mut play = Play::new();
    play.send(0, "alertname=A,team=quiet", Some(99_999));
    assert_eq!(play.until(40), ["30s quiet: +[A/quiet] -[]"]);
    play.send(50, "alertname=A,team=quiet", Some(50));
    assert_eq!(play.until(400), [""; 0]);
    // But what fires again is told again.
    play.send(500, "alertname=A,team=quiet", Some(99_999));
    assert_eq!(play.until(600), ["530s quiet: +[A/quiet] -[]"]);
}

#[test]
fn silences_inhibition_and_intervals_mute() {
    let mut play = Play::new();
    play.desk.silences.insert(
        "s".to_owned(),
        Silence {
            id: "s".to_owned(),
            matchers: matchers("i=1").unwrap(),
            starts_at: Timestamp(0),
            ends_at: Timestamp(600 * SECOND_NS),
            created_by: String::new(),
            comment: String::new(),
            updated_at: Timestamp(0),
        },
    );
    play.send(0, "alertname=A,i=1", Some(99_999));
    play.send(0, "alertname=A,i=2", Some(99_999));
    play.send(0, "alertname=Slow,severity=warning,site=x", Some(99_999));
    play.send(0, "alertname=Slow,severity=warning,site=y", Some(99_999));
    play.send(0, "alertname=Outage,site=x", Some(400));
    play.send(0, "alertname=N,team=night", Some(99_999));
    let slow = labels("alertname=Slow,severity=warning,site=x");
    assert!(play.desk.muted(&play.plan, &slow, Timestamp(SECOND_NS)).inhibited);
    let silenced = play.desk.muted(&play.plan, &labels("alertname=A,i=1"), Timestamp(SECOND_NS));
    assert_eq!((silenced.silenced_by, silenced.inhibited), (vec!["s".to_owned()], false));
    assert_eq!(play.until(60), ["30s ops: +[A/2] -[]", "30s ops: +[Outage/x] -[]", "30s ops: +[Slow/warning/y] -[]"]);
    assert_eq!(
        play.until(700),
        ["630s ops: +[A/1 A/2] -[]", "630s ops: +[] -[Outage/x]", "630s ops: +[Slow/warning/x Slow/warning/y] -[]"]
    );
    // The night ends at 00:30.
    assert_eq!(play.until(1900), ["1830s ops: +[N/night] -[]"]);
}

#[test]
fn a_restart_neither_loses_nor_repeats() {
    let mut play = Play::new();
    play.send(0, "alertname=A,i=1", Some(99_999));
    play.send(0, "alertname=A,i=2", Some(99_999));
    assert_eq!(play.until(40), ["30s ops: +[A/1 A/2] -[]"]);
    play.send(50, "alertname=A,i=2", Some(50));
    assert_eq!(play.until(400), ["330s ops: +[A/1] -[A/2]"]);
    play.send(400, "alertname=A,i=3", Some(99_999));
    assert_eq!(play.until(700), ["630s ops: +[A/1 A/3] -[]"]);
    play.restart(700);
    assert_eq!(play.until(2000), [""; 0]);
    // What was over and not yet told is told after it.
    play.send(2000, "alertname=A,i=3", Some(2000));
    play.restart(2001);
    assert_eq!(play.until(2100), ["2001s ops: +[A/1] -[A/3]"]);
}

#[test]
fn changed_routes_keep_the_pace_of_groups_that_stay() {
    let mut play = Play::new();
    play.send(0, "alertname=A", Some(99_999));
    play.send(0, "alertname=B,team=quiet", Some(99_999));
    play.until(40);
    let before: Vec<_> = play.desk.groups().map(|(id, next, n)| (id.clone(), next, n)).collect();
    play.desk.regroup(&play.plan, Timestamp(60 * SECOND_NS));
    assert_eq!(play.desk.groups().map(|(id, next, n)| (id.clone(), next, n)).collect::<Vec<_>>(), before);
    play.plan = Config::parse(&CONFIG.replace("team=quiet", "team=other")).unwrap().plan;
    play.desk.regroup(&play.plan, Timestamp(60 * SECOND_NS));
    assert_eq!(play.until(100), ["60s ops: +[B/quiet] -[]"]);
}

#[test]
fn too_many_alerts_are_refused_and_too_many_groups_share_one() {
    let mut play = Play::new();
    let alerts =
        |n: usize| (0..n).map(|i| Alert { labels: labels(&format!("alertname=A{i}")), ..Alert::default() }).collect();
    let admitted = play.desk.admit(&play.plan, alerts(ALERTS_PER_TENANT_MAX + 2), Timestamp(MINUTE_NS));
    assert_eq!(
        admitted.refused.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(),
        [AlertError::Full, AlertError::Full]
    );
    let some = admitted.held.into_iter().take(GROUPS_PER_TENANT_MAX + 5).collect();
    play.desk.insert(&play.plan, some, Timestamp(MINUTE_NS));
    assert_eq!(play.desk.groups().count(), GROUPS_PER_TENANT_MAX + 1);
}

proptest! {
    /// Whatever happens when, restarts included: a receiver that believes each message knows in the end what fires.
    #[test]
    fn receivers_end_up_with_the_truth(
        events in prop::collection::vec((0i64..2000, 0usize..2, 0usize..3, any::<bool>(), 0u8..10), 1..40),
    ) {
        let mut events = events;
        events.sort_by_key(|e| e.0);
        let mut play = Play::new();
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut truth: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        let learn = |play: &mut Play, second: i64, known: &mut BTreeMap<String, BTreeSet<String>>| {
            while let Some(next) = play.desk.next_due().filter(|next| next.0 <= second * SECOND_NS) {
                let due = play.desk.due(&play.plan, "", next);
                for out in &due.messages {
                    let group = known.entry(out.group.clone()).or_default();
                    for alert in &out.message.alerts {
                        let id = alert.fingerprint.clone();
                        if alert.status == Status::Firing { group.insert(id); } else { group.remove(&id); }
                    }
                }
                play.desk.told(due);
            }
        };
        for (second, name, i, fires, restart) in events {
            learn(&mut play, second, &mut known);
            if restart == 0 {
                play.restart(second);
            }
            play.send(second, &format!("alertname=A{name},i={i}"), Some(if fires { 999_999 } else { second }));
            truth.insert((name, i), fires);
        }
        learn(&mut play, 4000, &mut known);
        let mut told: Vec<String> = known.into_values().flatten().collect();
        let firing = truth.into_iter().filter(|(_, fires)| *fires);
        let mut expected: Vec<String> =
            firing.map(|((n, i), _)| Fingerprint::of(&labels(&format!("alertname=A{n},i={i}"))).to_string()).collect();
        told.sort();
        expected.sort();
        prop_assert_eq!(told, expected);
    }
}
