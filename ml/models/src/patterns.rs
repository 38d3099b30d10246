//! Templates of log lines: `Accepted password for <*> from <*> port <*> ssh2`. One configuration for every log.
//!
//! Two steps. As lines come, each is masked word by word (`mask`: numbers, addresses, paths, ids become `<*>`), and lines that look alike then are one
//! [shape](Miner::add): that is cheap, and does nearly all of the work. When templates are asked for, shapes that differ in one word only are
//! merged where that word looks like a value (`merge`): many different words in its place, a name before it (`user`), brackets around it. The idea
//! to fix the length of a line and to look at one position at a time is Drain's (He et al., ICWS 2017); that most variables can be told by their
//! form is what the study of Jiang et al. (ISSTA 2024) on fifteen parsers shows.
//!
//! Memory is bounded by [`SHAPES_MAX`], whatever comes in.

mod mask;
mod merge;

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// What stands for a variable part.
pub const VARIABLE: &str = "<*>";
/// Most shapes that are kept apart; lines of further shapes are told apart by their first word only, and at last not at all.
pub const SHAPES_MAX: usize = 20_000;
/// Words of a line that are looked at.
pub const WORDS_MAX: usize = 256;
/// Bytes of a line that are looked at.
pub const LINE_BYTES_MAX: usize = 16 << 10;
/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;

/// Learns shapes from lines.
#[derive(Debug, Default)]
pub struct Miner {
    by_key: HashMap<Box<[u8]>, u32, Xxh3DefaultBuilder>,
    shapes: Vec<Shape>,
    masked: mask::Masked,
}

/// Lines that are equal once they are masked.
#[derive(Debug, Clone)]
struct Shape {
    /// The masked words, neighbours that are nothing but variable joined.
    words: Vec<String>,
    /// For each word that has a variable the text that it had in the first line, until a line differs.
    same: Vec<(usize, Option<String>)>,
    /// How many of `same` are still there.
    open: usize,
    lines: u64,
}

/// The templates of all lines that were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    /// For each shape the template to which it belongs.
    pub of_shape: Vec<u32>,
    /// The templates in the order in which their first lines came.
    pub all: Vec<Template>,
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its text with [`VARIABLE`] for what differs, white space folded.
    pub text: String,
    /// How many lines it has.
    pub lines: u64,
}

impl Miner {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line; answers its shape, a number below [`Miner::shapes`].
    pub fn add(&mut self, line: &str) -> u32 {
        let line = &line[..line.floor_char_boundary(LINE_BYTES_MAX)];
        self.masked.mask(line);
        if let Some(id) = self.by_key.get(self.masked.key()) {
            let shape = &mut self.shapes[*id as usize];
            shape.lines += 1;
            if shape.open > 0 {
                shape.compare(&self.masked, line);
            }
            return *id;
        }
        if self.shapes.len() >= SHAPES_MAX {
            // Room for as many first words as shapes, then none.
            self.masked.keep_first_word(self.shapes.len() < 2 * SHAPES_MAX);
            if let Some(id) = self.by_key.get(self.masked.key()) {
                self.shapes[*id as usize].lines += 1;
                return *id;
            }
        }
        let id = self.shapes.len() as u32;
        self.by_key.insert(self.masked.key().into(), id);
        self.shapes.push(Shape::of(&self.masked, line));
        id
    }

    /// Shapes so far.
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// The templates of what was added so far.
    pub fn templates(&self) -> Templates {
        merge::templates(&self.shapes)
    }
}

impl Shape {
    fn of(masked: &mask::Masked, line: &str) -> Self {
        let words: Vec<String> = masked.words().map(str::to_owned).collect();
        let same: Vec<(usize, Option<String>)> =
            masked.variables().map(|(word, span)| (word, line.get(span).map(str::to_owned))).collect();
        Self { words, open: same.len(), same, lines: 1 }
    }

    /// Forgets texts of which this line has another.
    fn compare(&mut self, masked: &mask::Masked, line: &str) {
        for ((_, same), (_, span)) in self.same.iter_mut().zip(masked.variables()) {
            if same.is_some() && same.as_deref() != line.get(span) {
                *same = None;
                self.open -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
