//! `grid explain CODE`: what an error code means.

use std::process::ExitCode;

use anyhow::bail;
use grid_api::codes::{CODES, explain};

use crate::args::ExplainArgs;
use crate::out;

/// Prints one code, or the list of all.
pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let Some(text) = &args.code else {
        for code in CODES {
            out::line(&format!("{}  {}", code.code, code.title))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(code) = explain(text) else {
        bail!("there is no code {text:?}; `grid explain` lists all codes");
    };
    out::line(&format!("{}: {}\n\nWhy: {}\n\nWhat to do: {}", code.code, code.title, code.cause, code.remedy))?;
    Ok(ExitCode::SUCCESS)
}
