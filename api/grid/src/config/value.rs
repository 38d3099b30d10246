//! What a setting may hold, and how its text is read.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use crate::unit::{parse_bytes, parse_duration};

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// An address to listen on; `off` if the listener can do without.
    Address { may_be_off: bool },
    /// `30s`, `2h30m`.
    Duration,
    /// `64MiB`.
    Bytes,
    /// A whole number within bounds.
    Count { min: u64, max: u64 },
    /// Words separated by commas; in TOML also an array.
    List,
    /// `true` or `false`.
    Bool,
    /// Any text, possibly empty.
    Text,
    /// A file or folder; not empty.
    Path,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

/// What a setting was read as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Address(Option<SocketAddr>),
    Duration(Duration),
    Number(u64),
    List(Vec<String>),
    Bool(bool),
    Text(String),
    Path(PathBuf),
}

impl Kind {
    /// Reads the text of a setting. The error is a sentence for the user.
    pub(crate) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Address { may_be_off } => read_address(text, may_be_off).map(Value::Address),
            Self::Duration => parse_duration(text).map(Value::Duration),
            Self::Bytes => parse_bytes(text).map(Value::Number),
            Self::Count { min, max } => match text.trim().parse::<u64>() {
                Ok(n) if (min..=max).contains(&n) => Ok(Value::Number(n)),
                Ok(n) => Err(format!("{n} is out of range; it must lie between {min} and {max}")),
                Err(_) => Err(format!("{text:?} is not a whole number between {min} and {max}")),
            },
            Self::List => {
                let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
                Ok(Value::List(words.map(str::to_owned).collect()))
            }
            Self::Bool => match text.trim() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(format!("{text:?} is neither true nor false")),
            },
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Path if text.is_empty() => Err("the path is empty".to_owned()),
            Self::Path => Ok(Value::Path(PathBuf::from(text))),
            Self::Choice(words) => {
                if words.contains(&text) {
                    Ok(Value::Text(text.to_owned()))
                } else {
                    Err(format!("{text:?} is none of {}", words.join(", ")))
                }
            }
        }
    }

    /// The form of a value in a message about a value of another TOML type.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Address { .. } => "an address as text (\"127.0.0.1:7080\")",
            Self::Duration => "a duration as text (\"30s\")",
            Self::Bytes => "a size as text (\"64MiB\") or a number of bytes",
            Self::Count { .. } => "a whole number",
            Self::List => "an array of text ([\"a\", \"b\"])",
            Self::Bool => "true or false",
            Self::Text | Self::Path | Self::Choice(_) => "text",
        }
    }
}

fn read_address(text: &str, may_be_off: bool) -> Result<Option<SocketAddr>, String> {
    let text = text.trim();
    if text == "off" && may_be_off {
        return Ok(None);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Some(address));
    }
    // `localhost:7080` is what people type; no other name is resolved, since a listener on "some name" surprises.
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse::<u16>()
        && let Ok(mut found) = ("localhost", port).to_socket_addrs()
    {
        return Ok(found.find(SocketAddr::is_ipv4).or_else(|| Some(SocketAddr::from(([127, 0, 0, 1], port)))));
    }
    let off = if may_be_off { " or \"off\"" } else { "" };
    Err(format!("{text:?} is not an address; write \"127.0.0.1:7080\", \"[::1]:7080\", port 0 for any free one{off}"))
}
