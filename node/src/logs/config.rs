//! Where a node shows its lines: the file of `odeon up --log-config`.

use super::shows;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Outputs at most.
const OUTPUTS_MAX: usize = 8;
/// What a file may have at most before it is rotated, and the older files that are kept.
const FILE_MIB_MAX: u64 = 64 * 1024;
const KEPT_MAX: u32 = 1_000;
const MIB_BY_DEFAULT: u64 = 16;
const KEPT_BY_DEFAULT: u32 = 4;

/// Where the lines of a node are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub(super) outputs: Vec<Output>,
}

/// One of these places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) to: To,
    /// What is shown, in the syntax of `tracing`; none for what the environment says.
    pub(super) filter: Option<String>,
    pub(super) lines: Lines,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Stderr(Shape),
    File {
        path: PathBuf,
        shape: Shape,
        /// The file is rotated before it has more.
        max_mib: u64,
        /// Older files that are kept.
        keep: u32,
    },
    Journald,
}

/// An output as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    to: Place,
    path: Option<PathBuf>,
    format: Option<Shape>,
    max_mib: Option<u64>,
    keep: Option<u32>,
    filter: Option<String>,
    #[serde(default)]
    lines: Lines,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Stderr,
    File,
    Journald,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    #[default]
    Text,
    Json,
}

/// Whose lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lines {
    #[default]
    All,
    /// Those that actors log.
    Actors,
    /// Those of the node itself.
    Node,
}

/// Why a file of outputs cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum LogConfigError {
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
    #[error("there is no [[output]]: the node would show nothing")]
    Empty,
    #[error("{found} outputs, {OUTPUTS_MAX} are allowed")]
    TooMany { found: usize },
    #[error("output {number}: max_mib is {found}, 1 to {FILE_MIB_MAX} are allowed")]
    FileSize { number: usize, found: u64 },
    #[error("output {number}: keep is {found}, {KEPT_MAX} are allowed")]
    Kept { number: usize, found: u32 },
    #[error("output {number}: a file needs a path with a name")]
    NoName { number: usize },
    #[error("output {number}: {key} is for files")]
    ForFiles { number: usize, key: &'static str },
    #[error("output {number}: journald has its own format")]
    NoFormat { number: usize },
    #[error("two outputs are the file {0}")]
    SameFile(PathBuf),
    #[error("two outputs are {0}")]
    SameStream(&'static str),
    #[error("output {number}: {why}")]
    Filter { number: usize, why: String },
}

impl LogConfig {
    /// Standard error alone.
    pub(crate) fn standard(json: bool) -> Self {
        let shape = if json { Shape::Json } else { Shape::Text };
        Self { outputs: vec![Output { to: To::Stderr(shape), filter: None, lines: Lines::All }] }
    }

    /// Reads the text of a file; what it names without a whole path is in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, LogConfigError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            output: Vec<Written>,
        }
        let File { output } = toml::from_str(text).map_err(|e| LogConfigError::Toml(Box::new(e)))?;
        match output.len() {
            0 => return Err(LogConfigError::Empty),
            found if found > OUTPUTS_MAX => return Err(LogConfigError::TooMany { found }),
            _ => {}
        }
        let mut outputs = Vec::with_capacity(output.len());
        for (written, number) in output.into_iter().zip(1..) {
            let output = written.checked(number, folder)?;
            output.differs_from(&outputs)?;
            outputs.push(output);
        }
        Ok(Self { outputs })
    }
}

