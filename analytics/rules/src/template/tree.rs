//! A template as a tree.

use std::collections::HashMap;

use super::value::Value;

/// A template, and those that it defines.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Vec<Node>,
    pub(super) defined: HashMap<String, Vec<Node>>,
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    /// Text as it is.
    Text(String),
    /// `{{pipe}}`: printed, unless it sets variables.
    Action(Pipe),
    /// `{{if}}`, `{{with}}` and `{{range}}`.
    Block { kind: BlockKind, pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    /// `{{template "name" pipe}}`.
    Template { name: String, pipe: Option<Pipe>, line: usize },
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
}

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    If,
    With,
    Range,
}

/// Commands, each given the value of the one before.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) line: usize,
    /// Variables that it sets.
    pub(super) variables: Vec<String>,
    /// Whether these are there already.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Arg>>,
}

/// A word of a command.
#[derive(Debug)]
pub(super) enum Arg {
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// A constant.
    Constant(Value),
    /// `.A.B`
    Fields(Vec<String>),
    /// `$x.A.B`
    Variable(String, Vec<String>),
    /// A function.
    Function(String),
    /// `(pipe).A.B`
    Pipe(Box<Pipe>, Vec<String>),
}
