//! What this node allows images outside of themselves (`odeon up --allow-…`), and what comes of that for one image.
//!
//! Looked at twice: before an image is hosted, so that what is not allowed is a refusal with a reason, and whenever
//! something is opened for it. Which runtime hands it to the image's code, and how, is the runtime's.

use odeon_sourceauth::{FolderGrant, Grants, Remote};
use rustix::fs::{Mode, OFlags, open};
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of all variables that one image is granted.
const VARIABLES_BYTES_MAX: usize = 8 << 10;

/// What a node allows.
#[derive(Debug)]
pub struct Allowed {
    grants: Grants,
    /// The node's own folder, which no image reaches.
    data: PathBuf,
}

/// What an image can reach, opened.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    pub(crate) outbound: Vec<Remote>,
    pub(crate) folders: Vec<OpenFolder>,
    pub(crate) variables: Vec<(String, String)>,
}

/// A folder that is there and allowed.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    /// As the image calls it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) real: PathBuf,
    pub(crate) write: bool,
    /// Names it, and nothing else: neither reads nor writes.
    pub(crate) place: OwnedFd,
}

/// Why this node does not give an image what it asks for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum GrantsError {
    #[error("this node does not allow what the image asks for{}, OD-173", flags(.0))]
    NotAllowed(Vec<String>),
    #[error("the folder {path} is {real} on this node, which --allow-folder does not allow, OD-173")]
    Elsewhere { path: PathBuf, real: PathBuf },
    #[error("the folder {path} has to do with the node's own, which no image reaches, OD-173")]
    OfNode { path: PathBuf },
    #[error("the folder {path}, which the image asks for, cannot be opened: {source}, OD-174")]
    Folder { path: PathBuf, source: io::Error },
    #[error("the variables that the image asks for take {bytes} bytes here, more than {VARIABLES_BYTES_MAX}, OD-174")]
    Variables { bytes: usize },
}

fn flags(missing: &[String]) -> String {
    missing.iter().fold(String::new(), |mut text, flag| {
        // Writing to a text does not fail.
        let _ = write!(text, " ({flag})");
        text
    })
}

impl Allowed {
    /// What an operator allows on the node whose folder this is.
    pub fn new(grants: Grants, data: &Path) -> Arc<Self> {
        let data = fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
        Arc::new(Self { grants, data })
    }

    /// Whether an image gets here what it asks for.
    pub(crate) fn check(&self, asks: &Grants) -> Result<(), GrantsError> {
        let missing = asks.beyond(&self.grants);
        if missing.is_empty() { self.reach(asks).map(drop) } else { Err(GrantsError::NotAllowed(missing)) }
    }

    /// Opens what an image asks for, as far as it is allowed.
    pub(crate) fn reach(&self, asks: &Grants) -> Result<Reach, GrantsError> {
        let Grants { outbound, folders, environment } = asks.within(&self.grants);
        let folders = folders.iter().map(|ask| self.open(ask)).collect::<Result<_, _>>()?;
        let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
        let variables: Vec<_> = environment.iter().filter_map(|name| value(name.as_str())).collect();
        let bytes = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > VARIABLES_BYTES_MAX {
            return Err(GrantsError::Variables { bytes });
        }
        Ok(Reach { outbound, folders, variables })
    }

    /// Opens a folder where it really is: a link in what one image may write to must not lead another one out.
    fn open(&self, ask: &FolderGrant) -> Result<OpenFolder, GrantsError> {
        let path = ask.path().to_owned();
        let (place, real) = place(&path).map_err(|source| GrantsError::Folder { path: path.clone(), source })?;
        if real.starts_with(&self.data) || self.data.starts_with(&real) {
            return Err(GrantsError::OfNode { path });
        }
        let is_below = |allowed: &FolderGrant| fs::canonicalize(allowed.path()).is_ok_and(|top| real.starts_with(top));
        if !self.grants.folders.iter().any(|allowed| is_below(allowed) && (allowed.write() || !ask.write())) {
            return Err(GrantsError::Elsewhere { path, real });
        }
        Ok(OpenFolder { name: path.display().to_string(), real, write: ask.write(), place })
    }
}

/// A folder without its content, and where it really is: what a path means may change, what was opened does not.
pub(crate) fn place(path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let place = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let real = fs::read_link(path_of(&place))?;
    Ok((place, real))
}

