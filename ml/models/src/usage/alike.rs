//! Which things are used alike: k-means over their shapes, with the number of groups that keeps them apart best.

use linfa::DatasetBase;
use linfa::prelude::{Fit, Predict, SilhouetteScore};
use linfa_clustering::KMeans;
use ndarray::{Array1, Array2, ArrayView1};

use super::{Profile, SLOTS};
use crate::series::NotEnoughData;

/// Fewest things that are grouped.
pub const THINGS_MIN: usize = 6;
/// Most groups.
pub const GROUPS_MAX: usize = 8;
/// Things by which the number of groups is chosen: comparing each with each grows with their square.
const COMPARED_MAX: usize = 400;
/// How well groups must be apart to be groups (Rousseeuw, 1987, calls structure from .25 on weak, from .5 on reasonable).
const APART: f64 = 0.5;
/// Beginnings that are tried for each number of groups.
const BEGINNINGS: usize = 5;

/// Groups of things that are used alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// Of each profile, in the order in which they came: the number of its group, the largest group first.
    pub group: Vec<usize>,
    /// Of each profile: how far its shape is from the mean of its group; 0 is the same.
    pub distance: Vec<f64>,
    /// Things in each group.
    pub sizes: Vec<usize>,
    /// How well the groups are apart, up to 1 (the silhouette); 1 if all are one group.
    pub apart: f64,
}

/// Groups profiles by shape.
///
/// # Errors
/// [`NotEnoughData`] for fewer than [`THINGS_MIN`] profiles.
pub fn alike(profiles: &[Profile]) -> Result<Alike, NotEnoughData> {
    if profiles.len() < THINGS_MIN {
        return Err(NotEnoughData { have: profiles.len(), need: THINGS_MIN });
    }
    let shapes = shapes(profiles);
    let every = profiles.len().div_ceil(COMPARED_MAX);
    let compared: Vec<usize> = (0..profiles.len()).step_by(every).collect();
    let compared = DatasetBase::from(shapes.select(ndarray::Axis(0), &compared));
    // A group of one or two is no group.
    let most = GROUPS_MAX.min(profiles.len() / 3);
    let best = (2..=most)
        .filter_map(|groups| {
            let model = KMeans::params(groups).n_runs(BEGINNINGS).fit(&compared).ok()?;
            let labels = model.predict(&compared);
            // Where fewer shapes differ than there are groups, some stay empty.
            let is_full = (0..groups).all(|group| labels.iter().any(|label| *label == group));
            let apart = compared.clone().with_targets(labels).silhouette_score().ok()?;
            (is_full && apart >= APART).then_some((apart, model))
        })
        // Of equally good numbers of groups the smallest.
        .reduce(|best, next| if next.0 > best.0 + 1e-9 { next } else { best });
    let (apart, labels, centres) = match &best {
        Some((apart, model)) => (*apart, model.predict(&shapes), model.centroids().clone()),
        None => {
            let mean = shapes.mean_axis(ndarray::Axis(0)).unwrap_or_else(|| Array1::zeros(SLOTS));
            (1.0, Array1::zeros(profiles.len()), mean.insert_axis(ndarray::Axis(0)))
        }
    };
    Ok(ordered(&shapes, &labels, &centres, apart))
}

/// Every profile in parts of its highest hour; hours that were not seen are as high as the seen ones in the mean.
fn shapes(profiles: &[Profile]) -> Array2<f64> {
    let mut shapes = Array2::zeros((profiles.len(), SLOTS));
    for (profile, mut row) in profiles.iter().zip(shapes.rows_mut()) {
        let top = profile.top().max(f64::MIN_POSITIVE);
        let seen: Vec<f64> =
            profile.slots.iter().map(|v| (v / top).clamp(-1.0, 1.0)).filter(|v| v.is_finite()).collect();
        let mean = seen.iter().sum::<f64>() / (seen.len() as f64).max(1.0);
        for (to, from) in row.iter_mut().zip(&profile.slots) {
            *to = if from.is_finite() { (from / top).clamp(-1.0, 1.0) } else { mean };
        }
    }
    shapes
}

fn ordered(shapes: &Array2<f64>, labels: &Array1<usize>, centres: &Array2<f64>, apart: f64) -> Alike {
    let mut sizes: Vec<(usize, usize)> = (0..centres.nrows()).map(|label| (0, label)).collect();
    labels.iter().for_each(|label| sizes[*label].0 += 1);
    sizes.sort_by_key(|(size, label)| (std::cmp::Reverse(*size), *label));
    let place = |label: usize| sizes.iter().position(|(_, l)| *l == label).unwrap_or(0);
    let distance = |row: ArrayView1<'_, f64>, label: usize| {
        let apart = row.iter().zip(centres.row(label)).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        (apart / SLOTS as f64).sqrt()
    };
    Alike {
        group: labels.iter().map(|label| place(*label)).collect(),
        distance: shapes.rows().into_iter().zip(labels).map(|(row, label)| distance(row, *label)).collect(),
        sizes: sizes.iter().map(|(size, _)| *size).filter(|size| *size > 0).collect(),
        apart,
    }
}
