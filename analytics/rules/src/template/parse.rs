//! The grammar (Go, `text/template/parse/parse.go`).

use super::TemplateError;
use super::lex::{Placed, Token, lex};
use super::tree::{Arg, BlockKind, Node, Pipe, Tree};
use super::value::Value;
use super::{builtin, function};
use crate::limits::{TEMPLATE_BYTES_MAX, TEMPLATE_DEPTH_MAX};

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Tree, TemplateError> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateError::new(1, format!("a template has at most {TEMPLATE_BYTES_MAX} bytes")));
    }
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        variables: vec!["$".to_owned()],
        depth: 0,
        loops: 0,
        tree: Tree::default(),
    };
    let (root, end) = parser.list()?;
    if let Some(word) = end {
        return parser.fail(format!("unexpected {{{{{}}}}}", word.as_str()));
    }
    Ok(Tree { root, ..parser.tree })
}

/// What ends a list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    End,
    Else,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Else => "else",
        }
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    /// Those that may be named, innermost last.
    variables: Vec<String>,
    depth: usize,
    loops: usize,
    tree: Tree,
}

impl Parser {
    fn line(&self) -> usize {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |(_, line)| *line)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::new(self.line(), message))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get_mut(self.at).map(|(token, _)| std::mem::replace(token, Token::Space));
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek() == Some(&Token::Space) {
            self.at += 1;
        }
    }

    fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > TEMPLATE_DEPTH_MAX {
            return self.fail(format!("the template nests deeper than {TEMPLATE_DEPTH_MAX}"));
        }
        Ok(())
    }

    fn expect_close(&mut self, context: &str) -> Result<(), TemplateError> {
        self.skip_space();
        match self.peek() {
            Some(Token::Close) => {
                self.at += 1;
                Ok(())
            }
            _ => self.unexpected(context),
        }
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, TemplateError> {
        match self.peek() {
            None => self.fail("unexpected EOF"),
            Some(token) => self.fail(format!("unexpected {} in {context}", say(token))),
        }
    }

    /// Nodes up to an end, whose word has been read but not what follows it.
    fn list(&mut self) -> Result<(Vec<Node>, Option<End>), TemplateError> {
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                None => return Ok((nodes, None)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.skip_space();
                    let keyword = match self.peek() {
                        Some(Token::Name(name)) => name.clone(),
                        _ => String::new(),
                    };
                    match keyword.as_str() {
                        "end" | "else" => {
                            self.at += 1;
                            return Ok((nodes, Some(if keyword == "end" { End::End } else { End::Else })));
                        }
                        "if" | "with" | "range" => {
                            self.at += 1;
                            nodes.push(self.block(&keyword)?);
                        }
                        "define" => {
                            self.at += 1;
                            self.define()?;
                        }
                        "block" => {
                            self.at += 1;
                            nodes.push(self.named_block()?);
                        }
                        "template" => {
                            self.at += 1;
                            nodes.push(self.template()?);
                        }
                        "break" | "continue" if self.loops == 0 => {
                            return self.fail(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                        }
                        "break" | "continue" => {
                            self.at += 1;
                            self.expect_close(&keyword)?;
                            nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                        }
                        _ => {
                            let pipe = self.pipe(false, "command")?;
                            self.expect_close("command")?;
                            nodes.push(Node::Action(pipe));
                        }
                    }
                }
            }
        }
    }

    fn block(&mut self, keyword: &str) -> Result<Node, TemplateError> {
        self.deeper()?;
        let kind = match keyword {
            "if" => BlockKind::If,
            "with" => BlockKind::With,
            _ => BlockKind::Range,
        };
        let visible = self.variables.len();
        let pipe = self.pipe(kind == BlockKind::Range, keyword)?;
        self.expect_close(keyword)?;
        self.loops += usize::from(kind == BlockKind::Range);
        let (body, mut end) = self.list()?;
        self.loops -= usize::from(kind == BlockKind::Range);
        let mut otherwise = Vec::new();
        if end == Some(End::Else) {
            self.skip_space();
            let chained = match self.peek() {
                Some(Token::Name(name)) if kind == BlockKind::If && name == "if" => Some("if"),
                Some(Token::Name(name)) if kind == BlockKind::With && name == "with" => Some("with"),
                _ => None,
            };
            match chained {
                // `{{else if x}}` is `{{else}}{{if x}}` with one end for both.
                Some(word) => {
                    self.at += 1;
                    otherwise.push(self.block(word)?);
                    self.variables.truncate(visible);
                    self.depth -= 1;
                    return Ok(Node::Block { kind, pipe, body, otherwise });
                }
                None => {
                    self.expect_close("else")?;
                    (otherwise, end) = self.list()?;
                }
            }
        }
        match end {
            Some(End::End) => self.expect_close("end")?,
            Some(End::Else) => return self.fail("expected end; found {{else}}"),
            None => return self.fail("unexpected EOF"),
        }
        self.variables.truncate(visible);
        self.depth -= 1;
        Ok(Node::Block { kind, pipe, body, otherwise })
    }

    fn name(&mut self, context: &str) -> Result<String, TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Token::Quoted(name)) => Ok(name),
            _ => {
                self.at -= 1;
                self.unexpected(context)
            }
        }
    }

    /// The body of a template of its own, which sees no variables but `$`.
    fn body(&mut self, name: &str) -> Result<(), TemplateError> {
        self.deeper()?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, end) = self.list()?;
        match end {
            Some(End::End) => self.expect_close("end")?,
            Some(End::Else) => return self.fail("unexpected {{else}} in define clause"),
            None => return self.fail("unexpected EOF"),
        }
        self.variables = outer;
        self.loops = loops;
        self.depth -= 1;
        self.tree.defined.insert(name.to_owned(), body);
        Ok(())
    }

    fn define(&mut self) -> Result<(), TemplateError> {
        let name = self.name("define clause")?;
        self.expect_close("define clause")?;
        self.body(&name)
    }

    fn named_block(&mut self) -> Result<Node, TemplateError> {
        let line = self.line();
        let name = self.name("block clause")?;
        let pipe = self.pipe(false, "block clause")?;
        self.expect_close("block clause")?;
        self.body(&name)?;
        Ok(Node::Template { name, pipe: Some(pipe), line })
    }

    fn template(&mut self) -> Result<Node, TemplateError> {
        let line = self.line();
        let name = self.name("template clause")?;
        self.skip_space();
        let pipe = match self.peek() {
            Some(Token::Close) => None,
            _ => Some(self.pipe(false, "template clause")?),
        };
        self.expect_close("template clause")?;
        Ok(Node::Template { name, pipe, line })
    }

    fn pipe(&mut self, is_range: bool, context: &str) -> Result<Pipe, TemplateError> {
        self.deeper()?;
        let line = self.line();
        self.skip_space();
        let (variables, assigns) = self.declarations(is_range, context)?;
        let mut commands = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(Token::Close | Token::Right) => break,
                Some(Token::Pipe) => return self.fail(format!("missing value for {context}")),
                None => return self.fail("unclosed action"),
                Some(_) => commands.push(self.command(context)?),
            }
        }
        if commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for command in commands.iter().skip(1) {
            if let Some(Arg::Constant(_) | Arg::Dot | Arg::Nil) = command.first() {
                return self.fail("non executable command in pipeline stage 2");
            }
        }
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        self.depth -= 1;
        Ok(Pipe { line, variables, assigns, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, is_range: bool, context: &str) -> Result<(Vec<String>, bool), TemplateError> {
        let start = self.at;
        let mut names = Vec::new();
        while let Some(Token::Variable(name)) = self.peek() {
            names.push(name.clone());
            self.at += 1;
            self.skip_space();
            match self.peek() {
                Some(Token::Declare) => {
                    self.at += 1;
                    return Ok((names, false));
                }
                Some(Token::Assign) => {
                    if let Some(unknown) = names.iter().find(|n| !self.variables.contains(n)) {
                        return self.fail(format!("undefined variable {unknown:?}"));
                    }
                    self.at += 1;
                    return Ok((names, true));
                }
                Some(Token::Comma) if is_range && names.len() < 2 => {
                    self.at += 1;
                    self.skip_space();
                }
                Some(Token::Comma) => return self.fail(format!("too many declarations in {context}")),
                _ => break,
            }
        }
        self.at = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self, context: &str) -> Result<Vec<Arg>, TemplateError> {
        let mut args = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(Token::Close | Token::Right) | None => break,
                Some(Token::Pipe) => {
                    self.at += 1;
                    self.skip_space();
                    if matches!(self.peek(), Some(Token::Close | Token::Right) | None) {
                        return self.fail(format!("missing value for {context}"));
                    }
                    break;
                }
                Some(_) => args.push(self.operand(context)?),
            }
        }
        if args.is_empty() { self.fail("empty command") } else { Ok(args) }
    }

    fn operand(&mut self, context: &str) -> Result<Arg, TemplateError> {
        let arg = match self.next() {
            Some(Token::Name(name)) => match name.as_str() {
                "true" | "false" => Arg::Constant(Value::Bool(name == "true")),
                "nil" => Arg::Nil,
                _ if function::is_known(&name) || builtin::is_known(&name) => Arg::Function(name),
                _ => {
                    self.at -= 1;
                    return self.fail(format!("function {name:?} not defined"));
                }
            },
            Some(Token::Dot) => Arg::Dot,
            Some(Token::Field(name)) => Arg::Fields(self.fields(vec![name])),
            Some(Token::Variable(name)) => {
                if !self.variables.contains(&name) {
                    self.at -= 1;
                    return self.fail(format!("undefined variable {name:?}"));
                }
                Arg::Variable(name, self.fields(Vec::new()))
            }
            Some(Token::Quoted(text)) => Arg::Constant(Value::Text(text.into())),
            Some(Token::Int(n)) => Arg::Constant(Value::Int(n)),
            Some(Token::Float(v)) => Arg::Constant(Value::Float(v)),
            Some(Token::Left) => {
                let pipe = self.pipe(false, "parenthesized pipeline")?;
                self.skip_space();
                match self.next() {
                    Some(Token::Right) => Arg::Pipe(Box::new(pipe), self.fields(Vec::new())),
                    _ => return self.fail("unclosed left paren"),
                }
            }
            Some(other) => {
                self.at -= 1;
                return self.fail(format!("unexpected {} in {context}", say(&other)));
            }
            None => return self.fail("unclosed action"),
        };
        // Arguments are apart by spaces.
        match self.peek() {
            Some(Token::Space | Token::Close | Token::Right | Token::Pipe) => Ok(arg),
            _ => self.unexpected("operand"),
        }
    }

    fn fields(&mut self, mut names: Vec<String>) -> Vec<String> {
        while let Some(Token::Field(name)) = self.peek() {
            names.push(name.clone());
            self.at += 1;
        }
        names
    }
}

fn say(token: &Token) -> String {
    match token {
        Token::Text(text) => format!("{text:?}"),
        Token::Open => "\"{{\"".to_owned(),
        Token::Close => "\"}}\"".to_owned(),
        Token::Space => "space".to_owned(),
        Token::Name(name) => format!("<{name}>"),
        Token::Field(name) => format!("<.{name}>"),
        Token::Variable(name) => format!("{name:?}"),
        Token::Dot => "<.>".to_owned(),
        Token::Quoted(text) => format!("{text:?}"),
        Token::Int(n) => format!("\"{n}\""),
        Token::Float(v) => format!("\"{v}\""),
        Token::Pipe => "\"|\"".to_owned(),
        Token::Left => "\"(\"".to_owned(),
        Token::Right => "\")\"".to_owned(),
        Token::Declare => "\":=\"".to_owned(),
        Token::Assign => "\"=\"".to_owned(),
        Token::Comma => "\",\"".to_owned(),
    }
}
