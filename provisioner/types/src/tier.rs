//! How far each type is proven on each cloud. The cells are what tests found: they write `tiers.csv`, and this reads it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::target::Cloud;

/// How far a recipe is proven; each holds what those before it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Every variant of its example renders to text that parses.
    Rendered,
    /// Every block, argument, type of a literal and reference is in the provider's schema.
    SchemaValid,
    /// An executor did it against a contract server.
    Contract,
    /// An executor did it against an emulator of the cloud.
    Emulated,
    /// Against a real API server of Kubernetes.
    RealApiserver,
    /// In the cloud.
    Live,
}

impl Tier {
    /// All, from the weakest.
    pub const ALL: [Self; 6] =
        [Self::Rendered, Self::SchemaValid, Self::Contract, Self::Emulated, Self::RealApiserver, Self::Live];

    /// As tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rendered => "rendered",
            Self::SchemaValid => "schema-valid",
            Self::Contract => "contract",
            Self::Emulated => "emulated",
            Self::RealApiserver => "real-apiserver",
            Self::Live => "live",
        }
    }

    /// By name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// The tier of a type on a cloud; `None` where nothing is rendered.
pub fn tier(kind: &str, cloud: Cloud) -> Option<Tier> {
    CELLS.get(&(kind.to_owned(), cloud)).copied()
}

/// How many cells have exactly each tier, on one cloud or on all.
pub fn count(cloud: Option<Cloud>) -> BTreeMap<Tier, usize> {
    let mut counts = BTreeMap::new();
    for (_, tier) in CELLS.iter().filter(|((_, of), _)| cloud.is_none_or(|c| c == *of)) {
        *counts.entry(*tier).or_default() += 1;
    }
    counts
}

static CELLS: LazyLock<BTreeMap<(String, Cloud), Tier>> = LazyLock::new(|| {
    let text = include_str!("../tiers.csv");
    let row = |line: &str| {
        let mut parts = line.split(',');
        let (kind, cloud, tier) = (parts.next()?, Cloud::parse(parts.next()?)?, Tier::parse(parts.next()?)?);
        Some(((kind.to_owned(), cloud), tier))
    };
    text.lines().skip(1).filter_map(row).collect()
});
