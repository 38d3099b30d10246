//! Commitments: how much to promise a provider per hour, for one year or three, against a lower price.
//!
//! Demand is what usage costs per hour at on-demand prices ([`Demand`]); an [`Offer`] says which of it a promise covers and at
//! which share of the on-demand price. Everything else follows from both:
//! [`replay`] (what a level would have cost), [`optimum`] (the best level in hindsight), [`online`] (the best that can be done
//! without knowing the future, with its guarantee), [`recommend`] (what to buy now), [`risk`] (what if demand falls),
//! [`ladder`] (in which portions). [`hindsight`] is the true optimum of many purchases, to measure the others against;
//! [`synthetic`] makes demand to measure them on.
//!
//! Money is integers throughout; quotients are rounded half to even at 18 decimals.

pub mod demand;
pub mod offer;
pub mod replay;
pub mod optimum;
pub mod online;
pub mod recommend;
pub mod risk;
pub mod ladder;
pub mod hindsight;
pub mod synthetic;
#[cfg(test)]
mod tests;

pub use demand::{BadDemand, Demand, Line};
pub use offer::{Offer, Payment, Program, Ratio, Term};
pub use recommend::{Advice, Candidate, Recommendation, Settings, advise, recommend, uncovered};
pub use replay::Replay;
