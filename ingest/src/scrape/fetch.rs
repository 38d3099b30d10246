//! HTTP to targets and to discovery endpoints: clients as a configuration describes them, bodies within bounds.

use std::io::Read as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use grid_scrape_config::{Auth, HttpConfig, ProxyConfig, SecretSource};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Certificate, Client, Identity, NoProxy, Proxy, Url, redirect, tls};
use tokio::sync::Mutex;

const USER_AGENT: &str = concat!("Grid/", env!("CARGO_PKG_VERSION"));
const REDIRECTS_MAX: usize = 10;
/// Connections that are kept between scrapes, by host and port.
const IDLE_PER_HOST_MAX: usize = 8;
/// Largest file that holds a secret or a certificate.
const SECRET_BYTES_MAX: u64 = 1024 * 1024;

/// A client of one job or discovery endpoint; a job's targets share one, so that connections are kept, unless a `server_name` ties
/// the client to its target. It is made anew when a file of its TLS settings changes.
#[derive(Debug)]
pub(super) struct Fetcher {
    config: HttpConfig,
    /// The client and the contents of the files that it was made from.
    made: Mutex<Option<(Vec<String>, Client)>>,
}

/// An answer with status 200.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// A request.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) accept: &'a str,
    pub(super) compression: bool,
    /// Further headers.
    pub(super) headers: &'a [(HeaderName, String)],
    pub(super) body_bytes_max: u64,
}

impl Fetcher {
    pub(super) fn new(config: HttpConfig) -> Self {
        Self { config, made: Mutex::new(None) }
    }

    /// Asks, and reads the whole answer. Errors are sentences.
    pub(super) async fn fetch(&self, ask: &Ask<'_>) -> Result<Answer, String> {
        let mut url = Url::parse(ask.url).map_err(|e| format!("{}: {e}", ask.url))?;
        let client = self.client(&url).await?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, value(ask.accept)?);
        let encoding = if ask.compression { "gzip" } else { "identity" };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        for (name, text) in ask.headers {
            headers.insert(name.clone(), value(text)?);
        }
        for further in &self.config.headers {
            let name: HeaderName = further.name.parse().map_err(|_| format!("bad header name {:?}", further.name))?;
            for source in &further.values {
                headers.append(name.clone(), secret_value(&secret(source).await?)?);
            }
        }
        if let Some(name) = self.config.tls.server_name.clone().filter(|_| url.scheme() == "https") {
            // The client resolves this name to the address of the target; see `client_of`.
            let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
            headers.insert(header::HOST, value(&format!("{}{port}", url.host_str().unwrap_or_default()))?);
            url.set_host(Some(&name)).map_err(|e| format!("server_name {name:?}: {e}"))?;
        }
        match &self.config.auth {
            None => {}
            Some(Auth::Basic { username, password }) => {
                let pair = format!("{}:{}", secret(username).await?, secret(password).await?);
                headers.insert(header::AUTHORIZATION, secret_value(&format!("Basic {}", base64(pair.as_bytes())))?);
            }
            Some(Auth::Scheme { scheme, credentials }) => {
                let text = format!("{scheme} {}", secret(credentials).await?);
                headers.insert(header::AUTHORIZATION, secret_value(&text)?);
            }
        }
        let response = client.get(url).headers(headers).send().await.map_err(|e| chain(&e))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("server returned HTTP status {}", response.status()));
        }
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (content_type, encoding) = (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
        let body = read_body(response, ask.body_bytes_max).await?;
        let body = if encoding.eq_ignore_ascii_case("gzip") { gunzip(body, ask.body_bytes_max).await? } else { body };
        Ok(Answer { content_type, body })
    }

    /// Whether each target needs a fetcher of its own.
    pub(super) fn is_of_one_target(config: &HttpConfig) -> bool {
        config.tls.server_name.is_some()
    }

    async fn client(&self, url: &Url) -> Result<Client, String> {
        let tls = &self.config.tls;
        let mut files = Vec::new();
        for source in [&tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
            files.push(secret(source).await?);
        }
        let mut made = self.made.lock().await;
        if let Some((of, client)) = &*made
            && *of == files
        {
            return Ok(client.clone());
        }
        let client = client_of(&self.config, url, &files).await?;
        *made = Some((files, client.clone()));
        Ok(client)
    }
}

