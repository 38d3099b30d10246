//! The pages: `/` and `/docs`. Everything they load comes from this binary.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};

use crate::codes::CODES;
use crate::error::ApiError;
use crate::extract::Segment;

/// A page runs and styles itself from its own origin only, and talks to it only.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn page(html: &'static str) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, html).into_response()
}

/// What this is, what has arrived, and a box for SQL.
#[utoipa::path(get, path = "/", tag = "page", responses((status = 200, description = "The page.", content_type = "text/html")))]
pub(crate) async fn index() -> Response {
    page(include_str!("web/index.html"))
}

/// Every route and every error code, for reading.
#[utoipa::path(get, path = "/docs", tag = "page", responses((status = 200, description = "The page.", content_type = "text/html")))]
pub(crate) async fn docs() -> Response {
    // The codes are in the page itself, so that a link to one works without JavaScript.
    static HTML: LazyLock<String> = LazyLock::new(|| {
        let mut list = String::new();
        for c in CODES {
            let [title, cause, remedy] = [c.title, c.cause, c.remedy].map(escape);
            let _ = write!(
                list,
                "<article class=\"card\" id=\"{0}\"><h3><a href=\"#{0}\">{0}</a> {title}</h3><p>{cause}</p><p>{remedy}</p></article>",
                c.code
            );
        }
        include_str!("web/docs.html").replace("<!--CODES-->", &list)
    });
    page(&HTML)
}

/// What the pages load.
#[utoipa::path(get, path = "/assets/{file}", tag = "page", params(("file" = String, Path, description = "The file's name.")),
    responses((status = 200, description = "The file."), (status = 404, description = "No such file.")))]
pub(crate) async fn asset(Segment(file): Segment) -> Result<Response, ApiError> {
    let (kind, text) = match file.as_str() {
        "app.css" => ("text/css; charset=utf-8", include_str!("web/app.css")),
        "app.js" => ("text/javascript; charset=utf-8", include_str!("web/app.js")),
        "docs.js" => ("text/javascript; charset=utf-8", include_str!("web/docs.js")),
        "icon.svg" => ("image/svg+xml", include_str!("web/icon.svg")),
        _ => return Err(ApiError::NoRoute(format!("/assets/{file}"))),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    /// No page names another origin, and none needs `unsafe-inline`.
    #[test]
    fn pages_load_nothing_from_elsewhere() {
        for (name, text) in [
            ("index.html", include_str!("web/index.html")),
            ("docs.html", include_str!("web/docs.html")),
            ("app.css", include_str!("web/app.css")),
            ("app.js", include_str!("web/app.js")),
            ("docs.js", include_str!("web/docs.js")),
        ] {
            for needle in ["https://", "http://", "//cdn", "@import", " style=\"", " onclick=", "innerHTML", "eval("] {
                assert!(!text.contains(needle), "{name} holds {needle}");
            }
        }
    }
}
