//! Parameters of a statement, put in as literals of the syntax tree, so that no text is ever parsed again.

use std::ops::ControlFlow;

use serde_json::Value;
use sqlparser::ast::{self, VisitMut, VisitorMut};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::GuardError;

/// Gives each `?` its number; whether there were any.
pub(crate) fn number_placeholders(mut tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, bool) {
    let mut n = 0;
    for token in &mut tokens {
        let bare = match &token.token {
            Token::Question => true,
            Token::Placeholder(name) => name == "?",
            _ => false,
        };
        if bare {
            n += 1;
            token.token = Token::Placeholder(format!("${n}"));
        }
    }
    (tokens, n > 0)
}

/// Puts the parameters in place of `$1`, `$2`, ...
pub(crate) fn bind(statement: &mut ast::Statement, params: &[Value], positional: bool) -> Result<(), GuardError> {
    let values = params.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
    let mut binder = Binder { values, used: vec![false; params.len()] };
    if let ControlFlow::Break(e) = statement.visit(&mut binder) {
        return Err(e);
    }
    if let Some(unused) = binder.used.iter().position(|used| !used) {
        let sign = if positional { "?".to_owned() } else { format!("${}", unused + 1) };
        return Err(GuardError::Parameters(format!("parameter {} is not used: there is no {sign} for it", unused + 1)));
    }
    Ok(())
}

struct Binder {
    values: Vec<ast::Value>,
    used: Vec<bool>,
}

impl VisitorMut for Binder {
    type Break = GuardError;

    fn pre_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<GuardError> {
        let ast::Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let found = number.and_then(|n| self.values.get(n).map(|v| (n, v.clone())));
        let Some((n, found)) = found else {
            let given = self.values.len();
            return ControlFlow::Break(GuardError::Parameters(format!(
                "there is no parameter {name}: {given} were given"
            )));
        };
        self.used[n] = true;
        value.value = found;
        ControlFlow::Continue(())
    }
}

fn literal(value: &Value) -> Result<ast::Value, GuardError> {
    Ok(match value {
        Value::Null => ast::Value::Null,
        Value::Bool(b) => ast::Value::Boolean(*b),
        Value::Number(n) => ast::Value::Number(n.to_string(), false),
        Value::String(s) => ast::Value::SingleQuotedString(s.clone()),
        Value::Array(_) | Value::Object(_) => {
            return Err(GuardError::Parameters("a parameter is a number, a text, true, false or null".into()));
        }
    })
}