async fn client_of(config: &HttpConfig, url: &Url, files: &[String]) -> Result<Client, String> {
    let policy =
        if config.follow_redirects { redirect::Policy::limited(REDIRECTS_MAX) } else { redirect::Policy::none() };
    let mut builder = Client::builder().redirect(policy).tcp_nodelay(true).pool_max_idle_per_host(IDLE_PER_HOST_MAX);
    builder = match &config.proxy {
        ProxyConfig::Direct => builder.no_proxy(),
        ProxyConfig::Environment => builder,
        ProxyConfig::Url { url, no_proxy } => {
            let proxy = Proxy::all(url).map_err(|e| format!("proxy_url: {}", chain(&e)))?;
            builder.proxy(proxy.no_proxy(no_proxy.as_deref().and_then(NoProxy::from_string)))
        }
    };
    let mut files = files.iter();
    let mut next = |wanted: bool| if wanted { files.next() } else { None };
    if let Some(pem) = next(config.tls.ca.is_some()) {
        builder = builder.tls_built_in_root_certs(false);
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|e| format!("ca: {}", chain(&e)))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let (Some(cert), Some(key)) = (next(config.tls.cert.is_some()), next(config.tls.key.is_some())) {
        let identity = Identity::from_pem(format!("{cert}\n{key}").as_bytes());
        builder = builder.identity(identity.map_err(|e| format!("client certificate: {}", chain(&e)))?);
    }
    let version = |v: u8| if v == 3 { tls::Version::TLS_1_3 } else { tls::Version::TLS_1_2 };
    if let Some(v) = config.tls.min_version {
        builder = builder.min_tls_version(version(v));
    }
    if let Some(v) = config.tls.max_version {
        builder = builder.max_tls_version(version(v));
    }
    builder = builder.danger_accept_invalid_certs(config.tls.insecure_skip_verify);
    if let Some(name) = config.tls.server_name.as_deref().filter(|_| url.scheme() == "https") {
        // TLS and the certificate speak of this name, the connection goes to the target.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let found = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs().map(Iterator::collect));
        let addresses: Vec<SocketAddr> =
            found.await.map_err(|e| e.to_string())?.map_err(|e| format!("resolve the target: {e}"))?;
        builder = builder.resolve_to_addrs(name, &addresses);
    }
    builder.build().map_err(|e| chain(&e))
}

async fn read_body(mut response: reqwest::Response, max: u64) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| chain(&e))? {
        if (body.len() + chunk.len()) as u64 > max {
            return Err(too_large(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn gunzip(body: Bytes, max: u64) -> Result<Bytes, String> {
    let inflate = move || {
        let mut out = Vec::new();
        let mut reader = flate2::read::MultiGzDecoder::new(&body[..]).take(max.saturating_add(1));
        reader.read_to_end(&mut out).map_err(|e| format!("the body is not gzip: {e}"))?;
        if out.len() as u64 > max { Err(too_large(max)) } else { Ok(Bytes::from(out)) }
    };
    tokio::task::spawn_blocking(inflate).await.map_err(|e| e.to_string())?
}

fn too_large(max: u64) -> String {
    format!("the body is larger than {max} bytes")
}

/// A secret's text; of a file without the blanks around it.
async fn secret(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.0.clone()),
        SecretSource::File(path) => {
            let size = tokio::fs::metadata(path).await.map_err(|e| format!("{}: {e}", path.display()))?.len();
            if size > SECRET_BYTES_MAX {
                return Err(format!("{}: more than {SECRET_BYTES_MAX} bytes", path.display()));
            }
            let text = tokio::fs::read_to_string(path).await.map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(text.trim().to_owned())
        }
    }
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("{text:?} cannot stand in a header"))
}

fn secret_value(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "a secret cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The longest that anything but a target may take.
pub(super) const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(30);
