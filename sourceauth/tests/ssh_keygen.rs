//! Signatures by the stock `ssh-keygen`, and what every authority says of them.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

use odeon_sourceauth::{
    AllowedSigners, Approval, ApprovedError, Authority, Image, ImageError, Rejection, SignatureError, Verified, hash,
    verify,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self, name: &str, kind: &[&str]) -> Key {
        let path = self.path(name);
        let path_text = path.to_str().unwrap();
        run([&["-q", "-N", "", "-C", "a comment", "-f", path_text], kind].concat(), &[]);
        let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        Key { path, public: public.trim().to_owned() }
    }

    fn sign(&self, key: &Key, namespace: &str, bytes: &[u8]) -> String {
        run(vec!["-Y", "sign", "-n", namespace, "-f", key.path.to_str().unwrap()], bytes)
    }
}

struct Key {
    path: PathBuf,
    public: String,
}

impl Key {
    fn fingerprint(&self) -> String {
        let printed = run(vec!["-l", "-f", self.path.to_str().unwrap()], &[]);
        printed.split(' ').nth(1).unwrap().to_owned()
    }
}

fn run(arguments: Vec<&str>, input: &[u8]) -> String {
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

fn image() -> Image {
    let manifest = "name = \"hello\"\nruntime = \"wasm\"\ncode = \"c\"\n[[actor]]\nname = \"Hello\"\n";
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in [("odeon.toml", manifest.as_bytes()), ("c", b"code".as_slice())] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(data).unwrap();
    }
    Image::open(writer.finish().unwrap().into_inner()).unwrap()
}

fn keyring(line: &str) -> Authority {
    Authority::Keyring(AllowedSigners::parse(line).unwrap())
}

#[test]
fn an_image_signed_by_ssh_keygen_with_an_allowed_key_is_approved() {
    let bench = Bench::new();
    let image = image();
    for kind in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"]] {
        let key = bench.key(kind[1], kind);
        let signature = bench.sign(&key, "odeon-image", image.bytes());
        let authority = keyring(&format!("# ours\nalice@example.org namespaces=\"odeon-image\" {}", key.public));
        let verified = authority.judge(image.clone(), Some(&signature), NOW).unwrap();
        assert_eq!(verified.image(), &image);
        let reason = format!("signed by {}, allowed on line 2 of the allowed signers", key.fingerprint());
        assert_eq!(verified.approval(), &Approval { by: "alice@example.org".into(), reason });
    }
}

#[test]
fn a_signature_for_other_bytes_or_another_purpose_is_invalid() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let authority = keyring(&format!("alice {}", key.public));
    let judge = |signature: &str| authority.judge(image.clone(), Some(signature), NOW).unwrap_err();

    let mut tampered = image.bytes().to_vec();
    tampered[40] ^= 1;
    let signature = bench.sign(&key, "odeon-image", &tampered);
    assert_eq!(judge(&signature), Rejection::SignatureInvalid(SignatureError::Mismatch));

    let signature = bench.sign(&key, "file", image.bytes());
    assert_eq!(judge(&signature), Rejection::SignatureInvalid(SignatureError::Namespace { found: "file".into() }));

    for garbage in ["", "garbage", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"] {
        let rejection = judge(garbage);
        assert!(
            matches!(rejection, Rejection::SignatureInvalid(SignatureError::Malformed { .. })),
            "{garbage:?}: {rejection}"
        );
    }
    let huge = "x".repeat(20_000);
    assert_eq!(judge(&huge), Rejection::SignatureInvalid(SignatureError::TooLarge { bytes: 20_000 }));
}

#[test]
fn a_signature_by_a_stranger_names_the_strangers_key() {
    let bench = Bench::new();
    let image = image();
    let (key, stranger) = (bench.key("key", &["-t", "ed25519"]), bench.key("stranger", &["-t", "ed25519"]));
    let signature = bench.sign(&stranger, "odeon-image", image.bytes());
    let rejection = keyring(&format!("alice {}", key.public)).judge(image, Some(&signature), NOW).unwrap_err();
    assert_eq!(rejection, Rejection::SignerNotAllowed { fingerprint: stranger.fingerprint() });
}

