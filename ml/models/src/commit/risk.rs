//! What a commitment would do if the future is not like the past.

use grid_model::Amount;

use super::demand::Demand;
use super::offer::Offer;
use super::replay::{Stack, settle};
use crate::rng::Rng;

/// Falls of demand that are tried, in percent.
pub const FALLS: [u32; 3] = [10, 25, 50];
/// Hours of a block of the bootstrap: a day, so that its rhythm stays whole.
pub const BLOCK_HOURS: usize = 24;
/// Most paths of a bootstrap.
pub const PATHS_MAX: u32 = 10_000;

/// The saving if all demand falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// By how much.
    pub percent: u32,
    /// What the commitment then saves over the replayed hours; below zero if it loses.
    pub saving: Amount,
}

/// Savings over futures drawn from days of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many futures, each as long as the past.
    pub paths: u32,
    /// The seed that draws them.
    pub seed: u64,
    /// One in twenty saves less.
    pub saving_p5: Amount,
    /// Half save less.
    pub saving_p50: Amount,
    /// One in twenty saves more.
    pub saving_p95: Amount,
    /// Futures in which the commitment costs more than it spares.
    pub losing: u32,
}

/// The risk of one level of one offer. It says nothing of a future that has no likeness in the past but the falls that are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The saving if all demand falls by each of [`FALLS`].
    pub falls: Vec<Fall>,
    /// The least fall, in percent, at which the commitment no longer saves; `None` if even a fall to nothing would not do it, which only
    /// holds of no commitment.
    pub break_even_fall: Option<u32>,
    /// `None` with less than two days of demand.
    pub bootstrap: Option<Bootstrap>,
    /// The most that can be lost: the whole term paid and nothing used.
    pub worst: Amount,
}

/// The risk of committing `hourly`, judged on a demand.
pub fn risk(demand: &Demand, offer: &Offer, hourly: Amount, paths: u32, seed: u64) -> Risk {
    let saving = |percent: u32| Stack::new(&demand.fallen_by(percent), offer).replay(hourly).saving();
    let falls = FALLS.into_iter().map(|percent| Fall { percent, saving: saving(percent) }).collect();
    // Saving falls with demand, so the border is found by bisection; 101 stands for "never".
    let (mut low, mut high) = (0, 101);
    while low < high {
        let middle = (low + high) / 2;
        if middle == 101 || saving(middle) <= Amount::ZERO {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Risk {
        falls,
        break_even_fall: (low <= 100 && hourly > Amount::ZERO).then_some(low),
        bootstrap: bootstrap(&Stack::new(demand, offer), hourly, paths, seed),
        worst: offer.whole(hourly),
    }
}

/// Block bootstrap (Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", 1989) with blocks of a day. What a
/// commitment saves in a day depends on that day alone, so a future is a sum of days drawn with replacement.
fn bootstrap(stack: &Stack, hourly: Amount, paths: u32, seed: u64) -> Option<Bootstrap> {
    let by_hour: Vec<i128> = stack.by_hour().map(|hour| settle(hour, hourly).1.0 - hourly.0).collect();
    let days: Vec<i128> = by_hour.chunks_exact(BLOCK_HOURS).map(|day| day.iter().sum()).collect();
    let paths = paths.min(PATHS_MAX);
    if days.len() < 2 || paths == 0 {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut path = || (0..days.len()).map(|_| days[rng.below(days.len() as u64) as usize]).sum::<i128>();
    let mut savings: Vec<i128> = (0..paths).map(|_| path()).collect();
    savings.sort_unstable();
    let at = |percent: usize| Amount(savings[(savings.len() - 1) * percent / 100]);
    Some(Bootstrap {
        paths,
        seed,
        saving_p5: at(5),
        saving_p50: at(50),
        saving_p95: at(95),
        losing: savings.partition_point(|s| *s < 0) as u32,
    })
}
