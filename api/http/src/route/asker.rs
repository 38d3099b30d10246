//! Whoever asks about money or findings: what the handlers of costs, budgets, anomalies, forecasts, patterns and recommendations begin with.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use grid_guard::Caller;
use grid_model::Timestamp;
use http::HeaderMap;
use http::request::Parts;

use super::as_of;
use super::sql::client;
use crate::error::ApiError;
use crate::finance::Desk;
use crate::state::ApiState;

/// One request's caller, with what she needs to ask.
pub(crate) struct Asker {
    pub(crate) state: ApiState,
    pub(crate) caller: Caller,
    pub(crate) headers: HeaderMap,
}

impl Asker {
    /// Her desk.
    pub(crate) fn desk(&self) -> Desk<'_> {
        Desk {
            engine: &self.state.engine,
            store: &self.state.store,
            tenant: self.caller.tenant.clone(),
            client: client(&self.caller, &self.headers),
            as_of: None,
        }
    }

    /// The same with bills as they were known at a time.
    pub(crate) fn desk_as_of(&self, at: Option<&str>) -> Result<Desk<'_>, ApiError> {
        Ok(Desk { as_of: at.map(as_of).transpose()?, ..self.desk() })
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.store.now()
    }
}

impl FromRequestParts<ApiState> for Asker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        Ok(Self { state: state.clone(), caller, headers: parts.headers.clone() })
    }
}
