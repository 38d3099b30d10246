//! Windows of time into which files are compacted. They widen with age, so that data of 1970 does not make thousands of files.

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, HOUR_NS};

/// A half-open range of nanoseconds, aligned to its own width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First nanosecond inside.
    pub start: i64,
    /// First nanosecond outside.
    pub end: i64,
}

/// Width of a window by the age of its content: up to that age, that width.
const WIDTHS: [(i64, i64); 4] =
    [(DAY_NS, 2 * HOUR_NS), (30 * DAY_NS, DAY_NS), (360 * DAY_NS, 30 * DAY_NS), (i64::MAX, 3600 * DAY_NS)];

impl Window {
    /// The window of a time, seen from `now`. Every window of one `now` is disjoint from every other: the width is
    /// decided by the age of the widest window's end that could hold the time.
    pub fn of(time: Timestamp, now: Timestamp) -> Self {
        for (age, width) in WIDTHS.iter().rev().skip(1).rev() {
            let window = Self::aligned(time.0, *width);
            // The next wider window decides: all of it is treated alike.
            let wider = Self::aligned(time.0, Self::next_wider(*width));
            if now.0.saturating_sub(wider.end) <= *age {
                return window;
            }
        }
        Self::aligned(time.0, WIDTHS[WIDTHS.len() - 1].1)
    }

    fn next_wider(width: i64) -> i64 {
        WIDTHS.iter().map(|(_, w)| *w).find(|w| *w > width).unwrap_or(width)
    }

    /// At the ends of time a window is cut off, not moved: the one that holds `i64::MIN` is narrower than its width.
    fn aligned(time: i64, width: i64) -> Self {
        let start = i128::from(time.div_euclid(width)) * i128::from(width);
        let end = start + i128::from(width);
        let clamp = |t: i128| i64::try_from(t).unwrap_or(if t < 0 { i64::MIN } else { i64::MAX });
        Self { start: clamp(start), end: clamp(end) }
    }

    /// Whether both times (closed interval) lie inside.
    pub fn holds(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= min.0 && (max.0 < self.end || self.end == i64::MAX)
    }

    /// Whether any time of the closed interval lies inside.
    pub fn overlaps(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= max.0 && min.0 < self.end
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_of_one_moment_are_disjoint(a in any::<i64>(), b in any::<i64>(), near in -400 * DAY_NS..DAY_NS) {
            let now = Timestamp(1_764_547_200_000_000_000);
            for (x, y) in [(a, b), (now.0 + near, now.0 + near + b % (40 * DAY_NS))] {
                let (wx, wy) = (Window::of(Timestamp(x), now), Window::of(Timestamp(y), now));
                prop_assert!(wx.holds(Timestamp(x), Timestamp(x)));
                prop_assert!(wx == wy || wx.end <= wy.start || wy.end <= wx.start, "{wx:?} {wy:?}");
            }
        }
    }

    /// Found by the property test: the first window of time used to overlap the second.
    #[test]
    fn the_first_window_of_time_ends_where_the_second_begins() {
        let now = Timestamp::from_secs(1_764_547_200).unwrap();
        let first = Window::of(Timestamp(i64::MIN), now);
        assert_eq!(first.start, i64::MIN);
        assert_eq!(Window::of(Timestamp(first.end), now).start, first.end);
    }

    #[test]
    fn old_windows_are_wide() {
        let now = Timestamp::from_secs(1_764_547_200).unwrap();
        let width = |t: i64| {
            let w = Window::of(Timestamp(t), now);
            (w.end - w.start) / HOUR_NS
        };
        assert_eq!(width(now.0), 2);
        assert_eq!(width(now.0 - 10 * DAY_NS), 24);
        assert_eq!(width(now.0 - 100 * DAY_NS), 720);
        assert_eq!(width(0), 3600 * 24);
    }
}
