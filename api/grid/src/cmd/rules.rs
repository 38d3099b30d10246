//! `grid rules`: rule files checked and tested as promtool does, without a server.
//!
//! Reading order: [`run`], `check`, `test`.

mod check;
mod test;

use std::process::ExitCode;

use crate::args::RulesCommand;

/// Does what is asked.
pub(crate) fn run(command: &RulesCommand) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::Check(args) => check::run(args),
        RulesCommand::Test(args) => test::run(args),
    }
}
