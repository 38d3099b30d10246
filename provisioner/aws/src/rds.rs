//! `postgresql` and `mysql`: instances of RDS. What was ordered counts as there: a change that waits for its turn is not ordered again.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_rds::types::{DbInstance, Tag};
use serde_json::json;

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{Seen, Want, fields, or_null};

/// One engine's instances.
pub(crate) struct Database {
    engine: &'static str,
    family: &'static str,
    /// Parts of a version that the type tells: 17 of 17.4, but 8.4 of 8.4.3.
    version_parts: usize,
}

impl Database {
    pub(crate) const POSTGRESQL: Self = Self { engine: "postgres", family: "database", version_parts: 1 };
    pub(crate) const MYSQL: Self = Self { engine: "mysql", family: "mysql", version_parts: 2 };

    fn seen(&self, db: &DbInstance) -> Option<Seen> {
        if db.engine() != Some(self.engine) || db.db_instance_status() == Some("deleting") {
            return None;
        }
        let id = db.db_instance_identifier()?.to_owned();
        let tags =
            db.tag_list().iter().filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned())));
        let pending = db.pending_modified_values();
        let version = pending.and_then(|p| p.engine_version()).or(db.engine_version()).unwrap_or_default();
        let version: Vec<&str> = version.split('.').take(self.version_parts).collect();
        let endpoint = db.endpoint();
        let machine = pending.and_then(|p| p.db_instance_class()).or(db.db_instance_class());
        Some(Seen {
            arn: db.db_instance_arn().unwrap_or_default().to_owned(),
            name: id.clone(),
            id,
            tags: tags.collect(),
            machine: machine.map(str::to_owned),
            fields: fields(json!({
                "version": version.join("."),
                "storage_gib": or_null(pending.and_then(|p| p.allocated_storage()).or(db.allocated_storage())),
                "database": or_null(db.db_name().filter(|n| !n.is_empty())),
                "high_availability": pending.and_then(|p| p.multi_az()).or(db.multi_az()).unwrap_or(false),
                "backup_days": or_null(pending.and_then(|p| p.backup_retention_period()).or(db.backup_retention_period())),
                "protect": db.deletion_protection().unwrap_or(false),
                "network": or_null(db.db_subnet_group().and_then(|g| g.db_subnet_group_name())),
            })),
            outputs: [
                ("host".to_owned(), json!(endpoint.and_then(|e| e.address()))),
                ("port".to_owned(), json!(endpoint.and_then(|e| e.port()))),
                ("database".to_owned(), json!(db.db_name())),
                ("status".to_owned(), json!(db.db_instance_status())),
            ]
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .collect(),
            ..Seen::default()
        })
    }
}

fn tags(of: &BTreeMap<String, String>) -> Vec<Tag> {
    of.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

#[async_trait]
impl Native for Database {
    fn family(&self) -> Option<&'static str> {
        Some(self.family)
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeDBInstances"));
        loop {
            let page =
                aws.call("DescribeDBInstances", aws.rds.describe_db_instances().set_marker(pages.at()).send()).await?;
            all.extend(page.db_instances().iter().filter_map(|db| self.seen(db)));
            if !pages.turn(page.marker())? {
                return Ok(all);
            }
        }
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let call = aws.rds.describe_db_instances().db_instance_identifier(id);
        match aws.call("DescribeDBInstances", call.send()).await {
            Ok(answer) => Ok(answer.db_instances().first().and_then(|db| self.seen(db))),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let call = aws
            .rds
            .create_db_instance()
            .db_instance_identifier(&new.name)
            .engine(self.engine)
            .set_engine_version(want.text("version"))
            .db_instance_class(want.machine()?)
            .set_allocated_storage(want.int("storage_gib"))
            .storage_type("gp3")
            .storage_encrypted(true)
            .set_db_name(want.text("database"))
            .master_username("grid")
            // The cloud makes the password and keeps it.
            .manage_master_user_password(true)
            .set_multi_az(want.bool("high_availability"))
            .set_backup_retention_period(want.int("backup_days"))
            .set_deletion_protection(want.bool("protect"))
            .set_db_subnet_group_name(want.text("network"))
            .copy_tags_to_snapshot(true)
            .set_tags(Some(tags(&new.tags)));
        aws.call("CreateDBInstance", call.send()).await?;
        Ok(new.name.clone())
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let changed = |name: &str| changed.contains(name);
        let machine = if changed("machine") { Some(want.machine()?) } else { None };
        let version = changed("version").then(|| want.text("version")).flatten();
        let call = aws
            .rds
            .modify_db_instance()
            .db_instance_identifier(&seen.id)
            // Gates and freezes are Grid's: what was let through is done now, not in a window of the cloud's.
            .apply_immediately(true)
            .set_db_instance_class(machine)
            .set_allow_major_version_upgrade(version.is_some().then_some(true))
            .set_engine_version(version)
            .set_allocated_storage(changed("storage_gib").then(|| want.int("storage_gib")).flatten())
            .set_multi_az(changed("high_availability").then(|| want.bool("high_availability")).flatten())
            .set_backup_retention_period(changed("backup_days").then(|| want.int("backup_days")).flatten())
            .set_deletion_protection(changed("protect").then(|| want.bool("protect")).flatten());
        aws.call("ModifyDBInstance", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.rds.add_tags_to_resource().resource_name(&seen.arn).set_tags(Some(tags(of)));
        aws.call("AddTagsToResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, token: &str) -> Result<(), Failure> {
        // Data outlive their database by one snapshot.
        let digits: String = token.chars().rev().take(8).collect();
        let call = aws
            .rds
            .delete_db_instance()
            .db_instance_identifier(&seen.id)
            .skip_final_snapshot(false)
            .final_db_snapshot_identifier(format!("{}-final-{digits}", seen.id));
        aws.call("DeleteDBInstance", call.send()).await.map(drop)
    }
}
