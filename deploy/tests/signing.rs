//! Our signatures and those of the stock `ssh-keygen`, each read by the other.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

use odeon_deploy::{SignError, SignFileError, Times, VerifyFileError, sign, sign_file, sign_statement, verify_file};
use odeon_sourceauth::{Image, Keyring, Rejection, SignatureError, StatementError};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;

struct Bench {
    folder: TempDir,
    image: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self::with_code("code")
    }

    fn with_code(code: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "name = \"hello\"\nruntime = \"wasm\"\ncode = \"c\"\n[[actor]]\nname = \"Hello\"\n";
        std::fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
        std::fs::write(folder.path().join("c"), code).unwrap();
        let image = folder.path().join("hello.zip");
        odeon_deploy::pack(folder.path(), &image).unwrap();
        Self { folder, image }
    }

    /// Makes a key and an allowed-signers file with it.
    fn key(&self, name: &str, kind: &[&str], passphrase: &str) -> (PathBuf, PathBuf) {
        let (key, allowed) = (self.folder.path().join(name), self.folder.path().join(format!("{name}.allowed")));
        let mut command = ssh_keygen();
        command.args(["-q", "-N", passphrase, "-C", "", "-f"]).arg(&key).args(kind);
        assert_success(&command.output().unwrap());
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        std::fs::write(&allowed, format!("alice@example.org {public}")).unwrap();
        (key, allowed)
    }

    fn verify_by_ssh_keygen(&self, signature: &Path, allowed: &Path, image: &Path) -> Output {
        let mut command = ssh_keygen();
        command.args(["-Y", "verify", "-n", "odeon-image", "-I", "alice@example.org", "-s"]).arg(signature);
        command.arg("-f").arg(allowed).stdin(Stdio::from(std::fs::File::open(image).unwrap()));
        command.output().unwrap()
    }
}

