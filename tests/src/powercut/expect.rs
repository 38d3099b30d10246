//! What must be found after a cut, and what may be.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context;
use serde_json::Value;

use super::trace::{Event, Mark};
use super::workload::{AGAIN_METRIC, Ask, KEPT_METRIC, ROWS, Request};

/// One statement that answers every row of the workload: what it is, whose it is, its own name, a value.
pub fn query() -> String {
    "SELECT 'line' AS kind, service AS a, body AS b, '' AS c FROM logs \
     UNION ALL SELECT 'span', service, name, '' FROM spans \
     UNION ALL SELECT 'charge', source, charge_description, '' FROM charges \
     UNION ALL SELECT 'sample', se.metric, CAST(CAST(sa.time AS BIGINT) AS VARCHAR), CAST(sa.value AS VARCHAR) \
       FROM samples sa LEFT JOIN series se ON sa.series_id = se.series_id"
        .to_owned()
}

/// The requests that the driver had made, as far as they had come, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Known {
    sent: HashSet<u64>,
    acknowledged: BTreeSet<u64>,
}

impl Known {
    /// Takes note of an event.
    pub fn apply(&mut self, event: &Event<'_>) {
        match event {
            Event::Mark(Mark::Sent(id)) => drop(self.sent.insert(*id)),
            Event::Mark(Mark::Acknowledged(id)) => drop(self.acknowledged.insert(*id)),
            _ => {}
        }
    }

    /// Whether nothing was acknowledged yet.
    pub fn is_empty(&self) -> bool {
        self.acknowledged.is_empty()
    }
}

/// What was found against what was known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that had been acknowledged, and not deleted since.
    pub acknowledged: u64,
    /// Of these, missing.
    pub lost: u64,
    /// Everything that is wrong, in words.
    pub wrong: Vec<String>,
}

/// Rows found, by request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of each request: its rows by number, and how often each is there.
    rows: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// Of the samples that are written again and again: the request whose value each has.
    again: BTreeMap<String, Vec<u64>>,
    strange: Vec<String>,
}

impl Found {
    /// Reads the answer to [`query`], one object per line.
    pub fn parse(ndjson: &str) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for line in ndjson.lines().filter(|l| !l.is_empty()) {
            let row: Value = serde_json::from_str(line).with_context(|| format!("read {line}"))?;
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            let (id, n) = match (text("kind"), text("a")) {
                ("sample", AGAIN_METRIC) => {
                    let value = text("c").parse::<f64>().context("read a value")?;
                    found.again.entry(text("b").to_owned()).or_default().push(value as u64);
                    continue;
                }
                ("sample", KEPT_METRIC) => {
                    let value = text("c").parse::<f64>().context("read a value")? as u64;
                    (value / ROWS, value % ROWS)
                }
                ("line" | "span" | "charge", _) if text("b").contains('/') => {
                    let (id, n) = text("b").split_once('/').context("read a row")?;
                    (id.parse()?, n.parse()?)
                }
                _ => {
                    found.strange.push(line.to_owned());
                    continue;
                }
            };
            *found.rows.entry(id).or_default().entry(n).or_default() += 1;
        }
        Ok(found)
    }
}

/// Judges.
pub fn judge(requests: &[Request], known: &Known, found: &Found) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.wrong.extend(found.strange.iter().take(3).map(|row| format!("nobody wrote {row}")));
    let asks: HashMap<u64, &Ask> = requests.iter().map(|(id, ask)| (*id, ask)).collect();
    let gone = Gone::of(requests, known);
    for (id, ask) in requests {
        let (sent, acknowledged) = (known.sent.contains(id), known.acknowledged.contains(id));
        let rows = found.rows.get(id);
        match ask {
            Ask::Rows(kind) => {
                let must = acknowledged && !gone.maybe.contains(id);
                let may = sent && !gone.surely.contains(id);
                verdict.whole_or_none(*id, kind, rows, must, may);
            }
            Ask::OldRows => {
                if gone.partly.contains(id) {
                    // Retention takes files one after the other; only doubles and the dead are wrong.
                    if rows.is_some_and(|r| r.values().any(|n| *n > 1)) {
                        verdict.wrong.push(format!("old spans of request {id} are doubled: {rows:?}"));
                    }
                } else {
                    let may = sent && !gone.surely.contains(id);
                    verdict.whole_or_none(*id, "old span", rows, acknowledged && may, may);
                }
            }
            _ => {}
        }
    }
    for (id, rows) in &found.rows {
        match asks.get(id) {
            Some(Ask::Rows(_) | Ask::OldRows | Ask::Restate) => {}
            other => verdict.wrong.push(format!("rows of request {id} ({other:?}): {rows:?}")),
        }
    }
    verdict.latest_only(requests, known, &Ask::Restate, "restated bill", |id| found.rows.get(&id).cloned());
    let mut again: BTreeMap<u64, BTreeMap<u64, u64>> = BTreeMap::new();
    for (n, (time, values)) in found.again.iter().enumerate() {
        if values.len() != 1 {
            verdict.wrong.push(format!("sample at {time} is there {} times: {values:?}", values.len()));
        }
        values.iter().for_each(|id| *again.entry(*id).or_default().entry(n as u64).or_default() += 1);
    }
    verdict.latest_only(requests, known, &Ask::Overwrite, "overwritten samples", |id| again.get(&id).cloned());
    verdict
}