impl Written {
    fn checked(self, number: usize, folder: &Path) -> Result<Output, LogConfigError> {
        let Self { to, path, format, max_mib, keep, filter, lines } = self;
        if let Some(filter) = &filter {
            shows::parse("filter", filter).map_err(|e| LogConfigError::Filter { number, why: e.to_string() })?;
        }
        let given = [("path", path.is_some()), ("max_mib", max_mib.is_some()), ("keep", keep.is_some())];
        let for_files = given.into_iter().find_map(|(key, given)| given.then_some(key));
        let to = match (to, for_files) {
            (Place::File, _) => To::File {
                path: path.filter(|p| p.file_name().is_some()).ok_or(LogConfigError::NoName { number })?,
                shape: format.unwrap_or_default(),
                max_mib: max_mib.unwrap_or(MIB_BY_DEFAULT),
                keep: keep.unwrap_or(KEPT_BY_DEFAULT),
            },
            (_, Some(key)) => return Err(LogConfigError::ForFiles { number, key }),
            (Place::Stderr, None) => To::Stderr(format.unwrap_or_default()),
            (Place::Journald, None) if format.is_some() => return Err(LogConfigError::NoFormat { number }),
            (Place::Journald, None) => To::Journald,
        };
        let to = match to {
            To::File { max_mib, .. } if !(1..=FILE_MIB_MAX).contains(&max_mib) => {
                return Err(LogConfigError::FileSize { number, found: max_mib });
            }
            To::File { keep, .. } if keep > KEPT_MAX => return Err(LogConfigError::Kept { number, found: keep }),
            To::File { path, shape, max_mib, keep } => To::File { path: folder.join(path), shape, max_mib, keep },
            to => to,
        };
        Ok(Output { to, filter, lines })
    }
}

impl Output {
    fn differs_from(&self, others: &[Self]) -> Result<(), LogConfigError> {
        let same = |other: &Self| match (&self.to, &other.to) {
            (To::File { path, .. }, To::File { path: other, .. }) => path == other,
            (to, other) => std::mem::discriminant(to) == std::mem::discriminant(other),
        };
        if !others.iter().any(same) {
            return Ok(());
        }
        Err(match &self.to {
            To::File { path, .. } => LogConfigError::SameFile(path.clone()),
            To::Stderr(_) => LogConfigError::SameStream("standard error"),
            To::Journald => LogConfigError::SameStream("journald"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LogConfig, LogConfigError> {
        LogConfig::parse(text, Path::new("/etc/odeon"))
    }

    #[test]
    fn a_file_says_where_what_is_shown_and_how() {
        let config = parse(
            r#"
            [[output]]
            to = "file"
            path = "actors.log"
            lines = "actors"
            filter = "debug"
            max_mib = 2
            keep = 0

            [[output]]
            to = "stderr"
            format = "json"
            lines = "node"

            [[output]]
            to = "journald"
            "#,
        )
        .unwrap();
        let file = To::File { path: "/etc/odeon/actors.log".into(), shape: Shape::Text, max_mib: 2, keep: 0 };
        assert_eq!(
            config.outputs,
            [
                Output { to: file, filter: Some("debug".into()), lines: Lines::Actors },
                Output { to: To::Stderr(Shape::Json), filter: None, lines: Lines::Node },
                Output { to: To::Journald, filter: None, lines: Lines::All },
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let file = |more: &str| format!("[[output]]\nto = \"file\"\npath = \"a\"\n{more}\n");
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused(""), LogConfigError::Empty);
        assert_eq!(refused(&file("max_mib = 0")), LogConfigError::FileSize { number: 1, found: 0 });
        assert_eq!(refused(&file("keep = 1001")), LogConfigError::Kept { number: 1, found: 1001 });
        assert_eq!(refused(&file("").repeat(2)), LogConfigError::SameFile("/etc/odeon/a".into()));
        assert_eq!(refused(&"[[output]]\nto = \"journald\"\n".repeat(2)), LogConfigError::SameStream("journald"));
        assert_eq!(refused(&file("").repeat(9)), LogConfigError::TooMany { found: 9 });
        let nameless = "[[output]]\nto = \"file\"\npath = \"..\"";
        assert_eq!(refused(nameless), LogConfigError::NoName { number: 1 });
        assert!(matches!(refused(&file("filter = \"a=b=c\"")), LogConfigError::Filter { number: 1, .. }));
        assert_eq!(refused("[[output]]\nto = \"file\""), LogConfigError::NoName { number: 1 });
        let path = refused("[[output]]\nto = \"stderr\"\npath = \"a\"");
        assert_eq!(path, LogConfigError::ForFiles { number: 1, key: "path" });
        let format = refused("[[output]]\nto = \"journald\"\nformat = \"json\"");
        assert_eq!(format, LogConfigError::NoFormat { number: 1 });
        for unknown in [
            "[[output]]\nto = \"printer\"",
            "[[output]]\nto = \"stderr\"\nlines = \"none\"",
            "[[output]]\nto = \"stderr\"\ncolour = true",
            "[[outputs]]",
        ] {
            assert!(matches!(refused(unknown), LogConfigError::Toml(_)), "{unknown}");
        }
    }
}
