//! What a bill means over time: why two periods differ, where a month will end, whether a budget holds, and what the hours cost for
//! which no bill has come yet.
//!
//! Reading order: [`calendar`] (months, quarters and years, also fiscal ones), [`exact`] (products and shares of money without a float),
//! [`relation`] and [`filter`] (which charges are meant, as checked SQL), [`variance`] (the effects behind a change) and
//! [`contribution`] (who explains it), [`trend`], [`forecast`], [`budget`], [`provisional`].
//!
//! Entry points: [`variance::explain`], [`contribution::rank`], [`trend::buckets`], [`forecast::forecast`], [`budget::judge`],
//! [`provisional::Rates::of`].
//!
//! Architecture invariants:
//! - No IO, no clock, no async: rows and the day that is today are inputs; the same input gives the same answer.
//! - Money stays an integer. Effects add up to the change they explain, to the last digit.
//! - Two currencies never meet in one sum.
//! - SQL that is built here holds column names of the schema and quoted literals, never text as it was typed.

pub mod calendar;
pub mod exact;
pub mod relation;
pub mod filter;
pub mod variance;
pub mod contribution;
pub mod trend;
pub mod forecast;
pub mod budget;
pub mod provisional;
