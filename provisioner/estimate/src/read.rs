//! Readers of what will be deployed: [`plan`] (a Terraform or OpenTofu plan as JSON), [`hcl`] (a folder of `.tf` files, without
//! providers) and [`usage`] (how much of each resource will be used).

pub mod plan;
pub mod hcl;
pub mod usage;

/// Why an input cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than what is accepted.
    #[error("{what} has {bytes} bytes, more than {max}")]
    TooLarge {
        /// Which input.
        what: String,
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Not in the format that it should be in.
    #[error("{what} is not {format}: {why}")]
    Malformed {
        /// Which input.
        what: String,
        /// The format expected.
        format: &'static str,
        /// What the parser says.
        why: String,
    },
    /// Of a version that is not known.
    #[error("{what} has format version {version}, known is {known}")]
    Version {
        /// Which input.
        what: String,
        /// Its version.
        version: String,
        /// What is known.
        known: &'static str,
    },
    /// Holds nothing to estimate.
    #[error("{0} holds no .tf file")]
    Empty(String),
}
