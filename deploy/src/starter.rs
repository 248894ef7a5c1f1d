//! A project to start from: one actor, its manifest, and how to build, pack and push it.

use odeon_sourceauth::limits::IMAGE_NAME_BYTES_MAX;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const CARGO_TOML: &str = include_str!("../starter/Cargo.toml.in");
const CARGO_CONFIG: &str = include_str!("../starter/config.toml.in");
const LIB_RS: &str = include_str!("../starter/lib.rs.in");
const ODEON_TOML: &str = include_str!("../starter/odeon.toml.in");
const README: &str = include_str!("../starter/README.md.in");

macro_rules! library {
    ($($file:literal),* $(,)?) => {
        &[$((concat!("odeon/", $file), include_str!(concat!("../../python/odeon/", $file)))),*]
    };
}

/// The library that a Python image brings along, as it is in the repository.
const PYTHON_LIBRARY: &[(&str, &str)] =
    library!["__init__.py", "_actors.py", "_messages.py", "_pack.py", "_serve.py", "py.typed"];
const PYTHON_PROJECT: [(&str, &str); 4] = [
    ("actors.py", include_str!("../starter/python/actors.py.in")),
    ("odeon.toml", include_str!("../starter/python/odeon.toml.in")),
    ("README.md", include_str!("../starter/python/README.md.in")),
    (".gitignore", "__pycache__\n*.zip\n"),
];

/// The dependency on the SDK when it comes from a registry.
const SDK_BY_VERSION: &str = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");

/// Why no project was written. Nothing that was there is changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StarterError {
    #[error(
        "name {found:?}: expected a lower-case letter, then lower-case letters, digits and dashes, at most \
         {IMAGE_NAME_BYTES_MAX} bytes, and not odeon"
    )]
    Name { found: String },
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not UTF-8", .0.display())]
    SdkPath(PathBuf),
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes a project that takes the SDK from the registry, and gives the files that it wrote.
pub fn new(folder: &Path, name: &str) -> Result<Vec<PathBuf>, StarterError> {
    write_project(folder, name, SDK_BY_VERSION)
}

/// Writes a project in Python with the library beside it, and gives the files that it wrote.
pub fn new_python(folder: &Path, name: &str) -> Result<Vec<PathBuf>, StarterError> {
    check_name(name)?;
    let project = PYTHON_PROJECT.map(|(file, template)| (file, template.replace("@NAME@", name)));
    let library = PYTHON_LIBRARY.iter().map(|(file, text)| (*file, (*text).to_owned()));
    write_files(folder, &project.into_iter().chain(library).collect::<Vec<_>>())
}

/// The same with the SDK in a folder, as in a checkout of Odeon.
pub fn new_with_sdk(folder: &Path, name: &str, sdk: &Path) -> Result<Vec<PathBuf>, StarterError> {
    let path = sdk.to_str().ok_or_else(|| StarterError::SdkPath(sdk.to_owned()))?;
    // A TOML string escapes as JSON does for everything that a path can hold.
    write_project(folder, name, &format!("path = {}", toml::Value::from(path)))
}

fn write_project(folder: &Path, name: &str, sdk: &str) -> Result<Vec<PathBuf>, StarterError> {
    check_name(name)?;
    let files = [
        ("Cargo.toml", CARGO_TOML),
        (".cargo/config.toml", CARGO_CONFIG),
        ("src/lib.rs", LIB_RS),
        ("odeon.toml", ODEON_TOML),
        ("README.md", README),
        (".gitignore", "/target\n*.zip\n"),
    ];
    let filled = files.map(|(file, template)| {
        let text = template
            .replace("@NAME@", name)
            .replace("@LIB@", &format!("{}_image", name.replace('-', "_")))
            .replace("@SDK@", sdk);
        (file, text)
    });
    write_files(folder, &filled)
}

/// Writes files of which none is there.
fn write_files(folder: &Path, files: &[(&str, String)]) -> Result<Vec<PathBuf>, StarterError> {
    let paths: Vec<_> = files.iter().map(|(file, _)| folder.join(file)).collect();
    if let Some(there) = paths.iter().find(|p| p.symlink_metadata().is_ok()) {
        return Err(StarterError::Exists(there.clone()));
    }
    for (path, (_, text)) in paths.iter().zip(files) {
        write_new(path, text).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => StarterError::Exists(path.clone()),
            _ => StarterError::Write { path: path.clone(), source },
        })?;
    }
    Ok(paths)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// A name that an image, a Rust package and a library can have.
fn check_name(name: &str) -> Result<(), StarterError> {
    let good = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.len() <= IMAGE_NAME_BYTES_MAX
        && name != "odeon";
    if good { Ok(()) } else { Err(StarterError::Name { found: name.to_owned() }) }
}
