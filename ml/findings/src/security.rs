//! What an attacker would leave: many refused logins, a destination that nobody talked to, rights that nobody gave, money in a region that nobody used.
//!
//! None of these is proof. So all of them are told late rather than often: a subject needs days of its own past before anything about it is new,
//! something needs to happen several times, and who does new things all the time (a crawler, a platform that is being built) is not told at all.

use std::collections::BTreeMap;

use crate::limits::SERIES_MAX;
use crate::signal::poisson_tail;

/// The name of the model.
pub const MODEL: &str = "strangers";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Refused logins, as a regular expression over lower-case lines: OpenSSH, PAM, databases, web frameworks, clouds' audit logs.
pub const REFUSED: &str = "(failed|invalid|incorrect|wrong|bad) (password|login|credential|token|api key|user)|authentication (failed|failure|error)\
|login (failed|failure|refused)|unauthorized|not authorized|access ?denied|permission denied";
/// Rights that are given, likewise: IAM of AWS, Google Cloud and Azure, Kubernetes, databases, Unix.
pub const GRANTED: &str = "attach(user|role|group)policy|put(user|role|group)policy|createaccesskey|createloginprofile|setiampolicy\
|roleassignments/write|clusterrolebinding|cluster-admin|grant all privileges|granted (role|superuser|admin)\
|added to (group )?'?(sudo|wheel|admin|administrators|docker)|usermod .*(sudo|wheel)";
/// Hours of a subject's past before anything about it is new: a week.
pub const HISTORY_HOURS: usize = 7 * 24;
/// Refused logins of an hour.
pub const REFUSED_MIN: u64 = 30;
/// Calls of a new destination.
pub const CALLS_MIN: f64 = 5.0;
/// New things of one subject, in all that is looked at, from which on it is its habit.
pub const HABIT: usize = 3;
/// Probability below which an hour is no chance.
const CHANCE: f64 = 1e-9;
/// Hours that say what is usual.
const REFERENCE: usize = 7 * 24;

/// Hours with far more refused logins than ever.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// The hour in which it began.
    pub start: usize,
    /// The hour after the last; `None` while it lasts.
    pub end: Option<usize>,
    /// Lines of its worst hour.
    pub lines: u64,
    /// Lines of a usual hour.
    pub expected: f64,
    /// 1 is just worth telling.
    pub score: f64,
}

/// Bursts of refused logins, hour by hour, each judged by the hours before it. `begin` is the first hour of which anything is known. Bursts within
/// a day are one.
pub fn bursts(lines: &[u64], begin: usize) -> Vec<Burst> {
    let mut found: Vec<Burst> = Vec::new();
    for (hour, count) in lines.iter().copied().enumerate().skip(begin + 24) {
        let before = &lines[hour.saturating_sub(REFERENCE).max(begin)..hour];
        // An attack that goes on must not make itself usual.
        let usual: Vec<u64> = before
            .iter()
            .enumerate()
            .filter(|(n, _)| found.iter().all(|b| hour - before.len() + n < b.start))
            .map(|(_, l)| *l)
            .collect();
        let busiest = usual.iter().copied().max().unwrap_or(0) as f64;
        let chance = poisson_tail(count as f64, busiest.max(0.5));
        if count < REFUSED_MIN || (count as f64) < 3.0 * busiest || chance >= CHANCE {
            continue;
        }
        let score = (chance.max(1e-300).ln() / CHANCE.ln()).min(30.0);
        let end = (hour + 1 < lines.len()).then_some(hour + 1);
        match found.last_mut().filter(|b| hour - b.end.unwrap_or(hour) <= 24) {
            Some(burst) => {
                burst.end = end;
                burst.lines = burst.lines.max(count);
                burst.score = burst.score.max(score);
            }
            None => {
                let expected = usual.iter().sum::<u64>() as f64 / usual.len().max(1) as f64;
                found.push(Burst { start: hour, end, lines: count, expected, score });
            }
        }
    }
    found
}

/// Something that a subject did: called a destination, spent in a region, gave a right.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The service, account or actor.
    pub subject: String,
    /// What.
    pub what: String,
    /// The hour in which it was first seen.
    pub first: i64,
    /// How often, or how much.
    pub count: f64,
}

