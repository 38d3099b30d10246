//! The rhythm of a thing in one word.

use super::Profile;

/// How something is used, as people say it. All hours are of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Hardly ever.
    Idle,
    /// The same at all times.
    Steady,
    /// By day on working days; less at night and on weekends.
    OfficeHours,
    /// By day on all days.
    Daytime,
    /// At night.
    Nights,
    /// On weekends.
    Weekends,
    /// With the hours of the day, without being any of those.
    Daily,
    /// Little most of the time, and now and then very much.
    Bursty,
    /// None of these.
    Irregular,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Steady,
        Self::OfficeHours,
        Self::Daytime,
        Self::Nights,
        Self::Weekends,
        Self::Daily,
        Self::Bursty,
        Self::Irregular,
    ];

    /// Its name in the table `patterns`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Steady => "steady",
            Self::OfficeHours => "office_hours",
            Self::Daytime => "daytime",
            Self::Nights => "nights",
            Self::Weekends => "weekends",
            Self::Daily => "daily",
            Self::Bursty => "bursty",
            Self::Irregular => "irregular",
        }
    }
}

/// Share of the deviation that the hours explain, from which there is a rhythm.
const REGULAR: f64 = 0.35;
/// Part of the highest hour by which the lowest must be below it, for a rhythm.
const SWING: f64 = 0.3;
/// One part of the week is above another by this factor.
const ABOVE: f64 = 1.4;
/// The upper end is this many times the usual.
const BURSTS: f64 = 3.0;
/// The lower end is at least this part of the upper.
const EVEN: f64 = 0.65;

/// Hours in which people work, anywhere between UTC-5 and UTC+3; and those in which they sleep.
const DAY: std::ops::Range<usize> = 9..17;
const NIGHT: std::ops::Range<usize> = 0..6;

pub(super) fn of(profile: &Profile, idle_below: f64) -> Kind {
    if profile.high <= idle_below {
        return Kind::Idle;
    }
    let lowest = profile.slots.iter().copied().filter(|v| v.is_finite()).fold(f64::INFINITY, f64::min);
    let swing = (profile.top() - lowest.max(0.0)) / profile.top().max(f64::MIN_POSITIVE);
    if profile.regularity >= REGULAR && swing >= SWING {
        return rhythm(profile);
    }
    if profile.high >= BURSTS * profile.usual.max(0.0) {
        Kind::Bursty
    } else if profile.low >= EVEN * profile.high {
        Kind::Steady
    } else {
        Kind::Irregular
    }
}

fn rhythm(profile: &Profile) -> Kind {
    let mean = |first: usize, hours: std::ops::Range<usize>| {
        let seen = profile.slots[first + hours.start..first + hours.end].iter().filter(|v| v.is_finite());
        let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
        // Nothing is known of what was not seen, and every comparison with it is false.
        if count > 0.0 { sum / count } else { f64::NAN }
    };
    let (day, night, weekend) = (mean(0, DAY), mean(0, NIGHT), mean(24, DAY));
    if day > ABOVE * weekend && day > ABOVE * night {
        Kind::OfficeHours
    } else if day > ABOVE * night {
        Kind::Daytime
    } else if night > ABOVE * day {
        Kind::Nights
    } else if weekend > ABOVE * day {
        Kind::Weekends
    } else {
        Kind::Daily
    }
}
