//! The one door: who is calling, for which tenant, and how much may they send.
//!
//! Entry point: [`Guard`]. Rooms that speak HTTP export plain axum routers; the binary wraps each by [`Guard::layer`] with
//! the [`Scope`] it needs, and handlers take the [`Caller`] as an argument. [`body::read`] turns a request's body into
//! bytes, inflated and capped.
//!
//! Architecture invariants:
//! - Foreign bytes are inflated in [`body`] only, with a cap before and a cap after inflation.
//! - A token's secret is never stored and never logged; what rests is its SHA-256.
//! - With tokens on, the token decides the tenant; the header may only choose among those it holds.
//! - Overload is 503, a tenant's quota is 429; both say when to come back.
//! - Everything that is tracked per tenant or per token is bounded.

pub mod caller;
pub mod auth;
pub mod tenant;
pub mod body;
pub mod quota;
pub mod load;
pub mod origin;
pub mod bind;
pub mod layer;
pub mod headers;
pub mod problem;
mod book;

pub use auth::{AuthError, AuthMode, Issued, NewToken, TokenInfo};
pub use bind::{Refusal, bind_policy};
pub use body::{BodyError, BodyLimits};
pub use caller::{Caller, Scope, Scopes};
pub use layer::{Guard, GuardConfig, GuardStats};
pub use load::{LoadError, Permit};
pub use problem::Problem;
pub use quota::{Quota, QuotaError};
pub use tenant::Tenants;
