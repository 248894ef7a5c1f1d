//! Keys, signatures and an image to sign, by the stock `ssh-keygen`.

use odeon_sourceauth::{Authority, Image, Keyring};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// In 2027.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn key(&self, name: &str, kind: &[&str]) -> Key {
        let path = self.path(name);
        let path_text = path.to_str().unwrap();
        run([&["-q", "-N", "", "-C", "a comment", "-f", path_text], kind].concat(), &[]);
        let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        Key { path, public: public.trim().to_owned() }
    }

    pub(crate) fn sign(&self, key: &Key, namespace: &str, bytes: &[u8]) -> String {
        run(vec!["-Y", "sign", "-n", namespace, "-f", key.path.to_str().unwrap()], bytes)
    }
}

pub(crate) struct Key {
    pub(crate) path: PathBuf,
    pub(crate) public: String,
}

impl Key {
    pub(crate) fn fingerprint(&self) -> String {
        let printed = run(vec!["-l", "-f", self.path.to_str().unwrap()], &[]);
        printed.split(' ').nth(1).unwrap().to_owned()
    }
}

pub(crate) fn run(arguments: Vec<&str>, input: &[u8]) -> String {
    let mut child = Command::new("ssh-keygen")
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("ssh-keygen does not start ({e}): install the Debian package openssh-client"));
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn image() -> Image {
    let manifest = "name = \"hello\"\nruntime = \"wasm\"\ncode = \"c\"\n[[actor]]\nname = \"Hello\"\n";
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in [("odeon.toml", manifest.as_bytes()), ("c", b"code".as_slice())] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(data).unwrap();
    }
    Image::open(writer.finish().unwrap().into_inner()).unwrap()
}

pub(crate) fn keyring(line: &str) -> Authority {
    Authority::Keyring(Keyring::parse(line, 1).unwrap())
}
