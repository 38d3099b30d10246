//! `function`: functions of Lambda.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_lambda::types::{Environment, FunctionCode, LastUpdateStatus, Runtime};
use serde_json::json;

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{Seen, Want, fields, or_null};

pub(crate) struct Function;

/// Runtimes as types and as AWS call them.
const RUNTIMES: [(&str, &str); 2] = [("python-3.12", "python3.12"), ("nodejs-22", "nodejs22.x")];
/// Where the code came from: the service forgets that.
const SOURCE_TAG: &str = "grid:source";
const ARCHIVE_TAG: &str = "grid:archive";

fn runtime(of: &str) -> Runtime {
    Runtime::from(RUNTIMES.iter().find(|(name, _)| *name == of).map_or(of, |(_, theirs)| theirs))
}

fn environment(of: BTreeMap<String, String>) -> Environment {
    Environment::builder().set_variables(Some(of.into_iter().collect())).build()
}

#[async_trait]
impl Native for Function {
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("ListFunctions"));
        loop {
            let page = aws.call("ListFunctions", aws.lambda.list_functions().set_marker(pages.at()).send()).await?;
            for name in page.functions().iter().filter_map(|f| f.function_name()) {
                all.extend(self.read(aws, name).await?);
            }
            if !pages.turn(page.next_marker())? {
                return Ok(all);
            }
        }
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let answer = match aws.call("GetFunction", aws.lambda.get_function().function_name(id).send()).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_gone() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let Some(of) = answer.configuration() else { return Ok(None) };
        let tags: BTreeMap<String, String> =
            answer.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let theirs = of.runtime().map_or("", Runtime::as_str);
        let name = of.function_name().unwrap_or(id);
        Ok(Some(Seen {
            id: name.to_owned(),
            arn: of.function_arn().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            fields: fields(json!({
                "memory_mib": or_null(of.memory_size()),
                "timeout_seconds": or_null(of.timeout()),
                "max_instances": or_null(answer.concurrency().and_then(|c| c.reserved_concurrent_executions())),
                "handler": or_null(of.handler()),
                "runtime": RUNTIMES.iter().find(|(_, name)| *name == theirs).map_or(theirs, |(name, _)| name),
                "env": json!(of.environment().and_then(|e| e.variables())),
                "source": or_null(tags.get(SOURCE_TAG).map(String::as_str)),
                "archive": or_null(tags.get(ARCHIVE_TAG).map(String::as_str)),
                "aws": {"role": or_null(of.role())},
            })),
            outputs: [("code_bytes".to_owned(), json!(of.code_size()))].into(),
            handles: [("status", of.last_update_status().map_or("", LastUpdateStatus::as_str).to_owned())].into(),
            tags,
            ..Seen::default()
        }))
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let (source, archive) = (want.must("source")?, want.must("archive")?);
        let mut tags = new.tags.clone();
        tags.extend([(SOURCE_TAG.to_owned(), source.clone()), (ARCHIVE_TAG.to_owned(), archive.clone())]);
        let call = aws
            .lambda
            .create_function()
            .function_name(&new.name)
            .runtime(runtime(&want.must("runtime")?))
            .handler(want.must("handler")?)
            .role(want.must("aws.role")?)
            .code(FunctionCode::builder().s3_bucket(source).s3_key(archive).build())
            .set_memory_size(want.int("memory_mib"))
            .set_timeout(want.int("timeout_seconds"))
            .environment(environment(want.map("env")))
            .set_tags(Some(tags.into_iter().collect()));
        aws.call("CreateFunction", call.send()).await?;
        if let Some(most) = want.int("max_instances") {
            concurrency(aws, &new.name, most).await?;
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
        let is_changed = |name: &str| changed.contains(name);
        let says_env = changed.iter().any(|name| name == "env" || name.starts_with("env."));
        if ["memory_mib", "timeout_seconds", "handler", "runtime"].iter().any(|n| is_changed(n)) || says_env {
            let mut env = seen.fields.get("env").and_then(|v| v.as_object()).cloned().unwrap_or_default();
            env.extend(want.map("env").into_iter().map(|(k, v)| (k, v.into())));
            let env = env.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect();
            let call = aws
                .lambda
                .update_function_configuration()
                .function_name(&seen.id)
                .set_memory_size(want.int("memory_mib"))
                .set_timeout(want.int("timeout_seconds"))
                .set_handler(want.text("handler"))
                .set_runtime(want.text("runtime").map(|r| runtime(&r)))
                .set_environment(says_env.then(|| environment(env)));
            aws.call("UpdateFunctionConfiguration", call.send()).await?;
        }
        if let Some(most) = want.int("max_instances").filter(|_| is_changed("max_instances")) {
            concurrency(aws, &seen.id, most).await?;
        }
        if is_changed("source") || is_changed("archive") {
            let (source, archive) = (want.must("source")?, want.must("archive")?);
            let call = aws.lambda.update_function_code().function_name(&seen.id);
            aws.call("UpdateFunctionCode", call.s3_bucket(&source).s3_key(&archive).send()).await?;
            let tags = [(SOURCE_TAG.to_owned(), source), (ARCHIVE_TAG.to_owned(), archive)].into();
            self.tag(aws, seen, &tags).await?;
        }
        Ok(())
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.lambda.tag_resource().resource(&seen.arn).set_tags(Some(of.clone().into_iter().collect()));
        aws.call("TagResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        aws.call("DeleteFunction", aws.lambda.delete_function().function_name(&seen.id).send()).await.map(drop)
    }
}

async fn concurrency(aws: &Aws, name: &str, most: i32) -> Result<(), Failure> {
    let call = aws.lambda.put_function_concurrency().function_name(name).reserved_concurrent_executions(most);
    aws.call("PutFunctionConcurrency", call.send()).await.map(drop)
}
