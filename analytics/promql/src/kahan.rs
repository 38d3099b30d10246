//! Sums that keep what rounding loses: Kahan's with Neumaier's improvement (A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur
//! Summation endlicher Summen", 1974), as Prometheus sums.

/// A running sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kahan {
    /// What was added.
    pub sum: f64,
    /// What rounding lost of it.
    pub lost: f64,
}

impl Kahan {
    pub(crate) fn of(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A running mean: of the sum as long as that is finite, then step by step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    count: f64,
    of: Kahan,
    incremental: bool,
}

impl Mean {
    pub(crate) fn of(first: f64) -> Self {
        Self { count: 1.0, of: Kahan::of(first), incremental: false }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.of;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.of = sum;
                return;
            }
            // The sum is too large for a number, the mean need not be.
            self.incremental = true;
            self.of.sum /= self.count - 1.0;
            self.of.lost /= self.count - 1.0;
        }
        let share = (self.count - 1.0) / self.count;
        self.of.sum *= share;
        self.of.lost *= share;
        self.of.add(value / self.count);
    }

    /// The mean of both.
    pub(crate) fn absorb(&mut self, other: Self) {
        let count = self.count + other.count;
        if !self.incremental && !other.incremental {
            let mut sum = self.of;
            sum.add(other.of.sum);
            if !sum.sum.is_infinite() {
                sum.lost += other.of.lost;
                (self.of, self.count) = (sum, count);
                return;
            }
        }
        let part = |mean: Self| {
            let share = mean.count / count;
            let over = if mean.incremental { 1.0 } else { mean.count };
            Kahan { sum: mean.of.sum / over * share, lost: mean.of.lost / over * share }
        };
        let (mut sum, theirs) = (part(*self), part(other));
        sum.add(theirs.sum);
        sum.lost += theirs.lost;
        *self = Self { count, of: sum, incremental: true };
    }

    pub(crate) fn total(self) -> f64 {
        if self.incremental {
            return self.of.sum + self.of.lost;
        }
        self.of.sum / self.count + self.of.lost / self.count
    }
}

/// A running variance (B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", 1962).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: Kahan,
    squares: Kahan,
}

impl Variance {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.lost);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.lost)));
    }

    /// The variance of both (T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    /// Sample Variances", 1979).
    pub(crate) fn absorb(&mut self, other: Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let delta = (other.mean.sum + other.mean.lost) - (self.mean.sum + self.mean.lost);
        self.mean.add(delta * (other.count / count));
        self.squares.add(other.squares.sum + other.squares.lost);
        self.squares.add(delta * delta * (self.count * other.count / count));
        self.count = count;
    }

    /// Of the whole population.
    pub(crate) fn total(self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}
