//! Which node a command is for: the one of a folder on this machine, or the leader at an address.

use super::CommandError;
use super::up::token_text;
use crate::admin::client::Route;
use crate::identity::TokenError;
use std::path::PathBuf;

/// The way that the global flags name.
pub(super) fn route(
    connect: Option<String>,
    token: Option<String>,
    data: Option<PathBuf>,
) -> Result<Route, CommandError> {
    let Some(address) = connect else { return Ok(Route::Socket { data: data_folder(data)? }) };
    let text = token.as_deref().map(token_text).transpose()?.flatten().ok_or_else(|| {
        CommandError::Usage("--connect needs an operator's token: pass --token, or set ODEON_TOKEN".into())
    })?;
    let token = text.parse().map_err(|e: TokenError| CommandError::coded(e.code(), e.to_string()))?;
    Ok(Route::Link { address, token })
}

/// The folder that is meant: the one that was named, else the default.
pub(super) fn data_folder(named: Option<PathBuf>) -> Result<PathBuf, CommandError> {
    if let Some(folder) = named {
        return Ok(folder);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/odeon"));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("odeon"))
        .ok_or_else(|| CommandError::Usage("no data folder: pass --data DIR, or set ODEON_DATA".into()))
}