/// Fails, and never skips, where the tool is missing.
fn ssh_keygen() -> Command {
    let found = Command::new("ssh-keygen").arg("-?").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if let Err(e) = found {
        panic!("ssh-keygen does not start ({e}): install the Debian package openssh-client");
    }
    Command::new("ssh-keygen")
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn no_passphrase() -> impl FnMut() -> Option<String> {
    || panic!("the key has no passphrase, so none is asked for")
}

const KINDS: [&[&str]; 2] = [&["-t", "ed25519"], &["-t", "ecdsa", "-b", "256"]];

#[test]
fn ssh_keygen_verifies_what_we_sign_and_we_do_too() {
    let bench = Bench::new();
    for kind in KINDS {
        let (key, allowed) = bench.key(kind[1], kind, "");
        let signed = sign_file(&bench.image, &key, None, &mut no_passphrase()).unwrap();
        assert_eq!(signed.path, bench.folder.path().join("hello.zip.sig"));
        assert_success(&bench.verify_by_ssh_keygen(&signed.path, &allowed, &bench.image));
        let approval = verify_file(&bench.image, std::slice::from_ref(&signed.path), &allowed, 1, NOW).unwrap();
        assert_eq!(approval.by, "alice@example.org");
        assert!(approval.reason.contains(signed.fingerprint.as_ref().unwrap()));

        let tampered = bench.folder.path().join("tampered");
        let mut bytes = std::fs::read(&bench.image).unwrap();
        bytes[50] ^= 1;
        std::fs::write(&tampered, &bytes).unwrap();
        assert!(!bench.verify_by_ssh_keygen(&signed.path, &allowed, &tampered).status.success());
        let mismatch = Rejection::SignatureInvalid(SignatureError::Mismatch);
        let another = Bench::with_code("other code");
        for other in [&tampered, &another.image] {
            let refused = verify_file(other, std::slice::from_ref(&signed.path), &allowed, 1, NOW);
            assert!(matches!(&refused, Err(VerifyFileError::Rejected(why)) if *why == mismatch), "{refused:?}");
        }
        std::fs::write(&tampered, &bytes[..50]).unwrap();
        let refused = verify_file(&tampered, std::slice::from_ref(&signed.path), &allowed, 1, NOW);
        assert!(matches!(refused, Err(VerifyFileError::Image { .. })), "{refused:?}");
    }
}

#[test]
fn we_verify_what_ssh_keygen_signs() {
    let bench = Bench::new();
    for kind in KINDS {
        let (key, allowed) = bench.key(kind[1], kind, "");
        let mut command = ssh_keygen();
        assert_success(
            &command
                .args(["-q", "-Y", "sign", "-n", "odeon-image", "-f"])
                .arg(&key)
                .arg(&bench.image)
                .output()
                .unwrap(),
        );
        let signature = bench.folder.path().join("hello.zip.sig");
        assert_eq!(
            verify_file(&bench.image, std::slice::from_ref(&signature), &allowed, 1, NOW).unwrap().by,
            "alice@example.org"
        );
        std::fs::remove_file(&signature).unwrap();
    }
}

#[test]
fn a_key_with_a_passphrase_asks_for_it_once() {
    let bench = Bench::new();
    let (key, allowed) = bench.key("key", KINDS[0], "a secret phrase");
    let text = std::fs::read_to_string(&key).unwrap();
    let image = Image::open(std::fs::read(&bench.image).unwrap()).unwrap();
    let mut asked = 0;
    let signature = sign(image.bytes(), &text, &mut || {
        asked += 1;
        Some("a secret phrase".into())
    })
    .unwrap();
    assert_eq!(asked, 1);
    let keyring = Keyring::parse(&std::fs::read_to_string(allowed).unwrap(), 1).unwrap();
    assert!(keyring.approve(&image, &[signature], NOW).is_ok());
    assert_eq!(sign(b"image", &text, &mut || None), Err(SignError::PassphraseNeeded));
    assert_eq!(sign(b"image", &text, &mut || Some("wrong".into())), Err(SignError::PassphraseWrong));
}

#[test]
fn files_that_are_no_usable_key_are_named() {
    let bench = Bench::new();
    let (key, allowed) = bench.key("key", KINDS[0], "");
    let sign_text = |text: &str| sign(b"image", text, &mut no_passphrase()).unwrap_err();
    assert_eq!(sign_text(&std::fs::read_to_string(key.with_extension("pub")).unwrap()), SignError::PublicKey);
    assert!(matches!(sign_text("garbage"), SignError::Key { .. }));
    let (rsa, _) = bench.key("rsa", &["-t", "rsa", "-b", "2048"], "");
    assert_eq!(sign_text(&std::fs::read_to_string(rsa).unwrap()), SignError::Algorithm { found: "ssh-rsa".into() });

    let missing = bench.folder.path().join("missing");
    let error = sign_file(&bench.image, &missing, None, &mut no_passphrase()).unwrap_err();
    assert!(error.to_string().ends_with("missing cannot be read"), "{error}");
    let error = sign_file(&allowed, &key, None, &mut no_passphrase()).unwrap_err();
    assert!(matches!(error, SignFileError::Image { .. }), "{error}");
    assert!(!bench.folder.path().join("hello.zip.sig").exists());
}

#[test]
fn an_allowed_signers_file_that_is_broken_names_itself_and_its_line() {
    let bench = Bench::new();
    let (key, allowed) = bench.key("key", KINDS[0], "");
    let signed = sign_file(&bench.image, &key, None, &mut no_passphrase()).unwrap();
    std::fs::write(&allowed, "alice\n").unwrap();
    let error = verify_file(&bench.image, std::slice::from_ref(&signed.path), &allowed, 1, NOW).unwrap_err();
    assert!(error.to_string().contains("key.allowed"), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("line 1"));
}

#[test]
fn a_statement_is_signed_by_us_or_by_ssh_keygen_in_one_file_or_two() {
    let bench = Bench::new();
    let (key, allowed) = bench.key("key", KINDS[0], "");
    let times = Times { not_before_unix_s: None, not_after_unix_s: Some(NOW + 60) };
    let verify = |path: &Path, now| verify_file(&bench.image, &[path.to_owned()], &allowed, 1, now);
    let signed = sign_statement(&bench.image, times, Some(&key), None, &mut no_passphrase()).unwrap();
    assert_eq!(signed.path, bench.folder.path().join("hello.zip.approval"));
    assert_eq!(verify(&signed.path, NOW).unwrap().until_unix_s, Some(NOW + 60));
    let over = verify(&signed.path, NOW + 61).unwrap_err();
    assert!(matches!(over, VerifyFileError::Rejected(Rejection::Statement(StatementError::Over { .. }))), "{over}");

    // By hand: the statement first, then ssh-keygen.
    let by_hand = bench.folder.path().join("by-hand");
    let written = sign_statement(&bench.image, times, None, Some(&by_hand), &mut no_passphrase()).unwrap();
    assert_eq!(written.fingerprint, None);
    let unsigned = verify(&by_hand, NOW).unwrap_err();
    assert!(unsigned.to_string().contains("ssh-keygen -Y sign -n odeon-approval"), "{unsigned}");
    let mut command = ssh_keygen();
    command.args(["-q", "-Y", "sign", "-n", "odeon-approval", "-f"]).arg(&key).arg(&by_hand);
    assert_success(&command.output().unwrap());
    assert_eq!(verify(&by_hand, NOW).unwrap().by, "alice@example.org", "the signature is beside it");
    let signature = std::fs::read_to_string(bench.folder.path().join("by-hand.sig")).unwrap();
    let one = bench.folder.path().join("one");
    std::fs::write(&one, std::fs::read_to_string(&by_hand).unwrap() + &signature).unwrap();
    assert_eq!(verify(&one, NOW).unwrap().by, "alice@example.org", "or behind it");

    let wrong = Times { not_before_unix_s: Some(2), not_after_unix_s: Some(1) };
    let error = sign_statement(&bench.image, wrong, Some(&key), None, &mut no_passphrase()).unwrap_err();
    assert!(matches!(error, SignFileError::Statement(StatementError::Times { .. })), "{error}");
}
