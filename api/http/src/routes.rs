//! A router that remembers its routes, so that a test can hold it against the OpenAPI document.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use http::Method;

use crate::state::ApiState;

/// Routes under construction.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) router: Router<ApiState>,
    /// Method and path of each, as in the OpenAPI document.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by tests"))]
    pub(crate) list: Vec<(Method, &'static str)>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get<H: Handler<T, ApiState>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::GET, path, routing::get(handler))
    }

    pub(crate) fn post<H: Handler<T, ApiState>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::POST, path, routing::post(handler))
    }

    pub(crate) fn put<H: Handler<T, ApiState>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::PUT, path, routing::put(handler))
    }

    pub(crate) fn delete<H: Handler<T, ApiState>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::DELETE, path, routing::delete(handler))
    }

    fn add(mut self, method: Method, path: &'static str, handler: MethodRouter<ApiState>) -> Self {
        self.list.push((method, path));
        self.router = self.router.route(path, handler);
        self
    }
}
