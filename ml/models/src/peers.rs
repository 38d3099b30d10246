//! Who is unlike its peers: of several that do the same work, the one that does something else.
//!
//! The members of a group are compared over the same last points. Those that are near enough to others are dense (DBSCAN: Ester, Kriegel, Sander and Xu,
//! KDD 1996); what is near nobody is outlying. Near is a multiple of the distance that members have from the group's middle, so a group that is
//! spread by nature has no outlying members, and one whose members play two parts (a leader, its followers) has two dense places.

use linfa::ParamGuard;
use linfa::prelude::Transformer;
use linfa_clustering::Dbscan;
use linfa_nn::distance::L1Dist;
use ndarray::Array2;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;
/// Fewest members of a group in which one can be told from the others.
pub const MEMBERS_MIN: usize = 4;
/// Members that are near each other are at most so many times as far apart as members are from the middle of the group.
const NEAR: f64 = 4.0;
/// Share of the members, and at least so many, that make a dense place.
const DENSE_SHARE: f64 = 0.25;
const DENSE_MIN: usize = 2;

/// A member that is near no other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlying {
    /// Which, counted from 0.
    pub member: usize,
    /// How far from the nearest member of a dense place, in distances that are near: above 1.
    pub away: f64,
    /// The mean difference from the group's middle, with its sign.
    pub apart: f64,
}

/// The outlying members of a group. Each member is its last points, all of one length; one with a gap is not judged. A distance that means nothing,
/// in the unit of the points, is `floor`: members are never called outlying for less.
pub fn outlying(members: &[&[f64]], floor: f64) -> Vec<Outlying> {
    let points = members.iter().map(|m| m.len()).max().unwrap_or(0);
    let is_whole = |m: &&[f64]| m.len() == points && m.iter().all(|v| v.is_finite());
    let judged: Vec<usize> = (0..members.len()).filter(|i| is_whole(&members[*i])).collect();
    if judged.len() < MEMBERS_MIN || points == 0 {
        return Vec::new();
    }
    let at = Array2::from_shape_fn((judged.len(), points), |(row, point)| members[judged[row]][point]);
    let middle: Vec<f64> = at.columns().into_iter().map(|column| median(column.to_vec())).collect();
    let apart = |row: usize| at.row(row).iter().zip(&middle).map(|(v, m)| v - m).sum::<f64>() / points as f64;
    let distance_to = |row: usize, other: &dyn Fn(usize) -> f64| {
        at.row(row).iter().enumerate().map(|(point, v)| (v - other(point)).abs()).sum::<f64>() / points as f64
    };
    let typical = median((0..judged.len()).map(|row| distance_to(row, &|point| middle[point])).collect());
    let near = (NEAR * typical).max(floor.max(f64::MIN_POSITIVE));
    let dense = DENSE_MIN.max((DENSE_SHARE * judged.len() as f64).ceil() as usize);
    // The distance is the mean difference over the points, of which a single wild one makes little; linfa adds them up.
    let model = Dbscan::params_with(dense, L1Dist, linfa_nn::CommonNearestNeighbour::LinearSearch)
        .tolerance(near * points as f64);
    let Ok(model) = model.check() else { return Vec::new() };
    let places = model.transform(&at);
    let inside: Vec<usize> = (0..judged.len()).filter(|row| places[*row].is_some()).collect();
    if inside.is_empty() {
        return Vec::new();
    }
    let told = |row: usize| {
        let nearest =
            inside.iter().map(|other| distance_to(row, &|point| at[(*other, point)])).fold(f64::INFINITY, f64::min);
        Outlying { member: judged[row], away: nearest / near, apart: apart(row) }
    };
    (0..judged.len()).filter(|row| places[*row].is_none()).map(told).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &[Vec<f64>], floor: f64, expected: &[usize]) {
        let rows: Vec<&[f64]> = members.iter().map(Vec::as_slice).collect();
        let found = outlying(&rows, floor);
        assert_eq!(found.iter().map(|o| o.member).collect::<Vec<_>>(), expected, "{members:?}");
        assert!(found.iter().all(|o| o.away > 1.0), "{found:?}");
    }

    /// Points around levels, one level for each member.
    fn around(levels: &[f64]) -> Vec<Vec<f64>> {
        let of = |(i, level): (usize, &f64)| (0..6).map(|p| level + 0.01 * ((i * 7 + p * 3) % 5) as f64).collect();
        levels.iter().enumerate().map(of).collect()
    }

    #[test]
    fn members() {
        check(&[], 0.1, &[]);
        check(&around(&[0.2, 0.2, 0.9]), 0.1, &[]);
        check(&around(&[0.2, 0.2, 0.2, 0.9]), 0.1, &[3]);
        check(&around(&[0.2, 0.21, 0.9, 0.19, 0.2, 0.22]), 0.1, &[2]);
        // Less than the floor means nothing.
        check(&around(&[0.2, 0.2, 0.2, 0.3]), 0.5, &[]);
        // Spread by nature.
        check(&around(&[0.1, 0.3, 0.5, 0.7, 0.9]), 0.1, &[]);
        // Two parts.
        check(&around(&[0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8]), 0.1, &[]);
        // Two that are each like nobody.
        check(&around(&[0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.6, 1.0]), 0.1, &[7, 8]);
    }

    #[test]
    fn who_has_gaps_is_not_judged() {
        let mut members = around(&[0.2, 0.2, 0.2, 0.2, 0.9]);
        members[4][2] = f64::NAN;
        check(&members, 0.1, &[]);
        members[4] = vec![0.9; 3];
        check(&members, 0.1, &[]);
    }

    #[test]
    fn by_how_much() {
        let members = around(&[0.2, 0.2, 0.2, 0.2, 0.05]);
        let rows: Vec<&[f64]> = members.iter().map(Vec::as_slice).collect();
        let found = outlying(&rows, 0.05);
        assert_eq!(found.len(), 1);
        assert!((found[0].apart + 0.17).abs() < 0.03, "{found:?}");
    }
}