/// Requests whose rows deletes and retention may have taken.
#[derive(Default)]
struct Gone {
    /// A delete that covers them was acknowledged, or they were seen to be gone.
    surely: HashSet<u64>,
    /// One was sent that takes all of a request or nothing.
    maybe: HashSet<u64>,
    /// One was sent that takes any part.
    partly: HashSet<u64>,
}

impl Gone {
    fn of(requests: &[Request], known: &Known) -> Self {
        let mut gone = Self::default();
        for (id, ask) in requests.iter().filter(|(id, _)| known.sent.contains(id)) {
            match ask {
                Ask::Delete(covered) => gone.maybe.extend(covered),
                // Numbers ascend: what came before may be covered too, if it was written without an acknowledgement.
                Ask::Expire => gone.partly.extend(requests.iter().map(|r| r.0).take_while(|r| r < id)),
                _ => {}
            }
        }
        for (_, ask) in requests.iter().filter(|(id, _)| known.acknowledged.contains(id)) {
            if let Ask::Delete(covered) | Ask::SeenGone(covered) = ask {
                gone.surely.extend(covered);
            }
        }
        gone.partly.retain(|id| !gone.surely.contains(id));
        gone
    }
}

impl Verdict {
    /// A request is atomic: each of its rows once, or none.
    fn whole_or_none(&mut self, id: u64, kind: &str, rows: Option<&BTreeMap<u64, u64>>, must: bool, may: bool) {
        let whole = rows.is_some_and(is_whole);
        if must {
            self.acknowledged += ROWS;
            self.lost += (0..ROWS).filter(|n| rows.is_none_or(|r| !r.contains_key(n))).count() as u64;
        }
        let what = match (whole, rows) {
            (true, _) if may => return,
            (true, _) => "should not be there",
            (false, None) if !must => return,
            (false, None) => "is lost",
            (false, Some(_)) => "is not whole",
        };
        self.wrong.push(format!("{kind} request {id} {what}: {rows:?}"));
    }

    /// Of requests that replace each other, exactly the latest counts: the last acknowledged, or one sent after it.
    fn latest_only(
        &mut self,
        requests: &[Request],
        known: &Known,
        ask: &Ask,
        kind: &str,
        found: impl Fn(u64) -> Option<BTreeMap<u64, u64>>,
    ) {
        let ids: Vec<u64> = requests.iter().filter(|(_, a)| a == ask).map(|(id, _)| *id).collect();
        let last = ids.iter().copied().filter(|id| known.acknowledged.contains(id)).max();
        let there: Vec<(u64, BTreeMap<u64, u64>)> = ids.iter().filter_map(|id| Some((*id, found(*id)?))).collect();
        if last.is_some() {
            self.acknowledged += ROWS;
        }
        match there.as_slice() {
            [] if last.is_none() => {}
            [(id, rows)] if is_whole(rows) && known.sent.contains(id) && last.is_none_or(|last| last <= *id) => {}
            _ => {
                if there.iter().all(|(id, _)| last.is_some_and(|last| *id < last)) {
                    self.lost += ROWS;
                }
                self.wrong.push(format!("{kind}: acknowledged last {last:?}, found {there:?}"));
            }
        }
    }
}

fn is_whole(rows: &BTreeMap<u64, u64>) -> bool {
    rows.len() as u64 == ROWS && rows.iter().all(|(n, times)| *n < ROWS && *times == 1)
}
