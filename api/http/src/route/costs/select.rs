//! From the parameters of a report to its SQL over `allocations`. Every name is from a closed list or a quoted text, so nothing of a request
//! becomes syntax.

use grid_model::Timestamp;
use grid_model::table::allocations as columns;

use crate::error::ApiError;

/// Dimensions of one report.
const GROUPS_MAX: usize = 8;
/// Conditions of one report.
const FILTERS_MAX: usize = 32;

/// What a report can group and filter by.
const NAMES: [(&str, &str); 14] = [
    ("owner", columns::OWNER),
    ("team", columns::TEAM),
    ("project", columns::PROJECT),
    ("environment", columns::ENVIRONMENT),
    ("kind", columns::KIND),
    ("rule", columns::RULE),
    ("resource_id", columns::RESOURCE_ID),
    ("service_name", columns::SERVICE_NAME),
    ("sub_account_id", columns::SUB_ACCOUNT_ID),
    ("region_id", columns::REGION_ID),
    ("service_provider_name", columns::SERVICE_PROVIDER_NAME),
    ("charge_category", columns::CHARGE_CATEGORY),
    ("import_id", columns::IMPORT_ID),
    ("billing_currency", columns::BILLING_CURRENCY),
];

/// One dimension: its name in the request, and its expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dimension {
    /// As asked for.
    pub(crate) name: String,
    /// In SQL.
    pub(crate) sql: String,
}

/// A text literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An instant literal.
pub(crate) fn instant(at: Timestamp) -> String {
    format!("TIMESTAMP '{at}'")
}

fn dimension(name: &str) -> Result<Dimension, ApiError> {
    let name = name.trim();
    let sql = match (name.strip_prefix("dim."), NAMES.iter().find(|(n, _)| *n == name)) {
        (Some(key), _) if !key.is_empty() => format!("{}[{}]", columns::DIMENSIONS, quoted(key)),
        (_, Some((_, column))) => (*column).to_owned(),
        _ => {
            let known: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
            let known = known.join(", ");
            return Err(ApiError::Parameter(format!(
                "there is no dimension {name:?}; dimensions are {known}, dim.NAME"
            )));
        }
    };
    Ok(Dimension { name: name.to_owned(), sql })
}

/// `owner,environment,dim.cost_center`.
pub(crate) fn dimensions(list: Option<&str>) -> Result<Vec<Dimension>, ApiError> {
    let all: Vec<Dimension> = list
        .unwrap_or_default()
        .split(',')
        .filter(|n| !n.trim().is_empty())
        .map(dimension)
        .collect::<Result<_, _>>()?;
    if all.len() > GROUPS_MAX {
        return Err(ApiError::Parameter(format!("a report has at most {GROUPS_MAX} dimensions")));
    }
    Ok(all)
}

/// `owner=payments,environment!=test,service_name=Amazon*`: all must hold. `*` stands for any text; nothing after `=` means "has none".
pub(crate) fn conditions(list: Option<&str>) -> Result<Vec<String>, ApiError> {
    let parts: Vec<&str> = list.unwrap_or_default().split(',').filter(|c| !c.trim().is_empty()).collect();
    if parts.len() > FILTERS_MAX {
        return Err(ApiError::Parameter(format!("a filter has at most {FILTERS_MAX} conditions")));
    }
    let one = |condition: &&str| {
        let wrong =
            || ApiError::Parameter(format!("{condition:?} is no condition: write owner=payments or owner!=payments"));
        let (name, value) = condition.split_once('=').ok_or_else(wrong)?;
        let (name, negated) = name.strip_suffix('!').map_or((name, false), |n| (n, true));
        let column = dimension(name)?.sql;
        let value = value.trim();
        let holds = if value.is_empty() {
            format!("{column} IS NULL")
        } else if value.contains('*') {
            let like = value.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('*', "%");
            format!("coalesce({column}, '') LIKE {}", quoted(&like))
        } else {
            format!("coalesce({column}, '') = {}", quoted(value))
        };
        Ok::<_, ApiError>(if negated { format!("NOT ({holds})") } else { holds })
    };
    parts.iter().map(one).collect()
}

/// The instants of a report: `from` and `to` as times or dates; by default the whole.
pub(crate) fn range(from: Option<&str>, to: Option<&str>) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let read = |name: &str, text: &str| {
        let time = crate::route::parse_time(text).or_else(|| grid_cost::rules::parse_date(text));
        time.ok_or_else(|| {
            ApiError::Parameter(format!("{name} is {text:?}, it must be a time or a date such as 2026-01-31"))
        })
    };
    let (from, to) = (from.map(|t| read("from", t)).transpose()?, to.map(|t| read("to", t)).transpose()?);
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(ApiError::Parameter("`to` is not after `from`".to_owned()));
    }
    Ok((from, to))
}

/// The conditions of a range.
pub(crate) fn within((from, to): (Option<Timestamp>, Option<Timestamp>)) -> Vec<String> {
    let from = from.map(|t| format!("{} >= {}", columns::WINDOW_START, instant(t)));
    let to = to.map(|t| format!("{} < {}", columns::WINDOW_START, instant(t)));
    from.into_iter().chain(to).collect()
}

/// `WHERE a AND b`, or nothing.
pub(crate) fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_request_becomes_syntax() {
        let names: Vec<String> = dimensions(Some("owner, dim.a'b")).unwrap().into_iter().map(|d| d.sql).collect();
        assert_eq!(names, ["owner", "dimensions['a''b']"]);
        let filter = "owner=o'x,environment!=test,service_name=Ama_*,team=";
        assert_eq!(
            conditions(Some(filter)).unwrap(),
            [
                "coalesce(owner, '') = 'o''x'",
                "NOT (coalesce(environment, '') = 'test')",
                "coalesce(service_name, '') LIKE 'Ama\\_%'",
                "team IS NULL"
            ]
        );
        for bad in ["owner", "1=1", "cost=2", "dim.=x"] {
            assert!(conditions(Some(bad)).is_err(), "{bad}");
        }
        assert!(dimensions(Some("cost")).is_err());
        assert!(range(Some("2026-02-01"), Some("2026-01-01")).is_err());
        assert!(range(Some("yesterday"), None).is_err());
    }
}