#[test]
fn a_key_counts_only_while_it_is_valid_and_for_its_namespaces() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let signature = bench.sign(&key, "odeon-image", image.bytes());
    for (options, word) in [
        ("valid-before=\"20200101Z\"", "valid-before"),
        ("valid-after=\"20900101Z\"", "valid-after"),
        ("namespaces=\"git\"", "namespaces"),
    ] {
        let line = format!("alice {options} {}", key.public);
        match keyring(&line).judge(image.clone(), Some(&signature), NOW) {
            Err(Rejection::SignerNotPermitted { fingerprint, line: 1, reason }) => {
                assert_eq!(fingerprint, key.fingerprint());
                assert!(reason.contains(word), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        // Another line may permit it.
        let both = format!("{line}\nalice valid-after=\"20200101\" {}", key.public);
        assert!(keyring(&both).judge(image.clone(), Some(&signature), NOW).is_ok());
    }
}

#[test]
fn a_signature_by_an_rsa_key_names_the_algorithm() {
    let bench = Bench::new();
    let image = image();
    let (rsa, key) = (bench.key("rsa", &["-t", "rsa", "-b", "2048"]), bench.key("key", &["-t", "ed25519"]));
    let signature = bench.sign(&rsa, "odeon-image", image.bytes());
    let rejection = keyring(&format!("alice {}", key.public)).judge(image, Some(&signature), NOW).unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "signature by a key of the algorithm ssh-rsa: expected ssh-ed25519 or ecdsa-sha2-nistp256"
    );
    assert!(AllowedSigners::parse(&format!("alice {}", rsa.public)).unwrap_err().to_string().contains("ssh-rsa"));
}

#[test]
fn without_an_authority_nothing_is_approved_and_the_reason_says_what_to_do() {
    let rejection = Authority::default().judge(image(), None, NOW).unwrap_err();
    assert_eq!(rejection, Rejection::NoAuthority);
    assert!(rejection.to_string().contains("odeon authority set keyring --allowed-signers FILE"));
}

#[test]
fn accept_all_approves_and_a_keyring_wants_a_signature() {
    let bench = Bench::new();
    let verified = Authority::AcceptAll.judge(image(), None, NOW).unwrap();
    assert_eq!(verified.approval().by, "accept-all");
    let key = bench.key("key", &["-t", "ed25519"]);
    let rejection = keyring(&format!("alice {}", key.public)).judge(image(), None, NOW).unwrap_err();
    assert_eq!(rejection, Rejection::SignatureMissing);
}

#[test]
fn the_allowed_signers_file_that_ssh_keygen_accepts_is_accepted_here() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let signature = bench.sign(&key, "odeon-image", image.bytes());
    let text = format!(
        "# people\n\nbob,*@example.org namespaces=\"git,odeon-*\",valid-after=\"20200101\",valid-before=\"20900101Z\" {}\n",
        key.public
    );
    let (signers, signature_file) = (bench.path("allowed"), bench.path("sig"));
    std::fs::write(&signers, &text).unwrap();
    std::fs::write(&signature_file, &signature).unwrap();
    let arguments = |file: &Path| file.to_str().unwrap().to_owned();
    let (s, f) = (arguments(&signature_file), arguments(&signers));
    run(vec!["-Y", "verify", "-n", "odeon-image", "-I", "al@example.org", "-s", &s, "-f", &f], image.bytes());
    let allowed = AllowedSigners::parse(&text).unwrap();
    assert_eq!(verify(image.bytes(), &signature, &allowed, NOW).unwrap().by, "bob,*@example.org");
}

#[test]
fn bytes_become_verified_again_only_with_the_approved_hash() {
    let image = image();
    let verified = Verified::from_approved(image.bytes().clone(), image.hash()).unwrap();
    assert_eq!(verified.hash(), image.hash());
    for at in [0, 40, image.bytes().len() - 1] {
        let mut flipped = image.bytes().to_vec();
        flipped[at] ^= 1;
        let found = hash(&flipped);
        assert_eq!(
            Verified::from_approved(flipped, image.hash()),
            Err(ApprovedError::HashMismatch { expected: image.hash(), found })
        );
    }
    let garbage = b"approved by mistake, yet no image".to_vec();
    let hash = hash(&garbage);
    assert_eq!(
        Verified::from_approved(garbage, hash),
        Err(ApprovedError::Malformed { hash, source: ImageError::NoEndRecord })
    );
}
