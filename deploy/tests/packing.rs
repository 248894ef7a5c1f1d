//! Starting and packing projects in real folders.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

use odeon_deploy::{PackError, StarterError, assemble, default_file_name, new, new_python, new_with_sdk, pack};
use odeon_sourceauth::{Image, ImageError, NameError, hash};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const MANIFEST: &str = "name = \"hello\"\nversion = \"1.0.0\"\nruntime = \"wasm\"\ncode = \"build/hello.wasm\"\n";
const ACTOR: &str = "[[actor]]\nname = \"Hello\"\n";

fn folder(include: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "odeon.toml", &format!("{MANIFEST}{include}{ACTOR}"));
    put(folder.path(), "build/hello.wasm", "code");
    folder
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn only_the_manifest_the_code_and_what_is_included_go_in() {
    let folder = folder("include = [\"data\", \"LICENSE\", \"build/hello.wasm\"]\n");
    let at = folder.path();
    for name in
        ["data/b.txt", "data/deep/a.txt", "data/.secret", "data/.git/config", "LICENSE", "secret.key", "target/x"]
    {
        put(at, name, name);
    }
    let packed = pack(at, &at.join("out.zip")).unwrap();
    assert_eq!(packed.files, ["LICENSE", "build/hello.wasm", "data/b.txt", "data/deep/a.txt", "odeon.toml"]);
    let bytes = fs::read(&packed.path).unwrap();
    assert_eq!((packed.hash, packed.size_bytes), (hash(&bytes), bytes.len() as u64));
    let image = Image::open(bytes).unwrap();
    assert_eq!(image.code().unwrap(), b"code");
    assert_eq!(image.read("data/deep/a.txt").unwrap(), b"data/deep/a.txt");
    assert_eq!(default_file_name(image.manifest()), "hello-1.0.0.zip");
}

#[test]
fn the_same_contents_give_the_same_bytes_at_another_place_and_time() {
    let make = |names: &[&str]| {
        let folder = folder("include = [\"data\"]\n");
        names.iter().for_each(|name| put(folder.path(), name, "x"));
        let earlier =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(names.len() as u64 * 1_000_000_000);
        fs::File::options().write(true).open(folder.path().join(names[0])).unwrap().set_modified(earlier).unwrap();
        assemble(folder.path()).unwrap()
    };
    let (first, second) = (make(&["data/a", "data/b"]), make(&["data/b", "data/a"]));
    assert_eq!(first.bytes(), second.bytes());
    assert_eq!(first.hash(), second.hash());
    // Pinned, so that a library that packs otherwise is noticed: every hash that people wrote down would change.
    let pinned = "241a5935bf5fa24c15c62426964d3c817581e9f4fff2f401195eabc9d52fec4c";
    assert_eq!(first.hash().to_string(), pinned);
}

#[test]
fn packing_twice_does_not_pack_the_image_into_itself() {
    let folder = folder("include = [\"data\"]\n");
    put(folder.path(), "data/a", "x");
    let out = folder.path().join("data/out.zip");
    let first = pack(folder.path(), &out).unwrap();
    let second = pack(folder.path(), &out).unwrap();
    assert_eq!(first, second);
    assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn what_is_missing_is_named_and_no_file_is_written() {
    let empty = tempfile::tempdir().unwrap();
    let out = empty.path().join("out.zip");
    assert!(matches!(pack(empty.path(), &out), Err(PackError::NoManifest(_))));
    let without_code = folder("");
    fs::remove_file(without_code.path().join("build/hello.wasm")).unwrap();
    let error = pack(without_code.path(), &out).unwrap_err();
    assert!(matches!(&error, PackError::NoCode(path) if path.ends_with("build/hello.wasm")), "{error}");
    let error = pack(folder("include = [\"data\"]\n").path(), &out).unwrap_err();
    assert!(matches!(&error, PackError::NoInclude(path) if path.ends_with("data")), "{error}");
    let error = pack(folder("colour = 1\n").path(), &out).unwrap_err();
    assert!(error.to_string().starts_with("odeon.toml line 5: unknown field `colour`"), "{error}");
    assert!(!out.exists());
}

#[cfg(unix)]
#[test]
fn links_are_refused_wherever_they_are() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "data/secret", "secret");
    for (include, link, to) in [
        ("include = [\"data\"]\n", "data", "data"),
        ("include = [\"data/secret\"]\n", "data", "data"),
        ("include = [\"secret\"]\n", "secret", "data/secret"),
    ] {
        let folder = folder(include);
        symlink(outside.path().join(to), folder.path().join(link)).unwrap();
        let error = assemble(folder.path()).unwrap_err();
        assert!(matches!(&error, PackError::Link(path) if path.ends_with(link)), "{error}");
    }
    let folder = folder("include = [\"data\"]\n");
    put(folder.path(), "data/a", "a");
    symlink(outside.path().join("data/secret"), folder.path().join("data/b")).unwrap();
    assert!(matches!(assemble(folder.path()), Err(PackError::Link(_))));
}

