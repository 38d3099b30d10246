//! Health by the answer of a query (PromQL or SQL, asked by others), and smoke checks over HTTP.

use serde::{Deserialize, Serialize};

use super::{Answer, Verdict};

/// What an answer is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Bound {
    /// It may be at most this.
    AtMost(f64),
    /// It must be at least this.
    AtLeast(f64),
}

/// Every series of a query's answer must keep to the bound. An answer without series holds: nobody is healthy because nobody is there.
pub fn health(answer: &Answer<Vec<(String, f64)>>, bound: Bound) -> Verdict {
    let series = match answer {
        Answer::Here(series) => series,
        Answer::Missing(why) => return Verdict::Hold(format!("the query has no answer: {why}")),
    };
    let (limit, word) = match bound {
        Bound::AtMost(limit) => (limit, "at most"),
        Bound::AtLeast(limit) => (limit, "at least"),
    };
    if !limit.is_finite() {
        return Verdict::Hold(format!("the bound {limit} is no number to compare with"));
    }
    if series.is_empty() {
        return Verdict::Hold("the query found nothing".to_owned());
    }
    let is_broken = |value: f64| match bound {
        Bound::AtMost(limit) => value > limit,
        Bound::AtLeast(limit) => value < limit,
    };
    // What is broken is told before what is not known: a failure stays one.
    if let Some((name, value)) = series.iter().find(|(_, v)| !v.is_nan() && is_broken(*v)) {
        return Verdict::Fail(format!("{name} is {value}, and must be {word} {limit}"));
    }
    if let Some((name, value)) = series.iter().find(|(_, v)| !v.is_finite()) {
        return Verdict::Hold(format!("{name} is {value}, which says nothing"));
    }
    Verdict::Pass(format!("{} series are {word} {limit}", series.len()))
}

/// One smoke check's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoke {
    /// The status of HTTP.
    pub status: u16,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// The body.
    pub body: String,
}

/// What a smoke check expects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Expected {
    /// This status; any of 200 to 299 if none is named.
    pub status: Option<u16>,
    /// This text somewhere in the body.
    pub body: Option<String>,
    /// At most so long, in milliseconds.
    pub within_ms: Option<f64>,
}

/// Smoke checks, tried some times: one that is as expected passes; if none is, the last says why. Nobody who answers at all holds.
pub fn smoke(answers: &[Answer<Smoke>], expected: &Expected) -> Verdict {
    let mut last = Verdict::Hold("it has not been tried".to_owned());
    for answer in answers {
        last = match answer {
            Answer::Missing(why) => Verdict::Hold(format!("no answer: {why}")),
            Answer::Here(smoke) => one(smoke, expected),
        };
        if last.is_pass() {
            return last;
        }
    }
    last
}

fn one(smoke: &Smoke, expected: &Expected) -> Verdict {
    let is_status = match expected.status {
        Some(status) => smoke.status == status,
        None => (200..300).contains(&smoke.status),
    };
    if !is_status {
        return Verdict::Fail(format!("status {}", smoke.status));
    }
    if expected.body.as_ref().is_some_and(|text| !smoke.body.contains(text)) {
        return Verdict::Fail("the body lacks what was expected".to_owned());
    }
    match expected.within_ms {
        Some(limit) if !smoke.took_ms.is_finite() || !limit.is_finite() => {
            Verdict::Hold("how long it took is not known".to_owned())
        }
        Some(limit) if smoke.took_ms > limit => {
            Verdict::Fail(format!("it took {} ms, more than {limit}", smoke.took_ms))
        }
        _ => Verdict::Pass(format!("status {}", smoke.status)),
    }
}
