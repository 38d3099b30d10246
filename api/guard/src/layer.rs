//! The guard as a layer around routers, and as a value that rooms ask.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use grid_model::{TenantId, Timestamp};
use grid_store::Store;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::auth::{AuthError, AuthMode, Issued, NewToken, TokenInfo, credentials};
use crate::body::BodyLimits;
use crate::book::{Book, Shelf};
use crate::caller::{Caller, Scope, Scopes};
use crate::headers::secure;
use crate::load::{Concurrency, Load, LoadError, Permit};
use crate::origin;
use crate::problem::{ProblemCode, internal_error};
use crate::quota::{Quota, QuotaError, Quotas};
use crate::tenant::{Tenants, from_headers};

pub use crate::book::{BookError, TOKENS_MAX};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Gives 256 fresh random bits.
pub type Entropy = Arc<dyn Fn() -> [u8; 32] + Send + Sync>;

/// How the guard behaves.
#[derive(Clone)]
pub struct GuardConfig {
    /// Whether callers must say who they are.
    pub auth: AuthMode,
    /// Names under which a server without authentication may be called, beside addresses and private names.
    pub allowed_hosts: Vec<String>,
    /// Requests under way at once.
    pub concurrency: Concurrency,
    /// The bounds on bodies.
    pub body: BodyLimits,
    /// What a tenant may send.
    pub quota: Quota,
    /// What certain tenants may send.
    pub tenant_quotas: HashMap<TenantId, Quota>,
    /// Tells whether a token has expired. The default stands at the end of time, so that a forgotten clock refuses
    /// every token that expires instead of honouring it for ever.
    pub clock: Clock,
    /// Where new tokens come from; by default the operating system.
    pub entropy: Entropy,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            auth: AuthMode::Anonymous,
            allowed_hosts: Vec::new(),
            concurrency: Concurrency::default(),
            body: BodyLimits::default(),
            quota: Quota::default(),
            tenant_quotas: HashMap::new(),
            clock: Arc::new(|| Timestamp::MAX),
            entropy: Arc::new(rand::random),
        }
    }
}

/// What a caller's token holds beyond this request: needed where an answer spans tenants. An extension of the request
/// beside [`Caller`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holds(pub Tenants);

/// Counters since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuardStats {
    /// Refused requests by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// Answered requests by scope of the route and class of status (`2xx`).
    pub answered: BTreeMap<(&'static str, &'static str), u64>,
    /// Requests under way by scope.
    pub under_way: BTreeMap<&'static str, u64>,
    /// Bytes of bodies that may still be taken in.
    pub body_budget_free_bytes: u64,
}

/// The guard. Cheap to clone; clones share.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    config: GuardConfig,
    book: Book,
    load: Load,
    quotas: Quotas,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// By scope (the last is "public") and hundreds of the status.
    answered: [[AtomicU64; 5]; 4],
}

