//! Secrets, read from where they are when they are needed.

use grid_notify_policy::receiver::{Auth, Source};
use reqwest::header::HeaderValue;

use crate::limits::SECRET_BYTES_MAX;

/// Why a secret could not be had. It says where it should be, never what it is.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub(crate) struct SecretUnread {
    place: String,
    why: String,
}

impl SecretUnread {
    pub(crate) fn of(place: impl Into<String>, why: impl ToString) -> Self {
        Self { place: place.into(), why: why.to_string() }
    }
}

/// The secret itself, without the line break that ends a file.
pub(crate) async fn read(source: &Source) -> Result<String, SecretUnread> {
    let text = match source {
        Source::Inline(secret) => secret.0.clone(),
        Source::Env(name) => {
            std::env::var(name).map_err(|_| SecretUnread::of(format!("the variable {name}"), "it is not set"))?
        }
        Source::File(path) => {
            let place = || format!("the file {}", path.display());
            let found = tokio::fs::metadata(path).await.map_err(|e| SecretUnread::of(place(), e))?;
            if found.len() > SECRET_BYTES_MAX {
                return Err(SecretUnread::of(place(), "it is too large for a secret"));
            }
            tokio::fs::read_to_string(path).await.map_err(|e| SecretUnread::of(place(), e))?
        }
    };
    Ok(text.trim().to_owned())
}

/// The header `Authorization`.
pub(crate) async fn authorization(auth: &Auth) -> Result<HeaderValue, SecretUnread> {
    use base64::Engine as _;
    let text = match auth {
        Auth::Basic { username, password } => {
            let pair = format!("{username}:{}", read(password).await?);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Auth::Scheme { scheme, credentials } => format!("{scheme} {}", read(credentials).await?),
    };
    let bad = |_| SecretUnread::of("the credentials", "they hold characters that no header may have");
    let mut value = HeaderValue::from_str(&text).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_read_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "s3cret\n").unwrap();
        assert_eq!(read(&Source::File(file)).await.unwrap(), "s3cret");
        assert_eq!(read(&Source::inline(" x ")).await.unwrap(), "x");
        let missing = read(&Source::Env("GRID_NO_SUCH_VARIABLE".to_owned())).await.unwrap_err();
        assert_eq!(missing.to_string(), "the variable GRID_NO_SUCH_VARIABLE: it is not set");
        assert!(read(&Source::File(dir.path().join("none"))).await.unwrap_err().to_string().contains("No such file"));
        let auth = Auth::Basic { username: "ada".to_owned(), password: Source::inline("pw") };
        let header = authorization(&auth).await.unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic YWRhOnB3");
        assert!(!format!("{header:?}").contains("YWRh"));
        let broken = Auth::Scheme { scheme: "Bearer".to_owned(), credentials: Source::inline("a\nb") };
        assert!(authorization(&broken).await.is_err());
    }
}
