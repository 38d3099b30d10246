//! The last points as a figure, against figures seen before: the distance to the nearest of them, as in discord discovery (Keogh et al., ICDM
//! 2005), over a sample of the past of bounded size.

use super::moving::Moving;
use super::state::{Bad, Reader, Writer};

/// Points of a figure.
const POINTS: usize = 24;
/// Figures that are kept.
const KEPT: usize = 600;
/// Figures before anything is judged.
const JUDGED_FROM: usize = 50;
/// A prime that spreads the places at which old figures give way.
const SPREAD: usize = 7919;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shapes {
    /// The last points, oldest first.
    last: Vec<f32>,
    /// Figures one after the other.
    kept: Vec<f32>,
    seen: usize,
    distance: Moving,
}

impl Shapes {
    pub(super) fn new(distance: Moving) -> Self {
        Self { last: Vec::with_capacity(POINTS + 1), kept: Vec::new(), seen: 0, distance }
    }

    /// How unusual the figure is that ends with this value, in deviations of the distances so far; never negative.
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.last.push(value as f32);
        if self.last.len() <= POINTS {
            return 0.0;
        }
        self.last.remove(0);
        self.seen += 1;
        let mut away = 0.0;
        if self.kept.len() > JUDGED_FROM * POINTS {
            let nearest = f64::from(self.nearest().sqrt());
            let nearer = nearest <= self.distance.mean();
            away = self.distance.push(nearest, 1e-9);
            if nearer {
                away = 0.0;
            }
        }
        if self.kept.len() < KEPT * POINTS {
            self.kept.extend_from_slice(&self.last);
        } else {
            let at = (self.seen.wrapping_mul(SPREAD) % KEPT) * POINTS;
            self.kept[at..at + POINTS].copy_from_slice(&self.last);
        }
        away
    }

    /// The smallest squared distance.
    fn nearest(&self) -> f32 {
        let mut best = f32::MAX;
        for figure in self.kept.chunks_exact(POINTS) {
            let mut sum = 0.0;
            // In steps of eight: a figure that is already further away than the best is left.
            for (a, b) in figure.chunks_exact(8).zip(self.last.chunks_exact(8)) {
                sum += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
                if sum >= best {
                    break;
                }
            }
            best = best.min(sum);
        }
        best
    }

    /// At most, once enough figures were seen.
    pub(super) fn bytes(&self) -> usize {
        (KEPT + 2) * POINTS * size_of::<f32>()
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.f32s(&self.last);
        to.f32s(&self.kept);
        to.u64(self.seen as u64);
        self.distance.save(to);
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        self.last = from.f32s(POINTS)?;
        self.kept = from.f32s(KEPT * POINTS)?;
        self.seen = from.count()?;
        if !self.kept.len().is_multiple_of(POINTS) {
            return Err(Bad::Impossible);
        }
        self.distance.load(from)
    }
}
