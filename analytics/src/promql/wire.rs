//! What of a plan travels beside DataFusion's own messages, as protobuf. Fields are added, never given another number or meaning.

/// A node that DataFusion does not know.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(oneof = "Of", tags = "1, 2")]
    pub of: Option<Of>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Of {
    /// `GridPromqlExec`; its inputs are the scans of its leaves, leaf by leaf, part by part.
    #[prost(message, tag = "1")]
    Promql(Promql),
    /// `GridPinnedScanExec`; its input is the scan.
    #[prost(message, tag = "2")]
    Pinned(Pinned),
}

/// A query with what was chosen for it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Promql {
    #[prost(string, tag = "1")]
    pub tenant: String,
    /// The catalog's generation that the scans are of.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
    #[prost(string, tag = "3")]
    pub expression: String,
    #[prost(message, optional, tag = "4")]
    pub features: Option<Features>,
    /// The steps, in milliseconds.
    #[prost(sint64, tag = "5")]
    pub start: i64,
    #[prost(sint64, tag = "6")]
    pub end: i64,
    #[prost(sint64, tag = "7")]
    pub step: i64,
    #[prost(sint64, tag = "8")]
    pub lookback: i64,
    #[prost(sint64, tag = "9")]
    pub subquery_step: i64,
    #[prost(uint64, tag = "10")]
    pub memory_bytes: u64,
    /// Milliseconds that are left to it.
    #[prost(uint64, tag = "11")]
    pub timeout: u64,
    #[prost(message, repeated, tag = "12")]
    pub leaves: Vec<Leaf>,
}

/// What of the language is on.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Features {
    #[prost(bool, tag = "1")]
    pub experimental_functions: bool,
    #[prost(bool, tag = "2")]
    pub duration_expressions: bool,
    #[prost(bool, tag = "3")]
    pub extended_range_selectors: bool,
    #[prost(bool, tag = "4")]
    pub binop_fill_modifiers: bool,
    #[prost(bool, tag = "5")]
    pub delayed_name_removal: bool,
    #[prost(bool, tag = "6")]
    pub per_step_stats: bool,
    #[prost(bool, tag = "7")]
    pub type_and_unit_labels: bool,
    #[prost(bool, tag = "8")]
    pub start_timestamps: bool,
}

/// The series of a selector and where their samples are.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Leaf {
    #[prost(fixed64, repeated, tag = "1")]
    pub ids: Vec<u64>,
    /// Labels of each, as the head of a series' key.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub labels: Vec<bytes::Bytes>,
    /// Ranks of series whose labels another one has too.
    #[prost(uint32, repeated, tag = "3")]
    pub alike: Vec<u32>,
    #[prost(message, repeated, tag = "4")]
    pub parts: Vec<Part>,
}

/// Some series of a selector.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Part {
    /// Only samples of these times, in nanoseconds, the end not among them.
    #[prost(sint64, tag = "1")]
    pub start: i64,
    #[prost(sint64, tag = "2")]
    pub end: i64,
    #[prost(message, repeated, tag = "3")]
    pub runs: Vec<Runs>,
}

/// Whose rows one scan yields.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Runs {
    /// Which of the series, ascending.
    #[prost(uint32, repeated, tag = "1")]
    pub ranks: Vec<u32>,
    /// How many rows of each.
    #[prost(uint32, repeated, tag = "2")]
    pub rows: Vec<u32>,
}

/// Which rows of each of its files a scan reads, in the order in which the scan names them.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Pinned {
    #[prost(message, repeated, tag = "1")]
    pub files: Vec<Access>,
}

/// Which rows of a file.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Access {
    /// How many row groups the file has; none if all of it is read, whatever it has.
    #[prost(uint32, optional, tag = "1")]
    pub groups: Option<u32>,
    /// Those of which rows are read, ascending.
    #[prost(message, repeated, tag = "2")]
    pub read: Vec<Group>,
}

/// Which rows of a row group.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Group {
    #[prost(uint32, tag = "1")]
    pub index: u32,
    /// Rows that are skipped, read, skipped, and so on; nothing if all are read.
    #[prost(uint32, repeated, tag = "2")]
    pub rows: Vec<u32>,
}