/// A path that leads to an open folder, whatever its name is by now.
pub(crate) fn path_of(place: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(path: &Path, write: bool) -> FolderGrant {
        format!("{}{}", path.display(), if write { ":rw" } else { "" }).parse().unwrap()
    }

    fn folders(folders: &[FolderGrant]) -> Grants {
        Grants { folders: folders.to_vec(), ..Grants::default() }
    }

    #[test]
    fn what_is_not_allowed_is_named_with_its_flags() {
        let data = tempfile::tempdir().unwrap();
        let allowed = Allowed::new(Grants::default(), data.path());
        let asks = Grants {
            outbound: vec!["db:5432".parse().unwrap()],
            environment: vec!["ZONE".parse().unwrap()],
            ..folders(&["/srv:rw".parse().unwrap()])
        };
        assert_eq!(
            allowed.check(&asks).unwrap_err().to_string(),
            "this node does not allow what the image asks for (--allow-outbound db:5432) (--allow-folder /srv:rw) \
             (--allow-environment ZONE), OD-173"
        );
        let reach = allowed.reach(&asks).unwrap();
        assert!(reach.outbound.is_empty() && reach.folders.is_empty() && reach.variables.is_empty());
        assert!(allowed.check(&Grants::default()).is_ok());
    }

    #[test]
    fn a_folder_is_opened_where_it_is_and_a_link_leads_nobody_out() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let [data, srv, secret] = ["data", "srv", "secret"].map(|name| top.join(name));
        for path in [&data, &srv, &secret, &srv.join("a")] {
            fs::create_dir(path).unwrap();
        }
        symlink(&secret, srv.join("out")).unwrap();
        symlink(srv.join("a"), srv.join("in")).unwrap();
        let allowed = Allowed::new(folders(&[folder(&srv, true)]), &data);
        let opened = |path: &str| allowed.reach(&folders(&[folder(&srv.join(path), false)]));
        assert_eq!(opened("a").unwrap().folders[0].real, srv.join("a"));
        let through = opened("in").unwrap().folders.remove(0);
        assert_eq!((through.name.as_str(), &through.real), (srv.join("in").to_str().unwrap(), &srv.join("a")));
        let out = opened("out").unwrap_err();
        assert!(matches!(&out, GrantsError::Elsewhere { real, .. } if *real == secret), "{out}");
        let missing = opened("none").unwrap_err().to_string();
        assert!(missing.contains("cannot be opened") && missing.ends_with("OD-174"), "{missing}");
        fs::write(srv.join("file"), "x").unwrap();
        assert!(matches!(opened("file"), Err(GrantsError::Folder { .. })), "no folder");
    }

    #[test]
    fn what_is_allowed_by_way_of_a_link_is_what_it_leads_to() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let [data, real] = ["data", "real"].map(|name| top.join(name));
        for path in [&data, &real] {
            fs::create_dir(path).unwrap();
        }
        symlink(&real, top.join("link")).unwrap();
        let ask = folders(&[folder(&top.join("link"), true)]);
        assert!(Allowed::new(ask.clone(), &data).check(&ask).is_ok());
        assert!(Allowed::new(folders(&[folder(&top.join("link"), false)]), &data).check(&ask).is_err(), "to read only");
    }

    #[test]
    fn nobody_reaches_the_nodes_own_folder() {
        let top = tempfile::tempdir().unwrap();
        let data = top.path().join("data");
        fs::create_dir_all(data.join("identity")).unwrap();
        let all = folders(&["/:rw".parse().unwrap()]);
        let allowed = Allowed::new(all, &data);
        for path in [Path::new("/"), top.path(), &data, &data.join("identity")] {
            let refused = allowed.check(&folders(&[folder(path, false)])).unwrap_err();
            assert!(matches!(refused, GrantsError::OfNode { .. }), "{refused}");
        }
    }

    #[test]
    fn a_variable_has_the_value_of_the_nodes_own_or_is_not_there() {
        let data = tempfile::tempdir().unwrap();
        let asks = Grants {
            environment: ["CARGO_PKG_NAME", "ABSENT_IN_EVERY_TEST"].map(|name| name.parse().unwrap()).into(),
            ..Grants::default()
        };
        let allowed = Allowed::new(asks.clone(), data.path());
        assert_eq!(allowed.reach(&asks).unwrap().variables, [("CARGO_PKG_NAME".into(), "odeon-node".into())]);
    }
}
