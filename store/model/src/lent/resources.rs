//! `resources`: what drivers have found in the accounts that they work in, whoever made it. A row is as old as `observed_time` says.

use crate::table::record::{Labels, record_table};
use crate::time::Timestamp;

record_table! {
    /// One resource.
    pub struct ResourceRow {
        /// Grid's kind, such as `vm`, or where there is none the service and its type, such as `ec2:snapshot`.
        kind: String,
        /// The cloud's id.
        resource_id: String,
        /// Its full name, where the cloud has one: some bills have this as their `resource_id`.
        arn: Option<String>,
        /// What people call it.
        name: Option<String>,
        /// Where it is.
        region: Option<String>,
        /// Its tags.
        tags: Labels,
        /// What it is, in the names of its type, as JSON.
        fields: String,
        /// When it was last seen.
        observed_time: Timestamp,
        /// The driver that found it.
        driver: String,
        /// The environment that it belongs to, if one knows it.
        environment: Option<String>,
        /// What it is called there: `vm.web`.
        resource_address: Option<String>,
    }
}
