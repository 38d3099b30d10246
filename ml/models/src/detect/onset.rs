//! When scores become an event. An event is told once, where it starts; what follows within a while is part of it unless it is much stranger.

use grid_model::Timestamp;
use grid_model::time::DAY_NS;

use super::state::{Bad, Reader, Writer};

/// The sign at which an event starts.
const EVENT_AT: f64 = 0.74;
/// How much stranger a point must be to start an event within another.
const STRANGER: f64 = 1.3;
/// An event keeps what follows for a share of what was seen, within bounds.
const REST_SHARE: usize = 25;
const REST_MIN: usize = 10;
const REST_MAX: usize = 300;

/// How much of what was said counts for the points after it, and what is left of it from point to point.
const ECHO: f64 = 0.35;
const ECHO_FADE: f64 = 0.985;

/// How much of the strangest score is left for what follows, and after which time half of that. An incident outlasts the points that gave it
/// away: of two points that look alike, the one on the day of an event is the more suspicious.
const AFTERMATH: f64 = 0.2;
const AFTERMATH_HALF_LIFE: f64 = DAY_NS as f64;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Onset {
    /// Where the last event started, and its sign.
    last: Option<(usize, f64)>,
    /// The loudest of what all detectors said, fading.
    echo: f64,
    /// The strangest score, fading with time, and when it was last looked at.
    strangest: Option<(Timestamp, f64)>,
}

impl Onset {
    /// The score of a point, and whether an event starts with it. `all` is what all detectors say, `sign` the same with what sees events first.
    pub(super) fn judge(&mut self, seen: usize, time: Timestamp, all: f64, sign: f64) -> (f64, bool) {
        let (score, starts) = self.alone(seen, all, sign);
        let left = self.strangest.map_or(0.0, |(at, most)| {
            let passed = time.0.saturating_sub(at.0).max(0) as f64;
            most * (-passed / AFTERMATH_HALF_LIFE).exp2()
        });
        self.strangest = Some((time, left.max(score)));
        (score.max(AFTERMATH * left), starts)
    }

    /// The same without what is left of events before.
    fn alone(&mut self, seen: usize, all: f64, sign: f64) -> (f64, bool) {
        let heard = self.echo;
        self.echo = all.max(ECHO_FADE * self.echo);
        let rest = (seen / REST_SHARE).clamp(REST_MIN, REST_MAX);
        let within = self.last.is_some_and(|(at, of)| seen - at < rest && sign <= STRANGER * of);
        if sign > EVENT_AT && !within {
            self.last = Some((seen, sign));
            return (1.0 + sign, true);
        }
        (1.0 - (-all.max(ECHO * heard)).exp(), false)
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.option(self.last.as_ref(), |to, (at, sign)| {
            to.u64(*at as u64);
            to.f64(*sign);
        });
        to.f64(self.echo);
        to.option(self.strangest.as_ref(), |to, (at, most)| {
            to.i64(at.0);
            to.f64(*most);
        });
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>, seen: usize) -> Result<(), Bad> {
        self.last = from.option(|from| Ok((from.count()?, from.f64()?)))?;
        self.echo = from.f64()?;
        self.strangest = from.option(|from| Ok((Timestamp(from.i64()?), from.f64()?)))?;
        if self.last.is_some_and(|(at, _)| at > seen) { Err(Bad::Impossible) } else { Ok(()) }
    }
}
