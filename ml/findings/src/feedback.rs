//! What people said changes what is told next. A pure function of findings and of what was said up to their time, so that a replay with the same
//! documents gives the same states.
//!
//! - `no` to a kind of finding about a subject raises what it takes to tell the next one of the same kind and subject: half as much again for each
//!   `no`, given back by each `yes`.
//! - `planned` holds for everything about the subject from the anomaly's start until the time that was named, or for a day.

use grid_model::Timestamp;
use grid_model::table::anomalies::AnomalyRow;
use grid_model::time::DAY_NS;

use crate::decision::{Answer, Said};

/// Each `no` makes the bar so much higher.
const RAISE: f64 = 1.5;
/// The bar never rises above this, whatever is said.
const BAR_MAX: f64 = 8.0;
/// How long something planned lasts if nobody says.
const PLANNED_NS: i64 = DAY_NS;

/// The score that the next finding of a kind about a subject must have, by what was said before a time; 1 if nothing was.
pub fn bar(said: &[(String, Said)], kind: &str, subject: &str, before: Timestamp) -> f64 {
    let about = said.iter().filter(|(_, s)| s.kind == kind && s.subject == subject && s.at <= before.0);
    about
        .fold(1.0_f64, |bar, (_, s)| match s.answer {
            Answer::No => bar * RAISE,
            Answer::Yes => bar / RAISE,
            Answer::Planned => bar,
        })
        .clamp(1.0, BAR_MAX)
}

/// Gives every finding its state. `said` is in order of time; findings that were answered themselves keep their answer, those that the bar or a plan
/// holds back are `dismissed` or `planned`, and stay readable.
pub fn apply(rows: &mut [AnomalyRow], said: &[(String, Said)]) {
    for row in rows {
        let own = said.iter().rev().find(|(id, _)| *id == row.anomaly_id);
        let planned = || {
            said.iter().any(|(_, s)| {
                let until = s.until.unwrap_or(s.start.saturating_add(PLANNED_NS));
                s.answer == Answer::Planned
                    && s.subject == row.subject
                    && s.start <= row.start_time.0
                    && row.start_time.0 <= until
            })
        };
        row.state = match own {
            Some((_, s)) => s.answer.state(),
            None if planned() => Answer::Planned.state(),
            None if row.score < bar(said, &row.kind, &row.subject, row.start_time) => Answer::No.state(),
            None => "open",
        }
        .to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, start: i64, score: f64) -> AnomalyRow {
        AnomalyRow {
            anomaly_id: id.to_owned(),
            kind: "errors".to_owned(),
            subject: "shop".to_owned(),
            start_time: Timestamp(start),
            score,
            ..AnomalyRow::default()
        }
    }

    fn said(id: &str, answer: Answer, start: i64, until: Option<i64>) -> (String, Said) {
        let said =
            Said { answer, kind: "errors".into(), subject: "shop".into(), start, at: start + 1, until, note: None };
        (id.to_owned(), said)
    }

    fn check(said: &[(String, Said)], expected: [&str; 4]) {
        let mut rows = [row("a", 0, 2.0), row("b", 10, 1.2), row("c", 20, 2.0), row("d", 30, 9.0)];
        apply(&mut rows, said);
        assert_eq!(rows.each_ref().map(|r| r.state.as_str()), expected);
        let again = rows.clone();
        apply(&mut rows, said);
        assert_eq!(rows, again, "a replay gives the same");
    }

    #[test]
    fn what_is_said_changes_what_comes() {
        use Answer::{No, Planned, Yes};
        check(&[], ["open", "open", "open", "open"]);
        check(&[said("a", No, 0, None)], ["dismissed", "dismissed", "open", "open"]);
        check(&[said("a", No, 0, None), said("b", No, 10, None)], ["dismissed", "dismissed", "dismissed", "open"]);
        check(&[said("a", No, 0, None), said("b", Yes, 10, None)], ["dismissed", "confirmed", "open", "open"]);
        check(&[said("b", Planned, 10, Some(20))], ["open", "planned", "planned", "open"]);
    }
}