#[cfg(unix)]
#[test]
fn sockets_and_names_that_no_image_can_have_are_refused() {
    let socket = folder("include = [\"data\"]\n");
    fs::create_dir(socket.path().join("data")).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(socket.path().join("data/s")).unwrap();
    assert!(matches!(assemble(socket.path()), Err(PackError::NotAFile(_))));
    let named = folder("include = [\"data\"]\n");
    put(named.path(), "data/a:b", "x");
    let error = assemble(named.path()).unwrap_err();
    assert!(matches!(error, PackError::Refused(ImageError::Name { reason: NameError::Colon, .. })), "{error}");
    let deep = folder("include = [\"data\"]\n");
    put(deep.path(), "data/2/3/4/5/6/7/8/9", "x");
    let error = assemble(deep.path()).unwrap_err();
    assert!(matches!(error, PackError::Refused(ImageError::Name { reason: NameError::TooDeep { .. }, .. })), "{error}");
}

#[test]
fn what_no_node_would_take_is_refused_when_it_is_packed() {
    let bomb = folder("include = [\"zeros\"]\n");
    fs::write(bomb.path().join("zeros"), vec![0; 4 * 1024 * 1024]).unwrap();
    assert!(matches!(assemble(bomb.path()), Err(PackError::Refused(ImageError::Ratio { .. }))));
    let many = folder("include = [\"data\"]\n");
    (0..1100).for_each(|i| put(many.path(), &format!("data/{i}"), ""));
    assert!(matches!(assemble(many.path()), Err(PackError::TooManyFiles { max: 1024 })));
}

#[test]
fn a_new_project_is_complete_and_packs_once_it_is_built() {
    let parent = tempfile::tempdir().unwrap();
    let at = parent.path().join("my-hello");
    let files = new(&at, "my-hello").unwrap();
    assert_eq!(files.len(), 6);
    let config: toml::Table = fs::read_to_string(at.join(".cargo/config.toml")).unwrap().parse().unwrap();
    let flags = config["target"]["wasm32-wasip2"]["rustflags"].as_array().unwrap();
    assert!(flags[0].as_str().unwrap().starts_with("-Clink-arg=-zstack-size="), "{flags:?}");
    let cargo: toml::Table = fs::read_to_string(at.join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(cargo["package"]["name"].as_str(), Some("my-hello"));
    assert_eq!(cargo["dependencies"]["odeon"]["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    let library = cargo["lib"]["name"].as_str().unwrap();
    let error = assemble(&at).unwrap_err();
    assert!(matches!(&error, PackError::NoCode(_)), "{error}");
    put(&at, &format!("target/wasm32-wasip2/release/{library}.wasm"), "code");
    let image = assemble(&at).unwrap();
    assert_eq!((image.manifest().name.as_str(), image.manifest().actors[0].name.as_str()), ("my-hello", "Hello"));
    for file in files {
        assert!(!fs::read_to_string(&file).unwrap().contains('@'), "{}", file.display());
    }
}

#[test]
fn a_new_project_in_python_packs_as_it_is_with_the_whole_library() {
    let parent = tempfile::tempdir().unwrap();
    let at = parent.path().join("my-hello");
    new_python(&at, "my-hello").unwrap();
    let image = assemble(&at).unwrap();
    assert_eq!(
        (image.manifest().name.as_str(), image.manifest().interpreter.as_deref()),
        ("my-hello", Some("python3"))
    );
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/odeon");
    for file in fs::read_dir(repository).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file()) {
        let name = format!("odeon/{}", file.file_name().unwrap().to_str().unwrap());
        assert_eq!(image.read(&name).unwrap(), fs::read(file).unwrap(), "{name}");
    }
    assert!(!fs::read_to_string(at.join("odeon.toml")).unwrap().contains('@'));
}

#[test]
fn a_new_project_can_take_the_sdk_from_a_folder() {
    let parent = tempfile::tempdir().unwrap();
    let at = parent.path().join("x");
    new_with_sdk(&at, "x", Path::new("/some \"folder\"/actor")).unwrap();
    let cargo: toml::Table = fs::read_to_string(at.join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(cargo["dependencies"]["odeon"]["path"].as_str(), Some("/some \"folder\"/actor"));
}

#[test]
fn a_new_project_overwrites_nothing() {
    let parent = tempfile::tempdir().unwrap();
    put(parent.path(), "README.md", "mine");
    let error = new(parent.path(), "hello").unwrap_err();
    assert!(matches!(&error, StarterError::Exists(path) if path.ends_with("README.md")), "{error}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    for name in ["", "Hello", "9lives", "a_b", "../x", "odeon", &"a".repeat(65)] {
        assert!(matches!(new(&parent.path().join("n"), name), Err(StarterError::Name { .. })), "{name}");
    }
    assert!(!parent.path().join("n").exists());
}
