//! Every way in which a request of the native API fails, and how the client sees it: `application/problem+json`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use grid_analytics::QueryError;
use grid_guard::layer::BookError;
use grid_guard::{AuthError, BodyError, Problem};
use grid_store::StoreError;
use http::StatusCode;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The JSON of the body is not what the route expects.
    #[error("{detail}")]
    Json {
        /// What the parser says.
        detail: String,
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// The body is of a type that the route does not read.
    #[error("the route does not read {found:?}")]
    ContentType {
        /// The type found.
        found: String,
        /// The types that it reads.
        reads: &'static str,
    },
    /// No format of the answer is acceptable to the client.
    #[error("no format of {accept:?} can be given")]
    NotAcceptable {
        /// The header.
        accept: String,
        /// The types that it can give.
        gives: &'static str,
    },
    /// A parameter of the path or query string.
    #[error("{0}")]
    Parameter(String),
    /// A cursor that the list did not give.
    #[error("the cursor {0:?} was not given by this list")]
    Cursor(String),
    /// No route has this path.
    #[error("there is no route {0}")]
    NoRoute(String),
    /// The route does not know this method.
    #[error("the route {path} does not know {method}")]
    Method {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The thing that the path names.
    #[error("there is no {what} {id:?} for this tenant")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A token would grant more than its maker holds.
    #[error("{0}")]
    Exceeds(String),
    /// An action over all tenants by a caller that holds some.
    #[error("{0} concerns every tenant")]
    NeedsAllTenants(&'static str),
    /// A query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// A body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The caller.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Tokens.
    #[error(transparent)]
    Tokens(#[from] BookError),
    /// A bill.
    #[error(transparent)]
    Import(#[from] crate::importer::ImporterError),
    /// Costs.
    #[error(transparent)]
    Cost(#[from] grid_analytics::cost::CostError),
    /// An upload without a file.
    #[error("the request holds no file")]
    UploadEmpty,
    /// An upload over the limit.
    #[error("the upload has more than {limit} bytes")]
    UploadTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A budget that makes no sense.
    #[error(transparent)]
    Budget(#[from] grid_finance::budget::BudgetError),
    /// Rules that do not read.
    #[error("{}", .0.first().map_or_else(|| "the rules do not read".to_owned(), ToString::to_string))]
    Rules(Vec<grid_rules::Problem>),
    /// A document that cannot be written.
    #[error(transparent)]
    Document(#[from] grid_store::DocumentError),
    /// Alerts, silences, webhooks.
    #[error(transparent)]
    Notify(#[from] grid_notify::NotifyError),
    /// Nobody here takes alerts.
    #[error("alerts are taken by a server, and this is none")]
    NoNotifier,
    /// Environments, plans, releases.
    #[error(transparent)]
    Desk(#[from] grid_desk::DeskError),
    /// Nobody here keeps environments.
    #[error("environments are kept by a server or a data directory, and this is neither")]
    NoDesk,
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// The error as the client sees it.
    pub fn problem(&self) -> Problem {
        use crate::importer::ImporterError as I;
        let p = |status, code: &'static str| {
            let title = crate::codes::explain(code).map_or("error", |c| c.title);
            Problem::new(status, code, title, self.to_string())
        };
        match self {
            Self::Json { line, column, .. } => {
                let problem =
                    p(StatusCode::BAD_REQUEST, "GRID-0201").hint("compare with the schema of the route at /docs");
                if *line == 0 { problem } else { problem.member("line", *line).member("column", *column) }
            }
            Self::ContentType { reads, .. } => {
                p(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRID-0202").hint(format!("it reads {reads}"))
            }
            Self::NotAcceptable { gives, .. } => {
                p(StatusCode::NOT_ACCEPTABLE, "GRID-0203").hint(format!("it gives {gives}"))
            }
            Self::Parameter(_) => {
                p(StatusCode::BAD_REQUEST, "GRID-0204").hint("the route's entry at /docs lists its parameters")
            }
            Self::NoRoute(_) => p(StatusCode::NOT_FOUND, "GRID-0205").hint("/docs lists every route"),
            Self::Method { .. } => {
                p(StatusCode::METHOD_NOT_ALLOWED, "GRID-0206").hint("the header Allow lists the methods of this route")
            }
            Self::NotFound { .. } => {
                p(StatusCode::NOT_FOUND, "GRID-0207").hint("GET on the collection lists what there is")
            }
            Self::Cursor(_) => {
                p(StatusCode::BAD_REQUEST, "GRID-0208").hint("use next_cursor of the last answer unchanged, or none")
            }
            Self::Exceeds(_) => p(StatusCode::FORBIDDEN, "GRID-0209")
                .hint("use a token that holds these tenants and scopes, or `grid token create` on the machine itself"),
            Self::NeedsAllTenants(_) => p(StatusCode::FORBIDDEN, "GRID-0210").hint("use a token for tenant `*`"),
            Self::Query(e) => query_problem(e),
            Self::Store(StoreError::Closed) => {
                p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0304").retry_after(Duration::from_secs(5))
            }
            Self::Store(_) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0307")
                .hint("look at the log of the server; `grid doctor` checks disk, log and catalog"),
            Self::Body(e) => e.problem(),
            Self::Auth(e) => e.problem(),
            Self::Tokens(BookError::NameInvalid | BookError::NoScope | BookError::ExpiresInPast | BookError::Full) => {
                p(StatusCode::BAD_REQUEST, "GRID-0204")
            }
            Self::Tokens(e) => AuthError::Book(e.clone()).problem(),
            Self::Import(I::Unreadable(_)) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0501").hint(
                "FOCUS 1.0-1.4 as CSV, CSV.gz or Parquet, or AWS CUR as CSV; `format` names it if it is not recognised",
            ),
            Self::Import(I::Refused(_)) => p(StatusCode::CONFLICT, "GRID-0502")
                .hint("import the newer manifest, or say restate=true if the older one is really meant"),
            Self::Import(I::Busy { retry_after, .. }) => {
                p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0301").retry_after(*retry_after)
            }
            Self::Import(I::Failed(_)) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0503")
                .hint("nothing of it is visible; import the same file again, it is idempotent"),
            Self::Cost(e) => cost_problem(e, &p),
            Self::UploadEmpty => p(StatusCode::BAD_REQUEST, "GRID-0504")
                .hint("send the file as the body, or as one or more file parts of multipart/form-data"),
            Self::UploadTooLarge { .. } => p(StatusCode::PAYLOAD_TOO_LARGE, "GRID-0505")
                .hint("split it, or use `grid import bill --data-dir` on the machine itself, which has no limit"),
            Self::Budget(grid_finance::budget::BudgetError::Filter { error, .. }) => {
                p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0661").member("column", error.column())
            }
            Self::Budget(_) => {
                p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0661").hint("compare with the schema of the route at /docs")
            }
            Self::Rules(problems) => {
                let mut problem = p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0701");
                if let Some(first) = problems.first() {
                    problem = problem.member("line", first.place.line).member("column", first.place.column);
                    problem.hint = first.hint.clone();
                }
                let mistakes: Vec<String> = problems.iter().map(ToString::to_string).collect();
                problem.member("mistakes", mistakes)
            }
            Self::Document(grid_store::DocumentError::Conflict { .. }) => p(StatusCode::CONFLICT, "GRID-0662"),
            Self::Document(grid_store::DocumentError::Store(_)) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0307"),
            Self::Document(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0663"),
            Self::Notify(e) => notify_problem(e, &p),
            Self::NoNotifier => {
                p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0808").hint("start `grid serve` and ask it by --url")
            }
            Self::Desk(e) => desk_problem(e, &p),
            Self::NoDesk => {
                p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0858").hint("start `grid serve` and ask it by --url")
            }
            Self::Internal(_) => {
                p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0901").hint("this is a defect of Grid; please report it")
            }
        }
    }
}

fn cost_problem(e: &grid_analytics::cost::CostError, p: &dyn Fn(StatusCode, &'static str) -> Problem) -> Problem {
    use grid_analytics::cost::CostError as C;
    use grid_store::DocumentError as D;
    match e {
        C::Rules(mistakes) => {
            let mut problem = p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0611");
            if let Some(first) = mistakes.first() {
                problem = problem.member("line", first.line).member("column", first.column);
            }
            let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            problem.member("mistakes", texts)
        }
        C::Document(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0611"),
        C::Ledger(D::Conflict { .. }) => p(StatusCode::CONFLICT, "GRID-0612"),
        C::Ledger(D::Name(_) | D::TooLarge(_) | D::TooMany) => p(StatusCode::BAD_REQUEST, "GRID-0204"),
        C::Metric { .. } => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0613"),
        C::Query(e) => query_problem(e),
        C::Allocate(_) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0614"),
        C::Ledger(D::Store(_)) | C::Store(_) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0307"),
    }
}

fn notify_problem(e: &grid_notify::NotifyError, p: &dyn Fn(StatusCode, &'static str) -> Problem) -> Problem {
    use grid_notify::NotifyError as N;
    match e {
        N::NotFound { .. } => p(StatusCode::NOT_FOUND, "GRID-0207"),
        N::Silence(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0801"),
        N::Matcher(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0802"),
        N::Webhook(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0803"),
        N::TooMany { .. } => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0804"),
        N::KeyReused(_) => p(StatusCode::CONFLICT, "GRID-0805"),
        N::Database { .. } | N::Corrupt(_) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0806"),
        N::Closed => p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0304").retry_after(Duration::from_secs(1)),
    }
}

fn desk_problem(e: &grid_desk::DeskError, p: &dyn Fn(StatusCode, &'static str) -> Problem) -> Problem {
    use grid_desk::DeskError as D;
    match e {
        D::NotFound { .. } => p(StatusCode::NOT_FOUND, "GRID-0207").hint("GET on the collection lists what there is"),
        D::Conflict(_) => p(StatusCode::CONFLICT, "GRID-0851"),
        D::Bad(_) => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0852"),
        D::Spec { shown, .. } => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0853")
            .hint("`grid resource check FILE` shows all mistakes with their places")
            .member("mistakes", shown.clone()),
        D::Held { .. } => {
            p(StatusCode::CONFLICT, "GRID-0854").hint("`grid release list` shows it; `grid release cancel` stops it")
        }
        D::TooMany { .. } => p(StatusCode::UNPROCESSABLE_ENTITY, "GRID-0855"),
        D::Driver(_) => p(StatusCode::BAD_GATEWAY, "GRID-0856"),
        D::Database { .. } | D::Damaged(_) => p(StatusCode::INTERNAL_SERVER_ERROR, "GRID-0857"),
        D::Closed => p(StatusCode::SERVICE_UNAVAILABLE, "GRID-0304").retry_after(Duration::from_secs(1)),
    }
}

fn query_problem(e: &QueryError) -> Problem {
    let code = e.code();
    let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = crate::codes::explain(code).map_or("query failed", |c| c.title);
    let mut problem = Problem::new(status, code, title, e.to_string());
    problem.hint = e.hint();
    if let Some(at) = e.position() {
        problem = problem.member("line", at.line).member("column", at.column);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE { problem.retry_after(Duration::from_secs(1)) } else { problem }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if problem.status.is_server_error() && problem.retry_after.is_none() {
            // Here the error is handled, so here its chain is printed, once.
            let mut chain = String::new();
            let mut cause = std::error::Error::source(&self);
            while let Some(e) = cause {
                chain.push_str(&format!(": {e}"));
                cause = e.source();
            }
            tracing::error!(code = problem.code, error = %self, chain, "request failed");
        }
        problem.into_response()
    }
}