/// What is new, `(its number, its score)`: first seen after [`HISTORY_HOURS`] of its subject's past, at least so often, by a subject of which
/// fewer than [`HABIT`] things are new.
pub fn newcomers(all: &[Seen], least: f64) -> Vec<(usize, f64)> {
    let all = &all[..all.len().min(SERIES_MAX)];
    let mut begins: BTreeMap<&str, i64> = BTreeMap::new();
    for seen in all {
        let begin = begins.entry(&seen.subject).or_insert(seen.first);
        *begin = (*begin).min(seen.first);
    }
    let is_new = |s: &Seen| {
        let begin = begins.get(s.subject.as_str()).copied().unwrap_or(s.first);
        s.first.saturating_sub(begin) >= HISTORY_HOURS as i64
    };
    let mut news: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in all.iter().filter(|s| is_new(s)) {
        *news.entry(&seen.subject).or_default() += 1;
    }
    let mut found = Vec::new();
    for (n, seen) in all.iter().enumerate() {
        if seen.count >= least && is_new(seen) && news.get(seen.subject.as_str()).is_some_and(|n| *n < HABIT) {
            found.push((n, (1.0 + (seen.count / least.max(1e-9)).log10()).clamp(1.0, 30.0)));
        }
    }
    found
}

/// Whether a name or address is outside of the own network: it has a dot, and is none of the ranges and names that networks keep for themselves
/// (RFC 1918, 4193, 6598, 6762, 6761; clusters and clouds' internal zones).
pub fn is_outside(host: &str) -> bool {
    const INSIDE: [&str; 9] =
        [".internal", ".local", ".localhost", ".svc", ".cluster.local", ".lan", ".home.arpa", ".corp", ".intranet"];
    let host = host.trim_end_matches('.').to_lowercase();
    if let Ok(ip) = host.parse::<core::net::Ipv4Addr>() {
        let [a, b, ..] = ip.octets();
        return !(ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_unspecified()
            || (a == 100 && (64..128).contains(&b)));
    }
    if let Ok(ip) = host.parse::<core::net::Ipv6Addr>() {
        return !(ip.is_loopback()
            || ip.is_unspecified()
            || ip.segments()[0] & 0xfe00 == 0xfc00
            || ip.segments()[0] & 0xffc0 == 0xfe80);
    }
    host.contains('.') && !host.contains(".svc.") && !INSIDE.iter().any(|end| host.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refused_logins() {
        let check = |lines: &dyn Fn(usize) -> u64, expected: &[(usize, Option<usize>)]| {
            let all: Vec<u64> = (0..14 * 24).map(lines).collect();
            let found: Vec<(usize, Option<usize>)> = bursts(&all, 0).iter().map(|b| (b.start, b.end)).collect();
            assert_eq!(found, expected);
        };
        check(&|h| h as u64 % 3, &[]);
        check(&|h| if h == 200 { 240 } else { h as u64 % 3 }, &[(200, Some(201))]);
        // An attack of two days is one.
        check(&|h| if (200..248).contains(&h) { 240 } else { 1 }, &[(200, Some(248))]);
        check(&|h| if h >= 330 { 240 } else { 1 }, &[(330, None)]);
        // Every night the same job with an old password.
        check(&|h| if h % 24 == 3 { 60 } else { 0 }, &[]);
        check(&|h| if h == 200 { 20 } else { 0 }, &[]);
        assert_eq!(bursts(&[], 0), []);
    }

    #[test]
    fn strangers() {
        let seen = |subject: &str, what: &str, first: i64, count: f64| Seen {
            subject: subject.to_owned(),
            what: what.to_owned(),
            first,
            count,
        };
        let check = |all: &[Seen], expected: &[usize]| {
            let found: Vec<usize> = newcomers(all, CALLS_MIN).into_iter().map(|(n, _)| n).collect();
            assert_eq!(found, expected);
        };
        let usual = seen("shop", "pay.example.com", 0, 900.0);
        check(&[usual.clone(), seen("shop", "paste.example.net", 200, 12.0)], &[1]);
        // Too early, too seldom, a subject without a past.
        check(&[usual.clone(), seen("shop", "a.example.net", 100, 12.0), seen("shop", "b.example.net", 200, 2.0)], &[]);
        check(&[usual.clone(), seen("new", "c.example.net", 300, 90.0)], &[]);
        let crawler: Vec<Seen> = (0..40).map(|n| seen("crawler", &format!("{n}.example.net"), n * 10, 50.0)).collect();
        check(&crawler, &[]);
    }

    #[test]
    fn outside() {
        for (host, expected) in [
            ("api.stripe.com", true),
            ("203.0.113.7", true),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("fd00::1", false),
            ("2001:db8::1", true),
            ("orders-db.internal", false),
            ("cart.shop.svc.cluster.local", false),
            ("cart", false),
        ] {
            assert_eq!(is_outside(host), expected, "{host}");
        }
    }
}
