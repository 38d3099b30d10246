//! Other names of resources, with the time for which each is true: a volume's id in the bill, a node's name in the metrics, a database that
//! was renamed. Resolved when rows are read, never burnt into them (ADR 0010).
//!
//! A table is CSV: `name,resource,from,until`, e.g. `k8s:prod/node/n1,i-0abc12345678,2026-01-01,`. An empty date is open.

use std::collections::HashMap;

use grid_model::Timestamp;
use grid_model::resource::ResourceKey;

use crate::rules::parse_date;

/// Names that lead to names; more is a circle.
const STEPS_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alias {
    from: Timestamp,
    until: Timestamp,
    resource: ResourceKey,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aliases(HashMap<ResourceKey, Vec<Alias>>);

impl Aliases {
    /// Reads a table; the error names the line. Two aliases of one name may not hold at the same time.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut aliases: HashMap<ResourceKey, Vec<Alias>> = HashMap::new();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
            if n == 0 && line.starts_with("name") {
                continue;
            }
            let wrong = |what: String| format!("line {}: {what}; write name,resource,from,until", n + 1);
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [name, resource, from, until] = cells.as_slice() else {
                return Err(wrong(format!("there are {} cells, not four", cells.len())));
            };
            let date = |text: &str, open: Timestamp| match text {
                "" => Ok(open),
                text => parse_date(text).ok_or_else(|| wrong(format!("{text:?} is not a date"))),
            };
            let (from, until) = (date(from, Timestamp::MIN)?, date(until, Timestamp::MAX)?);
            let key = |text: &str| ResourceKey::of_id(text).ok_or_else(|| wrong("a name is empty".to_owned()));
            let (name, resource) = (key(name)?, key(resource)?);
            let known = aliases.entry(name).or_default();
            if until <= from {
                return Err(wrong("the alias ends before it begins".to_owned()));
            }
            if known.iter().any(|a| from < a.until && a.from < until) {
                return Err(wrong("the name has another alias at that time".to_owned()));
            }
            known.push(Alias { from, until, resource });
        }
        Ok(Self(aliases))
    }

    /// What a name means at an instant, and whether an alias said so.
    pub fn resolve(&self, key: &ResourceKey, at: Timestamp) -> (ResourceKey, bool) {
        let mut found = key;
        for _ in 0..STEPS_MAX {
            let aliases = self.0.get(found);
            // An open end is at the end of time, which is inside.
            let holds = |a: &&Alias| a.from <= at && (at < a.until || a.until == Timestamp::MAX);
            match aliases.and_then(|all| all.iter().find(holds)) {
                Some(alias) => found = &alias.resource,
                None => break,
            }
        }
        (found.clone(), found != key)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_meant_then() {
        let aliases = Aliases::parse(
            "name,resource,from,until\ndb,arn:aws:rds:e:1:db:a,,2026-01-01\ndb,arn:aws:rds:e:1:db:b,2026-01-01,\nx,y,,\ny,x,,\n\
             n1,aws:///z/i-0abc12345678,,\n",
        )
        .unwrap();
        let resolve = |name: &str, date: &str| {
            let (key, used) = aliases.resolve(&ResourceKey::of_id(name).unwrap(), parse_date(date).unwrap());
            (key.to_string(), used)
        };
        assert_eq!(resolve("db", "2025-12-31"), ("arn:aws:rds:e:1:db:a".to_owned(), true));
        assert_eq!(resolve("db", "2026-01-01"), ("arn:aws:rds:e:1:db:b".to_owned(), true));
        assert_eq!(resolve("n1", "2026-01-01"), ("i-0abc12345678".to_owned(), true));
        assert_eq!(resolve("other", "2026-01-01"), ("other".to_owned(), false));
        // A circle ends somewhere.
        resolve("x", "2026-01-01");
        for bad in ["a,b,,\na,c,,\n", "a,b,2026-02-02,2026-02-01\n", "a,b\n", ",b,,\n", "a,b,tomorrow,\n"] {
            assert!(Aliases::parse(bad).unwrap_err().starts_with("line "), "{bad}");
        }
    }
}