const PUBLIC: usize = 3;
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Guard {
    /// A guard whose tokens rest in the store's catalog.
    pub fn new(store: Store, config: GuardConfig) -> Self {
        Self::on(Shelf::Catalog(store), config)
    }

    /// A guard whose tokens live as long as it does; for tests.
    pub fn in_memory(config: GuardConfig) -> Self {
        Self::on(Shelf::Memory(Mutex::default()), config)
    }

    fn on(shelf: Shelf, config: GuardConfig) -> Self {
        Self(Arc::new(Inner {
            book: Book::new(shelf),
            load: Load::new(config.concurrency),
            quotas: Quotas::new(config.quota, config.tenant_quotas.clone()),
            refused: Mutex::default(),
            answered: Default::default(),
            config,
        }))
    }

    /// Puts a router behind the guard. Handlers inside take [`Caller`] as an argument.
    pub fn layer(&self, router: Router, needs: Scope) -> Router {
        if !router.has_routes() {
            return router;
        }
        // Around routes only: an unknown path is 404 for everyone.
        router.route_layer(middleware::from_fn_with_state((self.clone(), needs), door))
    }

    /// Puts a router behind the part of the guard that needs no caller: host names, headers, counters.
    pub fn public(&self, router: Router) -> Router {
        if !router.has_routes() {
            return router;
        }
        router.route_layer(middleware::from_fn_with_state(self.clone(), porch))
    }

    /// Who calls, by the headers alone; for gRPC, whose metadata are headers. Check the scope by [`Caller::require`].
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, AuthError> {
        let result = self.identify(headers).await.map(|(caller, _)| caller);
        if let Err(e) = &result {
            self.count_refused(e.problem().code);
        }
        result
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<(Caller, Holds), AuthError> {
        let asked = from_headers(headers)?;
        match self.0.config.auth {
            AuthMode::Anonymous => {
                let tenant = asked.unwrap_or_else(TenantId::default_tenant);
                let caller = Caller { tenant, scopes: Scopes::ALL, subject: "anonymous".to_owned() };
                Ok((caller, Holds(Tenants::Any)))
            }
            AuthMode::Tokens => {
                let token = self.0.book.check(&credentials(headers)?, (self.0.config.clock)()).await?;
                let tenant = token.tenants.choose(asked)?;
                let caller = Caller { tenant, scopes: token.scopes, subject: format!("token:{}", token.name) };
                Ok((caller, Holds(token.tenants)))
            }
        }
    }

    /// A slot for one request of a kind; for gRPC. HTTP routes get theirs by [`Guard::layer`].
    pub fn admit(&self, scope: Scope) -> Result<Permit, LoadError> {
        let result = self.0.load.admit(scope);
        if let Err(e) = &result {
            self.count_refused(e.problem().code);
        }
        result
    }

    /// Takes rows and bytes from the caller's tenant's quota.
    pub fn check_quota(&self, caller: &Caller, rows: usize, bytes: usize) -> Result<(), QuotaError> {
        let result = self.0.quotas.check(&caller.tenant, rows, bytes, Instant::now());
        if let Err(e) = &result {
            self.count_refused(e.problem().code);
        }
        result
    }

    /// The bounds on bodies.
    pub fn body_limits(&self) -> &BodyLimits {
        &self.0.config.body
    }

    /// Whether callers must say who they are.
    pub fn auth(&self) -> AuthMode {
        self.0.config.auth
    }

    /// Makes a token.
    pub async fn issue(&self, new: NewToken) -> Result<Issued, BookError> {
        let (random, now) = ((self.0.config.entropy)(), (self.0.config.clock)());
        let issued = self.0.book.issue(new, random, now).await?;
        tracing::info!(token = %issued.info.id, name = %issued.info.name, scopes = %issued.info.scopes, "token created");
        Ok(issued)
    }

    /// All tokens, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, BookError> {
        self.0.book.list().await
    }

    /// Makes a token worthless, at once; whether there was one.
    pub async fn revoke(&self, id: &str) -> Result<bool, BookError> {
        let found = self.0.book.revoke(id, (self.0.config.clock)()).await?;
        tracing::info!(token = %id, found, "token revoked");
        Ok(found)
    }

    /// Counters since the start.
    pub fn stats(&self) -> GuardStats {
        let mut stats = GuardStats {
            refused: self.0.refused.lock().clone(),
            body_budget_free_bytes: self.0.config.body.budget.free_bytes() as u64,
            ..GuardStats::default()
        };
        for (i, classes) in self.0.answered.iter().enumerate() {
            let scope = Scope::ALL.get(i).map_or("public", |s| s.as_str());
            for (class, count) in CLASSES.into_iter().zip(classes) {
                stats.answered.insert((scope, class), count.load(Ordering::Relaxed));
            }
        }
        for scope in Scope::ALL {
            stats.under_way.insert(scope.as_str(), self.0.load.under_way(scope) as u64);
        }
        stats
    }

    /// Counts a refusal whose answer does not pass [`Guard::layer`] as a [`crate::Problem`].
    pub fn count_refused(&self, code: &'static str) {
        *self.0.refused.lock().entry(code).or_default() += 1;
    }

    fn check_origin(&self, request: &Request) -> Result<(), origin::OriginError> {
        match self.0.config.auth {
            // A browser does not send a token of its own accord, so there is nothing to protect.
            AuthMode::Tokens => Ok(()),
            AuthMode::Anonymous => origin::check(request.uri(), request.headers(), &self.0.config.allowed_hosts),
        }
    }

    fn seal(&self, mut response: Response, scope: usize) -> Response {
        if let Some(ProblemCode(code)) = response.extensions().get() {
            self.count_refused(code);
        }
        let class = usize::from(response.status().as_u16() / 100).clamp(1, 5) - 1;
        self.0.answered[scope][class].fetch_add(1, Ordering::Relaxed);
        secure(response.headers_mut());
        response
    }

    /// Everything that comes before a handler; its refusals are answers.
    async fn let_in(&self, request: &mut Request, needs: Scope) -> Result<Permit, Response> {
        self.check_origin(request).map_err(IntoResponse::into_response)?;
        let (caller, holds) = self.identify(request.headers()).await.map_err(IntoResponse::into_response)?;
        caller.require(needs).map_err(IntoResponse::into_response)?;
        let permit = self.0.load.admit(needs).map_err(IntoResponse::into_response)?;
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(holds);
        Ok(permit)
    }
}

