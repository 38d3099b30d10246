//! Arguments of handlers whose refusals are problem documents that say where the mistake is.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use grid_guard::body;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::ApiState;

/// The media type of a header, lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The whole body, inflated and capped.
pub(crate) async fn read_body(state: &ApiState, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    Ok(body::read(headers, body, state.guard.body_limits()).await?)
}

/// Reads JSON; the error says where.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| {
        // serde_json repeats the place in its text; it has members of its own here.
        let text = e.to_string();
        let detail = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        ApiError::Json { detail, line: e.line(), column: e.column() }
    })
}

/// A JSON body. An empty body reads as `{}`, so that routes whose every field is optional need none.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let found = media_type(&parts.headers);
        let bytes = read_body(state, &parts.headers, body).await?;
        // The type matters beyond pedantry: a web page can send text/plain to another origin without being asked.
        match found.as_deref() {
            Some(t) if t == "application/json" || t.ends_with("+json") => {}
            None if bytes.is_empty() => {}
            other => {
                let found = other.unwrap_or("a body without a type").to_owned();
                return Err(ApiError::ContentType { found, reads: "application/json" });
            }
        }
        from_json(if bytes.is_empty() { b"{}" } else { &bytes }).map(Json)
    }
}

/// The query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(e) => Err(ApiError::Parameter(e.body_text())),
        }
    }
}

/// All parameters of a path that has several.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(e) => Err(ApiError::Parameter(e.body_text())),
        }
    }
}

/// The one parameter of a path.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(e) => Err(ApiError::Parameter(e.body_text())),
        }
    }
}
