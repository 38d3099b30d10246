//! How a request to a target or to a discovery endpoint is made: authentication, TLS, proxy, headers.

use std::fmt;
use std::path::PathBuf;

use crate::schema::{HttpText, TlsText};

/// Text that nothing shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration itself.
    Inline(Secret),
    /// In a file, read for every request, so that it can be rotated.
    File(PathBuf),
}

/// Who the scraper says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `basic_auth`.
    Basic {
        /// The user's name.
        username: SecretSource,
        /// The password.
        password: SecretSource,
    },
    /// `authorization`: the header's scheme and what follows it.
    Scheme {
        /// `Bearer` unless said otherwise.
        scheme: String,
        /// What proves it.
        credentials: SecretSource,
    },
}

/// `tls_config`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// Certificates of authorities, in PEM, instead of the system's.
    pub ca: Option<SecretSource>,
    /// The client's certificate, in PEM.
    pub cert: Option<SecretSource>,
    /// The key of the client's certificate, in PEM.
    pub key: Option<SecretSource>,
    /// The name that the server's certificate must have, if it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not checked.
    pub insecure_skip_verify: bool,
    /// `TLS12` or `TLS13`: 2 or 3.
    pub min_version: Option<u8>,
    /// Likewise.
    pub max_version: Option<u8>,
}

/// Which proxy is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyConfig {
    /// None.
    #[default]
    Direct,
    /// The one that the environment names (`proxy_from_environment`).
    Environment,
    /// This one, but not for the hosts of `no_proxy`.
    Url {
        /// `http://HOST:PORT`.
        url: String,
        /// Hosts, domains and networks, separated by commas.
        no_proxy: Option<String>,
    },
}

/// One further header (`http_headers`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<SecretSource>,
}

/// The client's side of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Who asks.
    pub auth: Option<Auth>,
    /// How TLS is spoken.
    pub tls: TlsConfig,
    /// Through whom.
    pub proxy: ProxyConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Further headers.
    pub headers: Vec<Header>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            auth: None,
            tls: TlsConfig::default(),
            proxy: ProxyConfig::Direct,
            follow_redirects: true,
            headers: Vec::new(),
        }
    }
}

/// Headers that the scraper sets itself or that have a setting of their own.
const RESERVED_HEADERS: [&str; 18] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

type PathOf<'a> = &'a dyn Fn(String) -> PathBuf;

impl HttpConfig {
    /// Checks what was written. `path_of` resolves a relative path.
    pub(crate) fn of(text: HttpText, path_of: PathOf<'_>) -> Result<Self, String> {
        text.refuse_unsupported()?;
        let auth = auth(&text, path_of)?;
        let proxy = match (text.proxy_url.filter(|u| !u.is_empty()), text.proxy_from_environment.unwrap_or(false)) {
            (Some(_), true) => return Err("proxy_url and proxy_from_environment exclude each other".to_owned()),
            (Some(url), false) if !url.starts_with("http://") && !url.starts_with("https://") => {
                return Err(format!("proxy_url {url:?} is not an http:// or https:// URL"));
            }
            (Some(url), false) => ProxyConfig::Url { url, no_proxy: text.no_proxy },
            (None, true) => ProxyConfig::Environment,
            (None, false) if text.no_proxy.is_some() => return Err("no_proxy without proxy_url".to_owned()),
            (None, false) => ProxyConfig::Direct,
        };
        let mut headers = Vec::new();
        for (name, header) in text.http_headers.unwrap_or_default() {
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!("http_headers: {name} cannot be set"));
            }
            let inline = header.values.unwrap_or_default().into_iter().chain(header.secrets.unwrap_or_default());
            let values = inline.map(|v| SecretSource::Inline(Secret(v)));
            let files = header.files.unwrap_or_default().into_iter().map(|f| SecretSource::File(path_of(f)));
            headers.push(Header { name, values: values.chain(files).collect() });
        }
        Ok(Self {
            auth,
            tls: tls(text.tls_config.unwrap_or_default(), path_of)?,
            proxy,
            follow_redirects: text.follow_redirects.unwrap_or(true),
            headers,
        })
    }
}

fn source(
    what: &str,
    inline: Option<String>,
    file: Option<String>,
    path_of: PathOf<'_>,
) -> Result<Option<SecretSource>, String> {
    match (inline.filter(|t| !t.is_empty()), file.filter(|f| !f.is_empty())) {
        (Some(_), Some(_)) => Err(format!("{what} and {what}_file exclude each other")),
        (Some(text), None) => Ok(Some(SecretSource::Inline(Secret(text)))),
        (None, Some(file)) => Ok(Some(SecretSource::File(path_of(file)))),
        (None, None) => Ok(None),
    }
}

fn auth(text: &HttpText, path_of: PathOf<'_>) -> Result<Option<Auth>, String> {
    let bearer = source("bearer_token", text.bearer_token.clone(), text.bearer_token_file.clone(), path_of)?;
    let said = [bearer.is_some(), text.basic_auth.is_some(), text.authorization.is_some()];
    if said.iter().filter(|s| **s).count() > 1 {
        return Err(
            "at most one of basic_auth, authorization, bearer_token and bearer_token_file may be set".to_owned()
        );
    }
    let none = || SecretSource::Inline(Secret::default());
    if let Some(basic) = text.basic_auth.clone() {
        let username = source("username", basic.username, basic.username_file, path_of)?.unwrap_or_else(none);
        let password = source("password", basic.password, basic.password_file, path_of)?.unwrap_or_else(none);
        return Ok(Some(Auth::Basic { username, password }));
    }
    if let Some(said) = text.authorization.clone() {
        let scheme = said.scheme.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
        let scheme = scheme.unwrap_or_else(|| "Bearer".to_owned());
        if scheme.eq_ignore_ascii_case("basic") {
            return Err("authorization of type Basic: use basic_auth".to_owned());
        }
        let credentials = source("credentials", said.credentials, said.credentials_file, path_of)?.unwrap_or_else(none);
        return Ok(Some(Auth::Scheme { scheme, credentials }));
    }
    Ok(bearer.map(|credentials| Auth::Scheme { scheme: "Bearer".to_owned(), credentials }))
}

fn tls(text: TlsText, path_of: PathOf<'_>) -> Result<TlsConfig, String> {
    let version = |what: &str, said: Option<String>| match said.as_deref() {
        None | Some("") => Ok(None),
        Some("TLS12") => Ok(Some(2)),
        Some("TLS13") => Ok(Some(3)),
        Some(other @ ("TLS10" | "TLS11")) => Err(format!("tls_config: {what} {other} is too old to be spoken")),
        Some(other) => Err(format!("tls_config: unknown {what} {other:?}")),
    };
    let cert = source("cert", text.cert, text.cert_file, path_of)?;
    let key = source("key", text.key, text.key_file, path_of)?;
    if cert.is_some() != key.is_some() {
        return Err("tls_config: a client's certificate and its key belong together".to_owned());
    }
    Ok(TlsConfig {
        ca: source("ca", text.ca, text.ca_file, path_of)?,
        cert,
        key,
        server_name: text.server_name.filter(|n| !n.is_empty()),
        insecure_skip_verify: text.insecure_skip_verify.unwrap_or(false),
        min_version: version("min_version", text.min_version)?,
        max_version: version("max_version", text.max_version)?,
    })
}
