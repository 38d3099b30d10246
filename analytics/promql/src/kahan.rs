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

/// A running sum for each step of a query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    sums: Vec<f64>,
    lost: Vec<f64>,
}

impl Sums {
    pub(crate) fn new(steps: usize) -> Self {
        Self { sums: vec![0.0; steps], lost: vec![0.0; steps] }
    }

    pub(crate) fn add(&mut self, step: usize, value: f64) {
        let mut sum = self.at(step);
        sum.add(value);
        (self.sums[step], self.lost[step]) = (sum.sum, sum.lost);
    }

    /// Adds a number to the sum of each step at which there is one. What rounding loses is found without asking which of both is the greater
    /// (D. E. Knuth, "The Art of Computer Programming", vol. 2, 4.2.2, theorem B): the same number, several steps at once.
    pub(crate) fn add_all(&mut self, values: &[f64], present: &[bool]) {
        let sums = self.sums.iter_mut().zip(&mut self.lost);
        for ((sum, lost), (value, present)) in sums.zip(values.iter().zip(present)) {
            // No sum is ever -0, so adding 0 changes none.
            let value = if *present { *value } else { 0.0 };
            let total = *sum + value;
            let of_value = total - *sum;
            let error = (*sum - (total - of_value)) + (value - of_value);
            *lost = if total.abs() == f64::INFINITY { 0.0 } else { *lost + error };
            *sum = total;
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for step in 0..self.sums.len().min(other.sums.len()) {
            self.add(step, other.sums[step]);
            self.lost[step] += other.lost[step];
        }
    }

    pub(crate) fn at(&self, step: usize) -> Kahan {
        Kahan { sum: self.sums[step], lost: self.lost[step] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_of_steps_are_those_of_one(rows in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    any::<f64>().prop_map(Some),
                    any::<i32>().prop_map(|i| Some(f64::from(i) / 7.0)),
                    Just(Some(-0.0)),
                    Just(Some(f64::INFINITY)),
                    Just(None),
                ],
                3,
            ),
            0..40,
        )) {
            let mut sums = Sums::new(3);
            let mut single = [Kahan::default(); 3];
            for row in &rows {
                let values: Vec<f64> = row.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
                let present: Vec<bool> = row.iter().map(Option::is_some).collect();
                sums.add_all(&values, &present);
                for (sum, value) in single.iter_mut().zip(row) {
                    value.iter().for_each(|v| sum.add(*v));
                }
            }
            for (step, one) in single.iter().enumerate() {
                let (found, wanted) = (sums.at(step).total(), one.total());
                prop_assert!(found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan(), "{found} {wanted}");
            }
        }
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
