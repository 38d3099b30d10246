//! Lists in pages: `limit` and `cursor` in, `next_cursor` out.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;

/// Items of a page unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Most items of a page.
pub(crate) const LIMIT_MAX: usize = 1000;

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Most items in the answer, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the last answer.
    pub cursor: Option<String>,
}

/// Cuts a page out of items in a stable order; `key` names an item uniquely. Answers the page and the cursor of the next.
pub(crate) fn cut<T>(
    items: Vec<T>,
    page: &PageParams,
    key: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let limit = page.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(ApiError::Parameter(format!("limit is {limit}, it must be 1 to {LIMIT_MAX}")));
    }
    let from = match &page.cursor {
        None => 0,
        Some(cursor) => {
            let at = items.iter().position(|item| key(item) == cursor);
            at.ok_or_else(|| ApiError::Cursor(cursor.clone()))? + 1
        }
    };
    let more = items.len() > from + limit;
    let page: Vec<T> = items.into_iter().skip(from).take(limit).collect();
    let next = if more { page.last().map(|item| key(item).to_owned()) } else { None };
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_cover_the_list_once() {
        let all: Vec<String> = (0..25).map(|i| format!("k{i}")).collect();
        for limit in [1, 7, 24, 25, 26] {
            let (mut got, mut cursor) = (Vec::new(), None);
            loop {
                let params = PageParams { limit: Some(limit), cursor };
                let (page, next) = cut(all.clone(), &params, |s| s).unwrap();
                got.extend(page);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(got, all, "limit {limit}");
        }
        let bad = |limit, cursor: Option<&str>| {
            cut(all.clone(), &PageParams { limit, cursor: cursor.map(str::to_owned) }, |s| s).is_err()
        };
        assert!(bad(Some(0), None) && bad(Some(1001), None) && bad(None, Some("nope")));
    }
}
