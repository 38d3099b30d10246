//! What the API needs from whoever evaluates rules. The API may not import the insight room; the binary joins the two.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use grid_model::TenantId;
use grid_rules::GroupView;
use grid_rules::file::ParseOptions;

/// The kind of document that a group of rules is. Its name is `NAMESPACE/GROUP`.
pub const RULES_KIND: &str = "rules";

/// Knows the rules that are in force, and puts others in force.
pub trait RuleBook: Send + Sync {
    /// The groups of a tenant as they stand, by file and name.
    fn groups(&self, tenant: &TenantId) -> Vec<Arc<GroupView>>;

    /// How rules are read.
    fn parse_options(&self) -> ParseOptions;

    /// Reads the documents of a tenant again and puts them in force; an error is a sentence.
    fn reload<'a>(&'a self, tenant: &'a TenantId) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}
