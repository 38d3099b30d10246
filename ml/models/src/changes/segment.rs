//! The best cuts of a series into a given number of pieces, each a level or a line: exactly, by dynamic programming over sums.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Level,
    Line,
}

/// Sums from which the squared error of any piece follows at once.
pub(super) struct Sums {
    y: Vec<f64>,
    ty: Vec<f64>,
    yy: Vec<f64>,
}

impl Sums {
    pub(super) fn of(values: &[f64]) -> Self {
        let running = |term: &dyn Fn(usize, f64) -> f64| {
            let mut sums = Vec::with_capacity(values.len() + 1);
            let mut sum = 0.0;
            sums.push(sum);
            for (i, value) in values.iter().enumerate() {
                sum += term(i, *value);
                sums.push(sum);
            }
            sums
        };
        Self { y: running(&|_, v| v), ty: running(&|i, v| i as f64 * v), yy: running(&|_, v| v * v) }
    }

    /// Sum of squared errors of the values from `from` to before `to` around their piece.
    pub(super) fn error(&self, from: usize, to: usize, piece: Piece) -> f64 {
        if to <= from {
            return 0.0;
        }
        let n = (to - from) as f64;
        let y = self.y[to] - self.y[from];
        let mut error = self.yy[to] - self.yy[from] - y * y / n;
        if piece == Piece::Line && to - from > 2 {
            let centre = (from + to - 1) as f64 / 2.0;
            let ty = self.ty[to] - self.ty[from] - centre * y;
            error -= ty * ty * 12.0 / (n * (n * n - 1.0));
        }
        error.max(0.0)
    }
}

/// The cuts with the least error for each number of cuts from 0 to `most`, with that error. Pieces have at least `shortest` values. `skip` values at
/// the start of each piece cost nothing.
pub(super) fn best(sums: &Sums, piece: Piece, skip: usize, shortest: usize, most: usize) -> Vec<(f64, Vec<usize>)> {
    let n = sums.y.len() - 1;
    let error = |from: usize, to: usize| sums.error((from + skip).min(to), to, piece);
    let whole = |to: usize| if to < shortest { f64::INFINITY } else { error(0, to) };
    let mut least: Vec<Vec<f64>> = vec![(0..=n).map(whole).collect()];
    let mut cut_at: Vec<Vec<usize>> = vec![Vec::new()];
    for cuts in 1..=most {
        let before = &least[cuts - 1];
        let (mut row, mut at) = (vec![f64::INFINITY; n + 1], vec![0; n + 1]);
        for to in (cuts + 1) * shortest..=n {
            let (mut best, mut cut) = (f64::INFINITY, 0);
            for (from, before) in before.iter().enumerate().take(to - shortest + 1).skip(cuts * shortest) {
                // Errors are not negative: what is already worse need not be computed.
                if *before < best {
                    let all = before + error(from, to);
                    if all < best {
                        (best, cut) = (all, from);
                    }
                }
            }
            (row[to], at[to]) = (best, cut);
        }
        least.push(row);
        cut_at.push(at);
    }
    let back = |cuts: usize| {
        let mut to = n;
        let mut places: Vec<usize> = (1..=cuts)
            .rev()
            .map(|k| {
                to = cut_at[k][to];
                to
            })
            .collect();
        places.reverse();
        places
    };
    (0..=most).filter(|k| least[*k][n].is_finite()).map(|k| (least[k][n], back(k))).collect()
}

/// The straight line through values, and how far they are from it.
pub(super) struct Line {
    middle: f64,
    slope: f64,
    centre: f64,
    pub deviation: f64,
}

impl Line {
    pub(super) fn through(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let centre = (n - 1.0) / 2.0;
        let middle = values.iter().sum::<f64>() / n;
        let xx = n * (n * n - 1.0) / 12.0;
        let xy: f64 = values.iter().enumerate().map(|(i, v)| (i as f64 - centre) * v).sum();
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        let mut line = Self { middle, slope, centre, deviation: 0.0 };
        let squares: f64 = values.iter().enumerate().map(|(i, v)| (v - line.at(i)).powi(2)).sum();
        line.deviation = (squares / n).sqrt();
        line
    }

    pub(super) fn at(&self, place: usize) -> f64 {
        self.middle + self.slope * (place as f64 - self.centre)
    }
}
