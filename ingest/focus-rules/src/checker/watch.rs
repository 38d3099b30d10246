//! Who has to be asked again when a column changes or a condition turns, so that a row costs what of it changed and not what the table has.

use crate::column::Column;

use super::standing::Columns;

/// Rules on rows, as bits.
type Rules = [u64; 8];
/// Rules that such a set holds.
const RULES_MAX: usize = 8 * 64;

fn add(to: &mut Rules, more: &Rules) {
    for (to, more) in to.iter_mut().zip(more) {
        *to |= more;
    }
}

/// The positions of set bits, in order.
pub(super) fn bits_of(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (at < 128).then_some(at)
    })
}

/// Who looks at one column.
#[derive(Clone, Copy, Default)]
struct Lookers {
    conditions: u128,
    rules: Rules,
}

/// See the module.
#[derive(Default)]
pub(super) struct Watch {
    /// Of each column, who looks at its text, and who at its form.
    text: Vec<Lookers>,
    form: Vec<Lookers>,
    /// Of each condition, the rules that have it.
    having: Vec<Rules>,
    /// All rules: the first row asks them.
    all: Rules,
}

impl Watch {
    /// Of conditions with the columns that they ask for, and of rules with theirs and their conditions.
    pub(super) fn of(conditions: impl Iterator<Item = Columns>, rules: impl Iterator<Item = (Columns, u128)>) -> Self {
        let none = vec![Lookers::default(); Column::ALL.len()];
        let mut watch = Self { text: none.clone(), form: none, having: vec![[0; 8]; 128], all: [0; 8] };
        for (at, columns) in conditions.enumerate() {
            bits_of(columns.text).for_each(|c| watch.text[c].conditions |= 1 << at);
            bits_of(columns.form).for_each(|c| watch.form[c].conditions |= 1 << at);
        }
        for (at, (columns, when)) in rules.enumerate() {
            assert!(at < RULES_MAX, "the table has more rules on rows than a set holds");
            let (word, bit) = (at / 64, 1 << (at % 64));
            bits_of(columns.text).for_each(|c| watch.text[c].rules[word] |= bit);
            bits_of(columns.form).for_each(|c| watch.form[c].rules[word] |= bit);
            bits_of(when).for_each(|c| watch.having[c][word] |= bit);
            watch.all[word] |= bit;
        }
        watch
    }

    /// The conditions that ask for what changed.
    pub(super) fn conditions(&self, changed: Columns) -> u128 {
        let text = bits_of(changed.text).filter_map(|c| self.text.get(c));
        let form = bits_of(changed.form).filter_map(|c| self.form.get(c));
        text.chain(form).fold(0, |all, lookers| all | lookers.conditions)
    }

    /// The rules that ask for what changed, or have a condition that turned; all of them if everything changed.
    pub(super) fn rules(&self, changed: Columns, turned: u128) -> impl Iterator<Item = usize> + use<> {
        let mut rules = if changed == Columns::ALL { self.all } else { [0; 8] };
        for lookers in bits_of(changed.text).filter_map(|c| self.text.get(c)) {
            add(&mut rules, &lookers.rules);
        }
        for lookers in bits_of(changed.form).filter_map(|c| self.form.get(c)) {
            add(&mut rules, &lookers.rules);
        }
        for having in bits_of(turned).filter_map(|c| self.having.get(c)) {
            add(&mut rules, having);
        }
        let words = rules.into_iter().enumerate();
        words.flat_map(|(word, set)| bits_of(u128::from(set)).map(move |bit| word * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_asked_who_look() {
        let columns = |text, form| Columns { text, form };
        let conditions = [columns(0b1, 0b1), columns(0, 0b10)];
        let rules: Vec<(Columns, u128)> =
            (0..70).map(|n| (columns(u128::from(n == 65) << 2, 1 << (n % 4)), u128::from(n == 3) << 1)).collect();
        let watch = Watch::of(conditions.into_iter(), rules.into_iter());
        assert_eq!(watch.conditions(columns(0b1, 0)), 0b1);
        assert_eq!(watch.conditions(columns(0b1, 0b10)), 0b11);
        let asked = |changed, turned| watch.rules(changed, turned).collect::<Vec<_>>();
        assert_eq!(asked(columns(0, 0), 0), Vec::<usize>::new());
        assert_eq!(asked(columns(0b100, 0), 0b10), [3, 65]);
        assert_eq!(asked(columns(0, 0b1), 0).len(), 18);
        assert_eq!(asked(Columns::ALL, 0).len(), 70);
        assert_eq!(bits_of(1 << 127 | 1).collect::<Vec<_>>(), [0, 127]);
        assert_eq!(bits_of(0).count(), 0);
    }
}
