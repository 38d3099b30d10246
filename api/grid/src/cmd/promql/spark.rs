//! Numbers drawn in a line of text.

/// From the least to the largest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// No sample.
pub(super) const GAP: char = '·';
/// Samples, none of which is a number.
const NOT_A_NUMBER: char = '?';

/// One mark per slot, or per several if there are more than `marks`: the mean of what is in them, between the least (▁) and the largest
/// (█) mean. Slots without a sample are `None`.
pub(super) fn draw(slots: &[Option<f64>], marks: usize) -> String {
    let cells = cells(slots, marks);
    let finite = || cells.iter().flatten().copied().filter(|v| v.is_finite());
    marks_of(&cells, finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max))
}

/// The same, between zero and the largest.
pub(super) fn draw_from_zero(slots: &[Option<f64>], marks: usize) -> String {
    let cells = cells(slots, marks);
    let largest = cells.iter().flatten().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    marks_of(&cells, 0.0, largest)
}

fn cells(slots: &[Option<f64>], marks: usize) -> Vec<Option<f64>> {
    let count = slots.len().min(marks.max(1));
    let bounds = |i: usize| i * slots.len() / count.max(1);
    (0..count).map(|i| mean(slots.get(bounds(i)..bounds(i + 1)).unwrap_or_default())).collect()
}

/// The mean of the numbers; NaN if there are samples and no numbers.
fn mean(slots: &[Option<f64>]) -> Option<f64> {
    let (mut sum, mut numbers, mut samples) = (0.0, 0.0, 0);
    for value in slots.iter().flatten() {
        samples += 1;
        if !value.is_nan() {
            // Infinities of both signs cancel out to NaN, which is as good an answer as any.
            sum += value;
            numbers += 1.0;
        }
    }
    (samples > 0).then_some(sum / numbers)
}

fn marks_of(cells: &[Option<f64>], least: f64, largest: f64) -> String {
    // Halves, so that the difference of two huge numbers is finite.
    let range = largest / 2.0 - least / 2.0;
    let mark = |cell: &Option<f64>| match cell {
        None => GAP,
        Some(v) if v.is_nan() => NOT_A_NUMBER,
        Some(v) if *v == f64::INFINITY => '█',
        Some(v) if *v == f64::NEG_INFINITY => '▁',
        Some(v) => {
            let part = if range > 0.0 { (v / 2.0 - least / 2.0) / range } else { 0.0 };
            let level = (part * (BLOCKS.len() - 1) as f64).round() as usize;
            BLOCKS.get(level).copied().unwrap_or('█')
        }
    };
    cells.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_shape_and_gaps() {
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        for (slots, marks, wanted) in [
            (some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), 20, "▁▂▃▄▅▆▇█"),
            (some(&[0.0, 0.0, 7.0, 7.0]), 2, "▁█"),
            (some(&[5.0, 5.0, 5.0]), 9, "▁▁▁"),
            (vec![Some(1.0), None, Some(2.0)], 9, "▁·█"),
            (vec![None, Some(1.0), None, None, Some(3.0), Some(3.0)], 3, "▁·█"),
            (some(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0, 2.0]), 9, "?█▁▁█"),
            (some(&[f64::MIN, f64::MAX]), 9, "▁█"),
            (Vec::new(), 9, ""),
            (some(&[1.0]), 0, "▁"),
        ] {
            assert_eq!(draw(&slots, marks), wanted, "{slots:?}");
        }
        assert_eq!(draw_from_zero(&some(&[7.0, 7.0, 0.0]), 9), "██▁");
    }
}
