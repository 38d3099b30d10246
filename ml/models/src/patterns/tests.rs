#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

/// The templates of some lines, in order, with their counts.
fn mined(lines: &[String]) -> Vec<(String, u64)> {
    let mut miner = Miner::new();
    lines.iter().for_each(|line| {
        miner.add(line);
    });
    miner.templates().all.into_iter().map(|t| (t.text, t.lines)).collect()
}

fn check(lines: impl IntoIterator<Item = String>, expected: &[(&str, u64)]) {
    let lines: Vec<String> = lines.into_iter().collect();
    let expected: Vec<(String, u64)> = expected.iter().map(|(text, n)| ((*text).to_owned(), *n)).collect();
    assert_eq!(mined(&lines), expected);
}

const WORDS: [&str; 8] = ["apple", "pear", "plum", "fig", "date", "quince", "cherry", "medlar"];

#[test]
fn lines_that_differ_in_values_are_one_template() {
    check((0..5).map(|n| format!("took {n} ms for request {n}{n}")), &[("took <*> ms for request <*>", 5)]);
    // Many words in one place are a variable, few are words.
    check(WORDS.map(|w| format!("fetched basket {w} again")), &[("fetched basket <*> again", 8)]);
    check(
        ["start", "stop"].map(|w| format!("will {w} the engine")),
        &[("will start the engine", 1), ("will stop the engine", 1)],
    );
    // A name, a bracket, a unit or a truth value says so earlier.
    check(["ada", "eve"].map(|w| format!("closed for user {w}")), &[("closed for user <*>", 2)]);
    check(["ada", "eve"].map(|w| format!("closed user={w} now")), &[("closed user=<*> now", 2)]);
    check(["KB", "MB"].map(|w| format!("freed 7 {w} now")), &[("freed <*> <*> now", 2)]);
    check(["true", "false"].map(|w| format!("ready {w} now")), &[("ready <*> now", 2)]);
    check(["(ada)", "()"].map(|w| format!("peer {w} left")), &[("peer (<*>) left", 2)]);
}

#[test]
fn names_with_digits_stay_names() {
    check((0..3).map(|n| format!("login by ssh2 port {n}")), &[("login by ssh2 port <*>", 3)]);
    check((0..3).map(|n| format!("login by ssh{n} port {n}")), &[("login by <*> port <*>", 3)]);
}

#[test]
fn any_number_of_values_is_one() {
    check(["delete blk_1", "delete blk_1 blk_2", "delete blk_1 blk_2 blk_3"].map(str::to_owned), &[("delete <*>", 3)]);
}

#[test]
fn memory_is_bounded() {
    let mut miner = Miner::new();
    let word = |n: usize| -> String { n.to_string().bytes().map(|d| char::from(b'g' + d - b'0')).collect() };
    for n in 0..SHAPES_MAX + 500 {
        miner.add(&format!("event {} of {}", word(n), word(n * 7)));
    }
    assert_eq!(miner.shapes(), SHAPES_MAX + 1);
    for n in 0..3 * SHAPES_MAX {
        miner.add(&format!("{} happened", word(n)));
    }
    assert!(miner.shapes() <= 2 * SHAPES_MAX + 1);
}

proptest! {
    /// Every line has a template, counts add up, and the same lines give the same answer.
    #[test]
    fn every_line_has_a_template(lines in prop::collection::vec("[a-c0-9 =:/.()\u{e4}\u{2713}<*>-]{0,24}", 0..60)) {
        let mut miner = Miner::new();
        let shapes: Vec<u32> = lines.iter().map(|line| miner.add(line)).collect();
        let templates = miner.templates();
        let mut counts = vec![0; templates.all.len()];
        shapes.iter().for_each(|shape| counts[templates.of_shape[*shape as usize] as usize] += 1);
        prop_assert_eq!(counts, templates.all.iter().map(|t| t.lines).collect::<Vec<u64>>());
        let mut again = Miner::new();
        lines.iter().for_each(|line| { again.add(line); });
        prop_assert_eq!(templates, again.templates());
    }
}