async fn door(State((guard, needs)): State<(Guard, Scope)>, mut request: Request, next: Next) -> Response {
    let response = match guard.let_in(&mut request, needs).await {
        Ok(permit) => hold(survive(next.run(request)).await, permit),
        Err(refusal) => refusal,
    };
    guard.seal(response, needs as usize)
}

async fn porch(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let response = match guard.check_origin(&request) {
        Ok(()) => survive(next.run(request)).await,
        Err(e) => e.into_response(),
    };
    guard.seal(response, PUBLIC)
}

/// A panic of a handler is a defect of ours and becomes an answer; without this the client sees a broken connection.
async fn survive(handler: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            internal_error("the handler of this route stopped unexpectedly").into_response()
        }
    }
}

/// A streamed answer is under way until its last byte or until the client is gone.
fn hold(response: Response, permit: Permit) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &permit;
            frame
        }))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt as _;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000_000_000);

    fn config(auth: AuthMode) -> GuardConfig {
        let seed = AtomicU64::new(1);
        GuardConfig {
            auth,
            clock: Arc::new(|| NOW),
            entropy: Arc::new(move || {
                let mut random = [0; 32];
                random[..8].copy_from_slice(&seed.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                // The id is the first 48 bits: make them differ.
                random.rotate_left(2);
                random
            }),
            ..GuardConfig::default()
        }
    }

    fn app(guard: &Guard) -> Router {
        let who = || get(async |caller: Caller| format!("{} {} {}", caller.tenant, caller.scopes, caller.subject));
        Router::new()
            .merge(guard.layer(Router::new().route("/write", who()), Scope::Ingest))
            .merge(guard.layer(Router::new().route("/read", who()), Scope::Query))
            .merge(guard.layer(Router::new().route("/admin", who()), Scope::Admin))
            .merge(guard.public(Router::new().route("/open", get(async || "open"))))
            .merge(guard.layer(Router::new().route("/bug", get(panics)), Scope::Query))
            .route("/forgotten", who())
    }

    async fn panics() -> &'static str {
        panic!("a defect")
    }

    async fn ask(app: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn new_token(tenants: &str, scopes: &str, expires: Option<Timestamp>) -> NewToken {
        NewToken {
            name: format!("{tenants}-{scopes}"),
            tenants: Tenants::parse(tenants.split(',')).unwrap(),
            scopes: Scopes::parse(scopes).unwrap(),
            expires,
        }
    }

    #[tokio::test]
    async fn anonymous_callers_choose_their_tenant() {
        let app = app(&Guard::in_memory(config(AuthMode::Anonymous)));
        let (_, text) = ask(&app, "/read", &[]).await;
        assert_eq!(text, "default ingest,query,admin anonymous");
        let (_, text) = ask(&app, "/read", &[("X-Scope-OrgID", "team-a")]).await;
        assert_eq!(text, "team-a ingest,query,admin anonymous");
        let (status, text) = ask(&app, "/read", &[("X-Scope-OrgID", "a|b")]).await;
        assert!(status == StatusCode::BAD_REQUEST && text.contains("GRID-0106"), "{status} {text}");
        for (path, header, value) in
            [("/read", "host", "evil.com"), ("/open", "host", "evil.com"), ("/read", "origin", "http://evil.com")]
        {
            let (status, text) = ask(&app, path, &[(header, value)]).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {text}");
        }
        let (status, text) = ask(&app, "/forgotten", &[]).await;
        assert!(status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("GRID-0901"), "{text}");
        let (status, text) = ask(&app, "/bug", &[]).await;
        assert!(status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("GRID-0901"), "{text}");
    }

    #[tokio::test]
    async fn tokens_decide_tenant_and_scope() {
        let guard = Guard::in_memory(config(AuthMode::Tokens));
        let app = app(&guard);
        let reader = guard.issue(new_token("a", "query", None)).await.unwrap().secret;
        let writer = guard.issue(new_token("a,b", "ingest", None)).await.unwrap().secret;
        let root = guard.issue(new_token("*", "ingest,query,admin", None)).await.unwrap().secret;
        let brief = guard.issue(new_token("a", "query", Some(Timestamp(NOW.0 + 1)))).await.unwrap();
        let forged = format!("{}{}", &reader[..20], "1".repeat(reader.len() - 20));
        let basic = {
            use base64::Engine as _;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("grafana:{reader}")))
        };
        // path | token | header -> status and a word of the answer
        let cases: &[(&str, &str, &str, u16, &str)] = &[
            ("/read", "", "", 401, "GRID-0101"),
            ("/read", "", "a", 401, "GRID-0101"),
            ("/open", "", "", 200, "open"),
            ("/read", &reader, "", 200, "a query token:a-query"),
            ("/read", &reader, "a", 200, "a query"),
            ("/read", &reader, "b", 403, "GRID-0105"),
            ("/write", &reader, "", 403, "GRID-0104"),
            ("/admin", &reader, "", 403, "GRID-0104"),
            ("/write", &writer, "", 200, "a ingest"),
            ("/write", &writer, "b", 200, "b ingest"),
            ("/write", &writer, "default", 403, "GRID-0105"),
            ("/admin", &root, "c", 200, "c ingest,query,admin"),
            ("/admin", &root, "", 200, "default"),
            ("/read", &forged, "", 401, "GRID-0102"),
            ("/read", "grid_", "", 401, "GRID-0102"),
            ("/read", &brief.secret, "", 200, "a query"),
        ];
        for (path, token, tenant, status, word) in cases {
            let bearer = format!("Bearer {token}");
            let mut headers = vec![];
            if !token.is_empty() {
                headers.push(("authorization", bearer.as_str()));
            }
            if !tenant.is_empty() {
                headers.push(("x-scope-orgid", *tenant));
            }
            let (got, text) = ask(&app, path, &headers).await;
            assert!(got.as_u16() == *status && text.contains(word), "{path} {token} {tenant}: {got} {text}");
        }
        let (_, text) = ask(&app, "/read", &[("authorization", &basic)]).await;
        assert_eq!(text, "a query token:a-query");

        // Revoked at once; listed without secret.
        assert!(guard.revoke(&brief.info.id).await.unwrap());
        assert!(!guard.revoke(&brief.info.id).await.unwrap());
        let (status, _) = ask(&app, "/read", &[("authorization", &format!("Bearer {}", brief.secret))]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let tokens = guard.tokens().await.unwrap();
        assert_eq!(tokens.len(), 3);
        assert_eq!(tokens[0].last_used, Some(NOW));
        assert!(guard.stats().refused["GRID-0104"] == 2, "{:?}", guard.stats());
    }

    #[tokio::test]
    async fn tokens_expire() {
        let book = Book::new(Shelf::Memory(Mutex::default()));
        let issued = book.issue(new_token("a", "query", Some(Timestamp(NOW.0 + 10))), [7; 32], NOW).await.unwrap();
        assert!(book.check(&issued.secret, Timestamp(NOW.0 + 9)).await.is_ok());
        let late = book.check(&issued.secret, Timestamp(NOW.0 + 10)).await;
        assert!(matches!(late, Err(AuthError::TokenExpired { .. })), "{late:?}");
        let past = book.issue(new_token("a", "query", Some(NOW)), [8; 32], NOW).await;
        assert_eq!(past.unwrap_err(), BookError::ExpiresInPast);
        assert_eq!(book.issue(new_token("a", "", None), [9; 32], NOW).await.unwrap_err(), BookError::NoScope);
    }

    #[tokio::test]
    async fn a_streamed_answer_holds_its_slot() {
        let config =
            GuardConfig { concurrency: Concurrency { ingest: 1, query: 1, admin: 1 }, ..config(AuthMode::Anonymous) };
        let guard = Guard::in_memory(config);
        let stream =
            get(async || Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>()));
        let app = guard.layer(Router::new().route("/s", stream).route("/whole", get(async || "whole")), Scope::Query);
        let open = app.clone().oneshot(Request::get("/s").body(Body::empty()).unwrap()).await.unwrap();
        let (status, text) = ask(&app, "/whole", &[]).await;
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("GRID-0111"), "{text}");
        drop(open);
        assert_eq!(ask(&app, "/whole", &[]).await.1, "whole");
    }

    #[tokio::test]
    async fn answers_are_sealed() {
        let app = app(&Guard::in_memory(config(AuthMode::Anonymous)));
        let response = app.oneshot(Request::get("/read").body(Body::empty()).unwrap()).await.unwrap();
        for name in ["x-content-type-options", "content-security-policy", "x-frame-options", "referrer-policy"] {
            assert!(response.headers().contains_key(name), "{name}");
        }
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
}
