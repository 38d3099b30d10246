//! `nosql`: tables of DynamoDB, paid by use.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
    SseSpecification, TableDescription, TableStatus, Tag,
};
use serde_json::{Value, json};

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{Seen, Want, fields, or_null};

pub(crate) struct Table;

fn seen(table: &TableDescription) -> Option<Seen> {
    if table.table_status() == Some(&TableStatus::Deleting) {
        return None;
    }
    let id = table.table_name()?.to_owned();
    let key = |of: KeyType| table.key_schema().iter().find(|k| *k.key_type() == of).map(|k| k.attribute_name());
    Some(Seen {
        arn: table.table_arn().unwrap_or_default().to_owned(),
        name: id.clone(),
        id,
        fields: fields(json!({
            "partition_key": or_null(key(KeyType::Hash)),
            "sort_key": or_null(key(KeyType::Range)),
            "protect": table.deletion_protection_enabled().unwrap_or(false),
        })),
        outputs: [
            ("status".to_owned(), json!(table.table_status().map(TableStatus::as_str))),
            ("bytes".to_owned(), json!(table.table_size_bytes())),
            ("items".to_owned(), json!(table.item_count())),
        ]
        .into_iter()
        .filter(|(_, v): &(String, Value)| !v.is_null())
        .collect(),
        ..Seen::default()
    })
}

/// Tables tell neither their tags nor their backups.
async fn completed(aws: &Aws, mut seen: Seen) -> Result<Seen, Failure> {
    let mut pages = Pages::of("ListTagsOfResource");
    loop {
        let call = aws.dynamodb.list_tags_of_resource().resource_arn(&seen.arn).set_next_token(pages.at());
        let page = aws.call("ListTagsOfResource", call.send()).await?;
        seen.tags.extend(page.tags().iter().map(|t| (t.key().to_owned(), t.value().to_owned())));
        if !pages.turn(page.next_token())? {
            break;
        }
    }
    let call = aws.dynamodb.describe_continuous_backups().table_name(&seen.id);
    let answer = aws.call("DescribeContinuousBackups", call.send()).await?;
    let recovery = answer.continuous_backups_description().and_then(|b| b.point_in_time_recovery_description());
    let is_on = recovery.and_then(|r| r.point_in_time_recovery_status()).is_some_and(|s| s.as_str() == "ENABLED");
    seen.fields.insert("backup".to_owned(), Value::Bool(is_on));
    Ok(seen)
}

fn tags(of: &BTreeMap<String, String>) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    of.iter().map(tag).collect::<Result<_, _>>().map_err(|e| Failure::refused("", e.to_string()))
}

#[async_trait]
impl Native for Table {
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("ListTables"));
        loop {
            let call = aws.dynamodb.list_tables().set_exclusive_start_table_name(pages.at());
            let page = aws.call("ListTables", call.send()).await?;
            for name in page.table_names() {
                all.extend(self.read(aws, name).await?);
            }
            if !pages.turn(page.last_evaluated_table_name())? {
                return Ok(all);
            }
        }
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let answer = match aws.call("DescribeTable", aws.dynamodb.describe_table().table_name(id).send()).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_gone() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        match answer.table().and_then(seen) {
            Some(seen) => completed(aws, seen).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let odd = |e: aws_sdk_dynamodb::error::BuildError| Failure::refused("", e.to_string());
        let mut call = aws
            .dynamodb
            .create_table()
            .table_name(&new.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_deletion_protection_enabled(want.bool("protect"))
            .sse_specification(SseSpecification::builder().enabled(true).build())
            .set_tags(Some(tags(&new.tags)?));
        let keys = [("partition_key", KeyType::Hash), ("sort_key", KeyType::Range)];
        for (name, of) in keys.into_iter().filter_map(|(field, of)| Some((want.text(field)?, of))) {
            let attribute = AttributeDefinition::builder().attribute_name(&name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(&name).key_type(of);
            call = call.attribute_definitions(attribute.build().map_err(odd)?).key_schema(key.build().map_err(odd)?);
        }
        aws.call("CreateTable", call.send()).await?;
        if want.bool("backup").unwrap_or(false) {
            backup(aws, &new.name, true).await?;
        }
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
        if changed.contains("protect") {
            let call = aws.dynamodb.update_table().table_name(&seen.id);
            let call = call.set_deletion_protection_enabled(want.bool("protect"));
            aws.call("UpdateTable", call.send()).await?;
        }
        match want.bool("backup") {
            Some(is_on) if changed.contains("backup") => backup(aws, &seen.id, is_on).await,
            _ => Ok(()),
        }
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.dynamodb.tag_resource().resource_arn(&seen.arn).set_tags(Some(tags(of)?));
        aws.call("TagResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        aws.call("DeleteTable", aws.dynamodb.delete_table().table_name(&seen.id).send()).await.map(drop)
    }
}

async fn backup(aws: &Aws, table: &str, is_on: bool) -> Result<(), Failure> {
    let to = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(is_on).build();
    let to = to.map_err(|e| Failure::refused("", e.to_string()))?;
    let call = aws.dynamodb.update_continuous_backups().table_name(table).point_in_time_recovery_specification(to);
    aws.call("UpdateContinuousBackups", call.send()).await.map(drop)
}
