//! What a Terraform plan or folder will cost before it is deployed, to the cent: resources become components with exact monthly
//! quantities, a price source gives the unit price, and what is not known is said to be unknown.
//!
//! Entry point: [`estimate()`]. Reading order: [`read`] (plan JSON, `.tf` folders, usage files) into [`resource`]s with [`value`]s; [`rules`], one
//! file per family of services, see a resource through [`view`] and answer [`component`]s in exact [`quantity`]s; [`price`] sources
//! price them; [`mod@estimate`] sums; [`compare`] sets two estimates or a budget side by side; [`show`] prints.
//!
//! Architecture invariants:
//! - No IO, no clock, no network: files come through [`read::hcl::Sources`], prices through [`price::PriceSource`].
//! - A component without a price is unknown and makes every sum above it a lower bound; nothing unknown ever counts as zero.
//! - Amounts and quantities are integers of 10^-18; they are rounded only when shown.
//! - No rule knows a unit price; no price source knows a rule.
//! - Any input ends in an answer or an error: depth, size, count and steps are bounded in [`limits`].
#![allow(clippy::match_overlapping_arm, reason = "bounds are tried from the smallest, as price lists name them")]

pub mod read;
pub mod resource;
pub mod value;
pub mod view;
pub mod rules;
pub mod component;
pub mod quantity;
pub mod price;
pub mod book;
pub mod estimate;
pub mod compare;
pub mod show;
pub mod limits;

pub use estimate::{Estimate, estimate};
pub use price::{NoPrices, Price, PriceFile, PriceSource};
pub use quantity::Quantity;
pub use read::usage::Usage;
pub use resource::Inventory;
